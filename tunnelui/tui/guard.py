"""No fault of ours ends the application: what a handler, a worker or a timer raises is told, and the rest goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

from textual.message_pump import MessagePump
from textual.worker import WorkerState

if TYPE_CHECKING:
    from textual.message import Message
    from textual.worker import Worker

__all__ = ["FaultTeller", "Guarded"]


class FaultTeller(Protocol):
    """Who shows faults: the application."""

    def tell_fault(self, error: BaseException) -> None: ...


class Guarded(MessagePump):
    """Mixed into the application and its screens, before Textual's class: a handler that raises ends nothing."""

    async def _dispatch_message(self, message: Message) -> None:
        try:
            await super()._dispatch_message(message)
        except Exception as error:  # whatever it is: it is told
            cast("FaultTeller", self.app).tell_fault(error)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A worker that failed is told as well."""
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            cast("FaultTeller", self.app).tell_fault(event.worker.error)
