"""What SIGINT, SIGTERM and SIGHUP do to a command that is at work."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Final, TypeVar

from tunnelui.errors import LocalError, TunnelError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["GRACE", "SIGNALS", "Interrupted", "until_first_signal", "until_signal"]

T = TypeVar("T")

GRACE: Final = 2.0
"""Seconds that open connections may go on after a signal."""
SIGNALS: Final = tuple(
    signal.Signals(getattr(signal, name)) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


class Interrupted(LocalError):
    """A signal ended the command before its work was done."""

    default_code = "interrupted"


async def until_signal(work: Callable[[], Awaitable[T]]) -> T:
    """Return what *work* returns. The first signal cancels it, so that it tidies up; then `Interrupted` is raised.

    A `TunnelError` of *work* comes out as it is, never in a group.
    """
    import anyio  # here: ssh waits for a command that does without

    result: list[T] = []
    failure: TunnelError | None = None
    caught: signal.Signals | None = None
    with anyio.open_signal_receiver(*SIGNALS) as signals:
        async with anyio.create_task_group() as tasks:

            async def watch() -> None:
                nonlocal caught
                caught = await anext(signals)
                tasks.cancel_scope.cancel()

            tasks.start_soon(watch)
            try:
                result.append(await work())
            except TunnelError as error:
                failure = error
            tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure
    if result:
        return result[0]
    raise Interrupted(f"ended by {caught.name if caught else 'a signal'}")


async def until_first_signal(work: Callable[[], Awaitable[T]]) -> T:
    """`until_signal` on asyncio alone: *work* is cancelled once, and not again and again until it ends."""
    import asyncio

    from tunnelui.transport.scope import Scope

    loop = asyncio.get_running_loop()
    caught: list[signal.Signals] = []
    with Scope() as scope:

        def catch(number: signal.Signals) -> None:
            caught.append(number)
            scope.cancel()

        for number in SIGNALS:
            loop.add_signal_handler(number, catch, number)
        try:
            return await work()
        finally:
            for number in SIGNALS:
                loop.remove_signal_handler(number)
    raise Interrupted(f"ended by {caught[0].name}")
