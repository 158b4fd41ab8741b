"""Changes to the saved routes as values, so that many are made at once, or none, and taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunnelui.config.route_rules import check_route
from tunnelui.errors import ConfigError
from tunnelui.frozen import frozen
from tunnelui.text import clean

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from tunnelui.config.route import Route

__all__ = ["RouteChange", "changed_routes", "split_changes", "taken_back"]


@frozen
class RouteChange:
    """A route before and after. Without *old* it is new; without *new* it is removed."""

    old: Route | None = None
    new: Route | None = None


def changed_routes(
    present: Iterable[Route], changes: Sequence[RouteChange], *, profiles: Collection[str] | None = None
) -> tuple[Route, ...]:
    """Return *present* with all *changes* made; a changed route keeps its place, new ones come last.

    :param profiles: the names that exist, or ``None`` to leave that question open.
    :raises ConfigError: a route that should be changed is not there (code ``no_such_route``) or not as it was
        (``route_changed``), or a new one is wrong.
    """
    by_name = {route.name: route for route in present}
    renamed: dict[str, Route | None] = {}
    for change in changes:
        if change.old is not None:
            name = change.old.name
            if name not in by_name:
                raise ConfigError(f"there is no route “{clean(name, 64)}”", place="name", code="no_such_route")
            if by_name[name] != change.old:
                raise ConfigError(
                    f"the route “{clean(name, 64)}” was changed meanwhile; nothing was done",
                    code="route_changed",
                    hint="Look at it again, then try once more.",
                )
            renamed[name] = change.new
    routes = [new for name, route in by_name.items() if (new := renamed.get(name, route)) is not None]
    routes += [change.new for change in changes if change.old is None and change.new is not None]
    fresh = {id(change.new) for change in changes}
    taken = {route.name for route in routes if id(route) not in fresh}
    for route in routes:
        if id(route) in fresh:
            try:
                check_route(route, profiles=profiles, taken=taken)
            except ConfigError as error:
                if len(changes) > 1:  # which one?
                    error.args = (f"{error.message} (route “{clean(route.name, 64)}”)",)
                raise
            taken.add(route.name)
    return tuple(routes)


def taken_back(changes: Iterable[RouteChange]) -> tuple[RouteChange, ...]:
    """Return what undoes *changes*."""
    return tuple(RouteChange(change.new, change.old) for change in changes)


def split_changes(
    changes: Iterable[RouteChange], present: Iterable[Route]
) -> tuple[tuple[RouteChange, ...], tuple[RouteChange, ...]]:
    """Return those that can be made to *present*, and those whose route was changed or removed since."""
    now = {route.name: route for route in present}
    possible: list[RouteChange] = []
    late: list[RouteChange] = []
    for change in changes:
        fits = change.old is None or now.get(change.old.name) == change.old
        (possible if fits else late).append(change)
    return tuple(possible), tuple(late)
