"""Which tunnels stay when the routes are others."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tunnelui.config.route import Route
    from tunnelui.config.route_changes import RouteChange
    from tunnelui.engine.tunnel import Tunnel

__all__ = ["new_names", "succeed"]


def new_names(changes: Iterable[RouteChange]) -> dict[str, str | None]:
    """Return what each route is called that is there before *changes*: ``None`` for one that is removed."""
    return {one.old.name: one.new.name if one.new else None for one in changes if one.old}


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
