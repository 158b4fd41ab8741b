"""Who may move much next: one busy direction in each pass of the event loop, in the order in which they asked.

A tunnel that carries a few bytes is served as soon as its descriptor is ready. One that carries a stream is ready all
the time; if each such tunnel moved a full turn in every pass, a keystroke would wait for all of them, at every relay on
its way. So streams take turns, and between two turns the loop looks for what else has become ready.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, Protocol
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    import asyncio

__all__ = ["Taker", "Turns", "turns_of"]


class Taker(Protocol):
    """Who waits for a turn."""

    def take_turn(self) -> None:
        """The turn has come: move a bounded amount now."""


class Turns:
    """The turns of one event loop; see `turns_of`."""

    __slots__ = ("_armed", "_loop", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[Taker] = deque()
        self._armed = False

    @property
    def crowded(self) -> bool:
        """Whether somebody waits."""
        return bool(self._waiting)

    def claim(self) -> bool:
        """Take this pass's turn at once, if nobody has it and nobody waits."""
        if self._armed:
            return False
        self._arm()
        return True

    def wait(self, taker: Taker) -> None:
        """Have *taker* called when its turn comes; once."""
        self._waiting.append(taker)
        if not self._armed:
            self._arm()

    def leave(self, taker: Taker) -> None:
        """Wait no longer."""
        self._waiting.remove(taker)

    def _arm(self) -> None:
        self._armed = True
        self._loop.call_soon(self._next)

    def _next(self) -> None:
        self._armed = False
        if self._waiting:
            self._waiting.popleft().take_turn()
            if self._waiting and not self._armed:
                self._arm()


_turns: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, Turns]] = WeakKeyDictionary()


def turns_of(loop: asyncio.AbstractEventLoop) -> Turns:
    """Return the turns of *loop*, the same object every time."""
    turns = _turns.get(loop)
    if turns is None:
        turns = _turns[loop] = Turns(loop)
    return turns
