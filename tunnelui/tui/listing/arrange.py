"""In which order the rows of the list stand: sorted, favourites first, in groups that fold."""

from __future__ import annotations

from collections import Counter
from dataclasses import field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias

from tunnelui.engine.model import State, TunnelSnapshot
from tunnelui.frozen import frozen
from tunnelui.tui.listing.order import SortOrder, ordered

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["TROUBLE", "UP", "Arrangement", "Group", "Grouping", "Item", "group_of", "in_groups", "sorted_for"]

UP: Final = (State.READY, State.LIVE)
TROUBLE: Final = (State.AUTH, State.RETRY, State.DENIED, State.PORT_BUSY, State.ERROR)


class Grouping(StrEnum):
    """What makes a group."""

    NONE = "none"
    TAG = "tag"
    PROFILE = "profile"

    @property
    def next(self) -> Grouping:
        kinds = list(Grouping)
        return kinds[(kinds.index(self) + 1) % len(kinds)]


@frozen
class Arrangement:
    """What a person chose. ``folded`` are names of groups of this grouping, ``favourites`` names of routes."""

    order: SortOrder = field(default_factory=SortOrder)
    grouping: Grouping = Grouping.NONE
    favourites: frozenset[str] = frozenset()
    folded: frozenset[str] = frozenset()


@frozen
class Group:
    """The row above the routes of one group; ``name`` is empty for routes without a tag."""

    name: str
    count: int
    up: int
    trouble: int
    folded: bool


Item: TypeAlias = Group | TunnelSnapshot
"""What stands in one row."""


def group_of(tunnel: TunnelSnapshot, grouping: Grouping) -> str:
    """Return the group of a tunnel: each is in one, so that the numbers add up. The first tag counts."""
    if grouping is Grouping.PROFILE:
        return tunnel.route.profile
    return tunnel.route.tags[0] if tunnel.route.tags else ""


def sorted_for(tunnels: Iterable[TunnelSnapshot], how: Arrangement) -> list[TunnelSnapshot]:
    """Return *tunnels* in order, favourites before all others."""
    found = ordered(tunnels, how.order)
    if not how.favourites:
        return found
    return sorted(found, key=lambda tunnel: tunnel.route.name not in how.favourites)


def in_groups(tunnels: Sequence[TunnelSnapshot], how: Arrangement) -> list[Item]:
    """Return the rows for *tunnels*, which are in order: groups by name, those without a tag last."""
    if how.grouping is Grouping.NONE:
        return list(tunnels)
    members: dict[str, list[TunnelSnapshot]] = {}
    for tunnel in tunnels:
        members.setdefault(group_of(tunnel, how.grouping), []).append(tunnel)
    rows: list[Item] = []
    for name in sorted(members, key=lambda name: (not name, name.casefold(), name)):
        own = members[name]
        states = Counter(tunnel.state for tunnel in own)
        up, trouble = (sum(states[state] for state in kinds) for kinds in (UP, TROUBLE))
        rows.append(Group(name, len(own), up, trouble, name in how.folded))
        if name not in how.folded:
            rows += own
    return rows
