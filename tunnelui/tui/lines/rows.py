"""One tunnel as the words of one row."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TYPE_CHECKING

from tunnelui.engine.model import State
from tunnelui.frozen import frozen
from tunnelui.tui.lines.format import bytes_short, duration
from tunnelui.tui.lines.words import safe

if TYPE_CHECKING:
    from tunnelui.engine.model import TunnelSnapshot

__all__ = ["Column", "RouteRow", "local_of", "route_row", "state_words", "target_of"]


class Column(StrEnum):
    """The columns of the route list; the value is what stands above it."""

    NAME = "NAME"
    STATE = "STATE"
    DESTINATION = "DESTINATION"
    LOCAL = "LOCAL"
    PROFILE = "PROFILE"
    IN = "IN"
    OUT = "OUT"
    RATE_IN = "IN/s"
    RATE_OUT = "OUT/s"
    GRAPH = "LAST MINUTE"

    @property
    def sorts(self) -> bool:
        """Whether rows can be put in order by it; rates would move them all the time."""
        return self not in (Column.RATE_IN, Column.RATE_OUT, Column.GRAPH)


@frozen
class RouteRow:
    """What one row says; equal rows look the same. ``star`` is the sign of a favourite, or empty."""

    name: str
    state: State
    words: str
    target: str
    local: str
    profile: str
    bytes_in: str
    bytes_out: str
    star: str = ""
    rate_in: str = ""
    rate_out: str = ""
    graph: str = ""

    def cell(self, column: Column) -> str:
        match column:
            case Column.NAME:
                return f"{self.name} {self.star}" if self.star else self.name
            case Column.STATE:
                return self.words
            case Column.DESTINATION:
                return self.target
            case Column.LOCAL:
                return self.local
            case Column.PROFILE:
                return self.profile
            case Column.IN:
                return self.bytes_in
            case Column.OUT:
                return self.bytes_out
            case Column.RATE_IN:
                return self.rate_in
            case Column.RATE_OUT:
                return self.rate_out
            case Column.GRAPH:
                return self.graph


def route_row(tunnel: TunnelSnapshot, now: float, star: str = "") -> RouteRow:
    """Return the row of a tunnel at the Unix time *now*, without rates and graph."""
    counted = tunnel.state is not State.OFF or tunnel.bytes_in or tunnel.bytes_out
    return RouteRow(
        name=safe(tunnel.route.name),
        state=tunnel.state,
        words=state_words(tunnel, now),
        target=target_of(tunnel),
        local=local_of(tunnel) or "auto",
        profile=safe(tunnel.route.profile),
        bytes_in=bytes_short(tunnel.bytes_in) if counted else "",
        bytes_out=bytes_short(tunnel.bytes_out) if counted else "",
        star=star,
    )


def target_of(tunnel: TunnelSnapshot) -> str:
    """Return the far side: what goes into the CONNECT, or what the user wrote where that does not parse."""
    return safe(tunnel.target or tunnel.route.destination)


def local_of(tunnel: TunnelSnapshot) -> str:
    """Return the local address, or nothing while any free port would do."""
    return safe(tunnel.local or tunnel.route.listen)


def state_words(tunnel: TunnelSnapshot, now: float) -> str:
    """``live  2``, ``retry 8s``, ``port busy``: at most nine cells."""
    if tunnel.state is State.LIVE:
        count = tunnel.live if tunnel.live < 1000 else f"{tunnel.live // 1000}k"
        return f"live {count:>2}"
    if tunnel.state is State.RETRY and tunnel.retry_at is not None and tunnel.retry_at > now:
        # Rounded up: the last second reads 1s and not 0s.
        return f"retry {duration(math.ceil(tunnel.retry_at - now)):.3}" if tunnel.retry_at - now < 100 else "retry"
    return tunnel.state.value
