"""No fault of ours ends the application: what a handler, a worker or a timer raises is told, and the rest goes on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, cast

from textual.message_pump import MessagePump
from textual.worker import WorkerState

from tunnelui.tui.words import reason, safe

if TYPE_CHECKING:
    from textual.message import Message
    from textual.worker import Worker

__all__ = ["Fault", "FaultTeller", "Guarded", "fault_of"]

_HERE: Final = Path(__file__).parent.parent
_LONGEST: Final = 20_000


@dataclass(frozen=True, slots=True)
class Fault:
    """What went wrong. ``place`` is ``FILE:LINE in FUNCTION``; ``report`` is the whole, for whoever mends it."""

    words: str
    place: str
    report: str


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


def fault_of(error: BaseException) -> Fault:
    """Return *error* as words; the report has no values of variables, which may be secret."""
    import platform  # here: the start waits for nothing that only a fault needs
    import traceback
    from importlib.metadata import version

    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_HERE)]
    place = ""
    if last := (ours or list(frames))[-1:]:
        (last_frame,) = last
        name = Path(last_frame.filename)
        shown = name.relative_to(_HERE.parent) if name.is_relative_to(_HERE) else name.name
        place = f"{shown}:{last_frame.lineno} in {last_frame.name}"
    words = f"{type(error).__name__}: {reason(error)}" if isinstance(error, Exception) else type(error).__name__
    lines = "".join(traceback.format_exception(error)).splitlines()
    programs = f"tunnelui {version('tunnelui')}, textual {version('textual')}"
    about = f"{programs}, Python {platform.python_version()}, {platform.system()}"
    report = "\n".join([about, *(safe(each, 2000) for each in lines)])
    return Fault(words, place, report[-_LONGEST:] if len(report) > _LONGEST else report + "\n")
