"""The event loop's clock, moved by hand: a limit on silence is over when a test says so, however busy the machine."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

__all__ = ["HandClock"]

_PASSES = 5
"""Of the loop: enough for a timer that is due, what it calls, and who waits for that."""


class HandClock:
    """Stops the running loop's clock for as long as *monkeypatch* holds.

    Sockets and threads go on. A timer fires when `forward` has come to it, and no sleep ends without that.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        self._now = loop.time()
        monkeypatch.setattr(loop, "time", lambda: self._now)

    async def forward(self, seconds: float) -> None:
        """Let *seconds* pass, and what is due then be done."""
        self._now += seconds
        for _ in range(_PASSES):
            await asyncio.sleep(0)
