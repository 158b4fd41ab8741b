"""Calls that may never return.

A keyring may wait for a dialog that nobody sees, a program may hang. Worker threads of asyncio and anyio are joined
when the interpreter ends, so one hanging call would keep the process from exiting. These threads are daemons: left
alone when their time is up, and dropped at exit.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BlockingCalls"]

T = TypeVar("T")


class BlockingCalls:
    """Runs functions in daemon threads, one at a time.

    :param name: for the threads' name.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = asyncio.Lock()
        self._ended: asyncio.Event | None = None  # of the call that was started last
        self._overdue = False  # its time was up before it ended

    async def run(self, function: Callable[[], T], *, timeout: float) -> T:
        """Return what *function* returns, or raise what it raises.

        While an earlier call hangs, none is added to it: so there is never more than one thread.

        :param timeout: seconds, waiting for other calls included.
        :raises TimeoutError: it took longer, or an earlier call hangs and would be waited for in vain.
        """
        started = False
        try:
            async with asyncio.timeout(None if timeout == math.inf else timeout), self._lock:
                await self._wait_for_previous()
                started = True
                return await self._run(function)
        except TimeoutError:
            if started and self._ended is not None and not self._ended.is_set():
                self._overdue = True
            raise

    async def _wait_for_previous(self) -> None:
        if self._ended is None or self._ended.is_set():
            return
        if self._overdue:
            raise TimeoutError
        await self._ended.wait()  # its caller was cancelled; the call itself may be quick

    async def _run(self, function: Callable[[], T]) -> T:
        ended = self._ended = asyncio.Event()
        self._overdue = False
        loop = asyncio.get_running_loop()
        results: list[T] = []
        errors: list[BaseException] = []

        def work() -> None:
            try:
                results.append(function())
            except BaseException as error:  # the caller gets it, whatever it is
                errors.append(error)
            with contextlib.suppress(RuntimeError):  # the event loop has ended meanwhile
                loop.call_soon_threadsafe(ended.set)

        threading.Thread(target=work, name=f"tunnelui {self._name}", daemon=True).start()
        await ended.wait()
        if errors:
            raise errors[0]
        return results[0]
