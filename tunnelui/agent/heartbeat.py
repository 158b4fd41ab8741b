"""Whether the other end of a channel is still there: one that was stopped, or hangs, keeps the channel open."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["Heartbeat"]

_QUIET: Final = 5.0
"""Seconds of silence after which the other end is asked for a sign of life."""
_ANSWER: Final = 10.0
"""Seconds that it has for it."""


class Heartbeat:
    """Asks who has been silent for a while; ``is_silent`` from the moment on when no answer came, until one comes."""

    def __init__(self, quiet: float = _QUIET, answer: float = _ANSWER) -> None:
        self.is_silent = False
        self._quiet = quiet
        self._answer = answer
        self._heard_at = time.monotonic()

    def heard(self) -> None:
        """Note that something has come from the other end."""
        self._heard_at = time.monotonic()
        self.is_silent = False

    async def watch(self, ask: Callable[[], Awaitable[object]]) -> None:
        """Watch for ever; *ask* sends something that is answered, and does not wait for it."""
        while True:
            await asyncio.sleep(self._quiet)
            asked_at = time.monotonic()
            if asked_at - self._heard_at < self._quiet:
                continue
            await ask()
            await asyncio.sleep(self._answer)
            self.is_silent = self._heard_at < asked_at
