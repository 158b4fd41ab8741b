"""Changes to the saved routes that somebody proposes, a line each, to be taken or left."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tunnelui.config.route_changes import RouteChange
from tunnelui.config.route_rules import check_route, free_name
from tunnelui.engine.model import State
from tunnelui.errors import ConfigError
from tunnelui.frozen import frozen
from tunnelui.tui.lines.words import line, pad, safe

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from textual.content import Content

    from tunnelui.config.discovery import Discovery
    from tunnelui.config.exchange import Merge
    from tunnelui.config.route import Route
    from tunnelui.engine.model import EngineSnapshot

__all__ = ["Proposal", "about", "accepted", "of_discovery", "of_merge", "summary"]

_LABEL: Final = 13


@frozen
class Proposal:
    """A change, and whether it is taken. ``problem`` says why it can't be; ``live`` connections end with it."""

    change: RouteChange
    taken: bool = True
    problem: str = ""
    live: int = 0

    @property
    def kind(self) -> str:
        """``new``, ``changed`` or ``gone``."""
        if self.change.old is None:
            return "new"
        return "changed" if self.change.new is not None else "gone"

    @property
    def route(self) -> Route:
        """The route as it would be, or as it was if it goes."""
        route = self.change.new or self.change.old
        assert route is not None  # noqa: S101  (a change has one of them)
        return route


def of_discovery(plan: Discovery, snapshot: EngineSnapshot) -> tuple[Proposal, ...]:
    """Return what a proxy's list would change: all taken, but for the removal of routes that are up."""
    found = [_new(route, snapshot) for route in plan.added]
    for old, new in plan.changed:
        tunnel = snapshot.tunnel(old.name)
        found.append(Proposal(RouteChange(old, new), live=tunnel.live if tunnel else 0))
    for route in plan.removed:
        tunnel = snapshot.tunnel(route.name)
        is_off = tunnel is None or tunnel.state is State.OFF
        found.append(Proposal(RouteChange(route, None), is_off, live=tunnel.live if tunnel else 0))
    return tuple(found)


def of_merge(merge: Merge, snapshot: EngineSnapshot) -> tuple[Proposal, ...]:
    """Return what a file would add."""
    return tuple(_new(route, snapshot) for route in merge.added)


def _new(route: Route, snapshot: EngineSnapshot) -> Proposal:
    problem = ""
    try:
        check_route(route, profiles=[profile.name for profile in snapshot.profiles] or None)
    except ConfigError as error:
        problem = f"{error.message}. {error.hint}".strip()
    return Proposal(RouteChange(None, route), not problem, problem)


def accepted(proposals: Iterable[Proposal], names: Collection[str]) -> tuple[RouteChange, ...]:
    """Return the changes that are taken; a new route whose name stays in use gets a number.

    :param names: of all routes there are.
    """
    chosen = [proposal.change for proposal in proposals if proposal.taken]
    in_use = set(names) - {one.old.name for one in chosen if one.old} | {
        one.new.name for one in chosen if one.old and one.new
    }
    changes: list[RouteChange] = []
    for change in chosen:
        if change.old is None and change.new is not None:
            name = free_name(change.new.name, in_use)
            in_use.add(name)
            change = RouteChange(None, replace(change.new, name=name))
        changes.append(change)
    return tuple(changes)


def summary(changes: Sequence[RouteChange]) -> str:
    """``3 routes added, 1 changed, 1 removed``."""
    added = sum(change.old is None for change in changes)
    removed = sum(change.new is None for change in changes)
    counts = [(added, "added"), (len(changes) - added - removed, "changed"), (removed, "removed")]
    words = [f"{count} {verb}" for count, verb in counts if count]
    if not words:
        return "nothing"
    first, *more = words
    number, _, verb = first.partition(" ")
    return ", ".join([f"{number} {'route' if number == '1' else 'routes'} {verb}", *more])


def about(proposal: Proposal) -> list[Content]:
    """Return the lines that tell what taking *proposal* means: three at most."""
    old, new = proposal.change.old, proposal.change.new
    if proposal.problem:
        return [_fact("Can't be taken", proposal.problem, "$denied"), _fact("Destination", proposal.route.destination)]
    if old is None:
        facts = [_fact("Destination", proposal.route.destination), _fact("Profile", proposal.route.profile)]
        if proposal.route.note:
            facts.append(_fact("Note", proposal.route.note))
        return facts
    ends = "1 open connection ends." if proposal.live == 1 else f"{proposal.live} open connections end."
    if new is None:
        rows = [_fact("Gone", "The proxy does not offer it any more."), _fact("Destination", old.destination)]
    else:
        rows = [
            _fact("Destination", f"{old.destination} becomes {new.destination}"),
            _fact("Kept", "your name, tags, local address, note and program"),
        ]
    return [*rows, *([_fact("Careful", ends, "$auth")] if proposal.live else [])]


def _fact(label: str, text: str, style: str = "$ink") -> Content:
    return line(
        "  ", (pad(label, _LABEL), "$muted"), "  " if len(label) >= _LABEL else "", (safe(text, 600), style), limit=600
    )
