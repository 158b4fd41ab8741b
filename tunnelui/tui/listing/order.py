"""The orders that the rows of the list can have: one for each column that sorts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tunnelui.engine.model import State
from tunnelui.frozen import frozen
from tunnelui.tui.lines.rows import Column, local_of, target_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tunnelui.engine.model import TunnelSnapshot

__all__ = ["SortOrder", "ordered", "sort_key"]


@frozen
class SortOrder:
    """By which column, and which way round."""

    column: Column = Column.NAME
    reverse: bool = False


def ordered(tunnels: Iterable[TunnelSnapshot], order: SortOrder) -> list[TunnelSnapshot]:
    """Return the tunnels in the wanted order; the name decides between equals."""
    return sorted(
        sorted(tunnels, key=lambda tunnel: tunnel.route.name.casefold()),
        key=lambda tunnel: sort_key(tunnel, order.column),
        reverse=order.reverse,
    )


# Trouble first: what needs a person stands at the top.
_STATE_RANKS = {
    state: rank
    for rank, state in enumerate(
        (State.AUTH, State.PORT_BUSY, State.DENIED, State.ERROR, State.RETRY, State.LIVE, State.READY, State.OFF)
    )
}


def sort_key(tunnel: TunnelSnapshot, column: Column) -> tuple[float, str]:
    """Return what *column* orders a tunnel by."""
    match column:
        case Column.NAME:
            return 0, tunnel.route.name.casefold()
        case Column.STATE:
            return _STATE_RANKS[tunnel.state], ""
        case Column.DESTINATION:
            return 0, target_of(tunnel).casefold()
        case Column.LOCAL:
            host, _, port = local_of(tunnel).rpartition(":")
            return (int(port) if port.isascii() and port.isdigit() else math.inf), host
        case Column.PROFILE:
            return 0, tunnel.route.profile.casefold()
        case Column.IN:
            return -tunnel.bytes_in, ""
        case Column.OUT:
            return -tunnel.bytes_out, ""
        case _:
            return 0, ""
