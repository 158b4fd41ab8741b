"""Which tunnels stay when the routes are others."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tunnelui.config.route import Route
    from tunnelui.config.route_changes import RouteChange
    from tunnelui.engine.tunnel import Tunnel

__all__ = ["new_names", "succeed"]


def new_names(changes: Iterable[RouteChange]) -> dict[str, str | None]:
    """Return what each route is called that is there before *changes*: ``None`` for one that is removed."""
    return {one.old.name: one.new.name if one.new else None for one in changes if one.old}


def succeed(
    tunnels: Mapping[str, Tunnel],
    routes: Sequence[Route],
    names: Mapping[str, str | None],
    add: Callable[[Route], Tunnel],
) -> tuple[dict[str, Tunnel], list[Tunnel]]:
    """Return the tunnels of *routes* in their order, made by *add* where there is none yet, and those left over.

    :param names: what some of *tunnels* are called now, as `new_names` gives it.
    """
    kept, gone = {}, []
    for old, tunnel in tunnels.items():
        name = names.get(old, old)
        if name is None:
            gone.append(tunnel)
        else:
            kept[name] = tunnel
    after = {route.name: kept.pop(route.name) if route.name in kept else add(route) for route in routes}
    return after, [*gone, *kept.values()]
