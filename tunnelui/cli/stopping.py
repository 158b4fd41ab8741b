"""What SIGINT, SIGTERM and SIGHUP do to a command that is at work."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final, TypeVar

from tunnelui.errors import LocalError, TunnelError
from tunnelui.system import caught_signals

if TYPE_CHECKING:
    import signal
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

__all__ = ["GRACE", "Interrupted", "received_signals", "until_first_signal", "until_signal"]

T = TypeVar("T")

GRACE: Final = 2.0
"""Seconds that open connections may go on after a signal."""


class Interrupted(LocalError):
    """A signal ended the command before its work was done."""

    default_code = "interrupted"


class _Signals:
    """Those that have come, in order."""

    def __init__(self) -> None:
        import asyncio

        self.came: asyncio.Queue[signal.Signals] = asyncio.Queue()

    def __aiter__(self) -> _Signals:
        return self

    async def __anext__(self) -> signal.Signals:
        return await self.came.get()


@contextlib.contextmanager
def received_signals() -> Iterator[AsyncIterator[signal.Signals]]:
    """Hand out the signals that ask for an end while the block runs; none of them ends the process."""
    import asyncio

    signals = _Signals()
    with caught_signals(asyncio.get_running_loop(), signals.came.put_nowait):
        yield signals


async def until_signal(work: Callable[[], Awaitable[T]]) -> T:
    """Return what *work* returns. The first signal cancels it, so that it tidies up; then `Interrupted` is raised.

    A `TunnelError` of *work* comes out as it is, never in a group.
    """
    import anyio  # here: ssh waits for a command that does without

    result: list[T] = []
    failure: TunnelError | None = None
    caught: signal.Signals | None = None
    with received_signals() as signals:
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

        with caught_signals(loop, catch):
            return await work()
    raise Interrupted(f"ended by {caught[0].name}")
