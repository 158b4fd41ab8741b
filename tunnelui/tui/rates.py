"""Bytes per second, worked out from counters that only ever grow."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tunnelui.engine.model import EngineSnapshot

__all__ = ["HISTORY", "Rates", "Series"]

HISTORY = 60.0
"""How many seconds a series remembers."""


@dataclass(slots=True)
class Series:
    """One direction of one tunnel: ``rate`` now, ``peak`` of all time, and a short ``history``, oldest first.

    The history has one value per second, the mean over that second, so that drawing it does not depend on how often
    the counters are read.
    """

    rate: float = 0.0
    peak: float = 0.0
    history: deque[float] = field(default_factory=lambda: deque(maxlen=int(HISTORY)))
    _last: tuple[float, int] | None = None
    _second: tuple[float, int] | None = None

    def feed(self, at: float, total: int) -> None:
        """Take the counter's value at *at* (seconds of the monotonic clock)."""
        if self._last is None or self._second is None or total < self._last[1]:  # first reading, or a fresh start
            self._last = self._second = (at, total)
            self.rate = 0.0
            return
        then, before = self._last
        if at <= then:
            return
        self.rate = (total - before) / (at - then)
        self.peak = max(self.peak, self.rate)
        self._last = (at, total)
        since, start = self._second
        if at - since >= 1.0:
            self.history.append((total - start) / (at - since))
            self._second = (at, total)

    @property
    def quiet(self) -> bool:
        """Whether there is nothing to see: no rate, and an empty or flat history."""
        return not self.rate and not any(self.history)


class Rates:
    """The series of every tunnel and of all together."""

    def __init__(self) -> None:
        self.down = Series()
        self.up = Series()
        self._tunnels: dict[str, tuple[Series, Series]] = {}

    def feed(self, at: float, snapshot: EngineSnapshot) -> None:
        """Take a snapshot read at *at* (monotonic). Routes that are gone are forgotten."""
        names = {tunnel.route.name for tunnel in snapshot.tunnels}
        for name in self._tunnels.keys() - names:
            del self._tunnels[name]
        for tunnel in snapshot.tunnels:
            down, up = self.of(tunnel.route.name)
            down.feed(at, tunnel.bytes_in)
            up.feed(at, tunnel.bytes_out)
        # The sum of rates and not the rate of the sum: a tunnel that starts afresh takes its old bytes with it.
        for whole, index in ((self.down, 0), (self.up, 1)):
            whole.rate = sum(pair[index].rate for pair in self._tunnels.values())
            whole.peak = max(whole.peak, whole.rate)

    def of(self, name: str) -> tuple[Series, Series]:
        """Return the series of one tunnel: towards the local program, towards the far side."""
        if name not in self._tunnels:
            self._tunnels[name] = (Series(), Series())
        return self._tunnels[name]

    @property
    def quiet(self) -> bool:
        return all(down.quiet and up.quiet for down, up in self._tunnels.values())
