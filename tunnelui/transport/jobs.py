"""Tasks that cost little to begin: one is needed for every accepted connection, until its tunnel carries itself.

A task group of anyio keeps far more about each of its tasks than these need.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["Jobs"]

_LOG: Final = logging.getLogger(__name__)


class Jobs:
    """Owns tasks from ``async with`` to its end, which cancels those that are left and waits for them.

    A fault in one is logged and ends no other: whoever starts it should have caught it.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, job: Coroutine[Any, Any, None]) -> None:
        """Begin *job* in the next pass of the loop."""
        task = asyncio.get_running_loop().create_task(job)
        self._tasks.add(task)
        task.add_done_callback(self._over)

    async def aclose(self) -> None:
        """Cancel what runs, and what begins meanwhile, and wait until all is over."""
        asked = set[asyncio.Task[None]]()
        cancelled: asyncio.CancelledError | None = None
        while self._tasks:
            try:
                # A task that is cancelled before its first step never runs, and what it was to close stays open.
                await asyncio.sleep(0)
            except asyncio.CancelledError as error:  # nobody is left behind, whoever is in a hurry
                cancelled = error
            for task in self._tasks - asked:  # once: it may have to clean up
                task.cancel()
                asked.add(task)
            try:
                if self._tasks:
                    await asyncio.wait(self._tasks)
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled  # itself: a scope knows its own

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            _LOG.error("a connection met a fault", exc_info=fault)
