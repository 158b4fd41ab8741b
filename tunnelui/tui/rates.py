"""Bytes per second, worked out from counters that only ever grow."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tunnelui.engine.model import EngineSnapshot, TunnelSnapshot

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

    def feed(self, at: float, total: int) -> int:
        """Take the counter's value at *at* (seconds of the monotonic clock); return by how much it has grown."""
        if self._last is None or self._second is None or total < self._last[1]:  # first reading, or a fresh start
            self._last = self._second = (at, total)
            self.rate = 0.0
            return 0
        then, before = self._last
        if at <= then:
            return 0
        self.rate = (total - before) / (at - then)
        self.peak = max(self.peak, self.rate)
        self._last = (at, total)
        since, start = self._second
        if at - since >= 1.0:
            self.history.append((total - start) / (at - since))
            self._second = (at, total)
        return total - before

    def stay(self, at: float) -> None:
        """Take the same value once more."""
        if self._last is not None:
            self.feed(at, self._last[1])

    def wake(self, at: float) -> None:
        """After a rest of whatever length: nothing had moved until *at*."""
        if self._last is not None:
            self._last = self._second = (at, self._last[1])

    @property
    def quiet(self) -> bool:
        """Whether there is nothing to see, nor bytes that the history is still to have: no rate, and a flat history."""
        kept = self._last is None or self._second is None or self._last[1] == self._second[1]
        return kept and not self.rate and not any(self.history)


class Rates:
    """The series of every tunnel and of all together. Tunnels at rest cost nothing."""

    def __init__(self) -> None:
        self.down = Series()
        self.up = Series()
        self._tunnels: dict[str, tuple[Series, Series]] = {}
        self._known: tuple[TunnelSnapshot, ...] = ()
        self._awake: set[str] = set()
        self._at = 0.0
        self._moved = (0, 0)

    def feed(self, at: float, snapshot: EngineSnapshot) -> None:
        """Take a snapshot read at *at* (monotonic). Routes that are gone are forgotten."""
        news = self._news(snapshot.tunnels)
        moved_down, moved_up = self._moved
        for name in self._awake - {tunnel.route.name for tunnel in news}:
            for series in self.of(name):
                series.stay(at)
        for tunnel in news:
            name = tunnel.route.name
            down, up = self.of(name)
            if name not in self._awake:
                self._awake.add(name)
                down.wake(self._at)
                up.wake(self._at)
            moved_down += down.feed(at, tunnel.bytes_in)
            moved_up += up.feed(at, tunnel.bytes_out)
        self._awake = {name for name in self._awake if not all(series.quiet for series in self.of(name))}
        # What moved, and not the sum of the counters: a tunnel that starts afresh takes its old bytes with it.
        self._moved = (moved_down, moved_up)
        self.down.feed(at, moved_down)
        self.up.feed(at, moved_up)
        self._at = at

    def _news(self, tunnels: tuple[TunnelSnapshot, ...]) -> list[TunnelSnapshot]:
        """The tunnels that are not the same objects as the last time."""
        before, self._known = self._known, tunnels
        if tunnels is before:
            return []
        if len(tunnels) == len(before):
            pairs = [(old, new) for old, new in zip(before, tunnels, strict=True) if old is not new]
            if all(old.route.name == new.route.name for old, new in pairs):
                return [new for _, new in pairs]
        names = {tunnel.route.name for tunnel in tunnels}
        for name in self._tunnels.keys() - names:
            del self._tunnels[name]
        self._awake &= names
        return list(tunnels)

    def of(self, name: str) -> tuple[Series, Series]:
        """Return the series of one tunnel: towards the local program, towards the far side."""
        if name not in self._tunnels:
            self._tunnels[name] = (Series(), Series())
        return self._tunnels[name]

    @property
    def quiet(self) -> bool:
        return not self._awake and self.down.quiet and self.up.quiet

    @property
    def scale(self) -> float:
        """The most bytes a second that one tunnel carried, both ways together, within the histories."""
        return max((max(self.both(name), default=0.0) for name in self._awake), default=0.0)

    def both(self, name: str) -> list[float]:
        """Return the history of one tunnel, both ways together."""
        down, up = self.of(name)
        return [one + other for one, other in zip(down.history, up.history, strict=False)]
