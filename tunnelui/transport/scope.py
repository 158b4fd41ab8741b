"""A block that can be ended from outside, on asyncio alone.

`anyio.CancelScope` does this and much more. Every new tunnel passes such a block, and the process that ssh waits for
has nothing else to load anyio for.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Scope"]


class Scope:
    """``with Scope() as scope``: `cancel` ends the block as a cancellation of what it awaits, and goes no further.

    A cancellation from elsewhere passes through, also when both come together.
    """

    __slots__ = ("_before", "_task", "cancelled")

    def __init__(self) -> None:
        self.cancelled = False
        self._task: asyncio.Task[object] | None = None
        self._before = 0

    def cancel(self) -> None:
        """End the block. Once is enough; no effect when it is over. Not from inside the block itself."""
        if self._task is not None and not self.cancelled:
            self.cancelled = True
            self._task.cancel()

    def __enter__(self) -> Self:
        self._task = asyncio.current_task()
        assert self._task is not None  # noqa: S101  (a coroutine is run by a task)
        self._before = self._task.cancelling()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        task, self._task = self._task, None
        if task is None or not self.cancelled:
            return False
        return task.uncancel() <= self._before and kind is asyncio.CancelledError
