"""When the rows of a list stay where they are, though what they are sorted by has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Hold"]


class Hold:
    """Somebody who is about to press a key on a row must not get another one: the rows rest until *seconds* after the
    last key, click or turn of the wheel."""

    def __init__(self, seconds: float, monotonic: Callable[[], float]) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._until = monotonic()

    def touch(self) -> None:
        """Somebody does something now."""
        self._until = self._monotonic() + self._seconds

    @property
    def left(self) -> float:
        """Seconds for which the rows still rest; 0 or less when they may move."""
        return self._until - self._monotonic()
