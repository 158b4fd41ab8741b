"""Which tunnels stay when the routes are others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tunnelui.config.route import Route
    from tunnelui.config.route_changes import RouteChange
    from tunnelui.engine.tunnel import Tunnel

__all__ = ["new_names", "renamed", "succeed"]


def new_names(changes: Iterable[RouteChange]) -> dict[str, str | None]:
    """Return what each route is called that is there before *changes*: ``None`` for one that is removed."""
    return {one.old.name: one.new.name if one.new else None for one in changes if one.old}


def renamed(before: Iterable[Route], after: Iterable[Route]) -> dict[str, str | None]:
    """Return which routes were given another name and nothing else by whoever wrote the file, with that name.

    Where several could be meant, none is.
    """
    old = {route.name: route for route in before}
    new = {route.name: route for route in after}
    gone = _by_the_rest(route for name, route in old.items() if name not in new)
    if not gone:  # thousands may be new
        return {}
    fresh = _by_the_rest(route for name, route in new.items() if name not in old)
    found: dict[str, str | None] = {}
    for rest, was in gone.items():
        now = fresh.get(rest, [])
        if len(was) == len(now) == 1:
            found[was[0]] = now[0]
    return found


def _by_the_rest(routes: Iterable[Route]) -> dict[Route, list[str]]:
    """Return the names of *routes*, by all that they are beside them."""
    found: dict[Route, list[str]] = {}
    for route in routes:
        found.setdefault(replace(route, name=""), []).append(route.name)
    return found


def succeed(
    tunnels: Mapping[str, Tunnel], routes: Iterable[Route], names: Mapping[str, str | None]
) -> tuple[dict[str, Tunnel], list[Tunnel]]:
    """Return which of *tunnels* goes on as which of *routes*, by name, and those left over.

    :param names: what some of *tunnels* are called now, as `new_names` gives it.
    """
    wanted = {route.name for route in routes}
    kept, gone = {}, []
    for old, tunnel in tunnels.items():
        name = names.get(old, old)
        if name in wanted:
            kept[name] = tunnel
        else:
            gone.append(tunnel)
    return kept, gone
