"""Routes that a proxy says somebody may use, held against those that are saved.

A discovered route carries where it came from (`Route.source`), so that it is known again whatever a person has made of
its name, tags, port or note. Of those nothing is touched: only where the route leads follows the proxy.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from tunnelui.config.route import Route
from tunnelui.config.route_rules import check_route, free_name, usable_name, way_of
from tunnelui.errors import ConfigError
from tunnelui.frozen import frozen
from tunnelui.text import clean
from tunnelui.wire.destination import DestinationError, parse_destination

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tunnelui.config.profile import Profile
    from tunnelui.wire.destination import ProxyOrigin

__all__ = ["Discovery", "Offer", "plan_discovery", "read_portal"]

_MOST: Final = 10_000
_LONGEST_NAME: Final = 64


@frozen
class Offer:
    """The TCP routes that a proxy offers somebody, and lines for people on what else it has."""

    routes: tuple[Route, ...] = ()
    notes: tuple[str, ...] = ()


@frozen
class Discovery:
    """What taking the proxy's list over would do.

    :param routes: all routes as they would be then.
    :param changed: pairs of before and after.
    :param removed: saved from this proxy earlier, and not in its list any more.
    :param known: in the list, and saved as they are.
    :param notes: lines for people on what can't be taken over.
    """

    routes: tuple[Route, ...]
    added: tuple[Route, ...] = ()
    changed: tuple[tuple[Route, Route], ...] = ()
    removed: tuple[Route, ...] = ()
    known: tuple[Route, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.added or self.changed or self.removed)


def read_portal(answer: Any, proxy: ProxyOrigin, profile: Profile) -> tuple[tuple[Route, ...], tuple[str, ...]]:
    """Return the TCP routes of a proxy's list (``{"routes": [{"id", "name", "type", "from", …}]}``), and notes.

    :param proxy: who gave it, and *profile* who asked.
    :raises ConfigError: it is no such list.
    """
    entries = answer.get("routes") if isinstance(answer, dict) else None
    if not isinstance(entries, list) or len(entries) > _MOST:
        raise ConfigError(f"{proxy} gave no list of routes", code="portal")
    routes: dict[str, Route] = {}
    notes: list[str] = []
    for entry in entries:
        if not isinstance(entry, dict):
            raise ConfigError(f"{proxy} gave no list of routes", code="portal")
        name = clean(str(entry.get("name") or entry.get("from") or "?"), 200)
        if entry.get("type") != "tcp":
            if entry.get("type") == "udp":
                notes.append(f"{name}: UDP is not carried")
            continue
        try:
            route = _route(entry, proxy, profile)
        except ConfigError as error:
            notes.append(f"{name}: {error.message}")
            continue
        routes.setdefault(route.source, route)
    return tuple(routes.values()), tuple(notes)


def plan_discovery(
    saved: Sequence[Route], found: Sequence[Route], proxy: ProxyOrigin, *, tags: Sequence[str] = (), profile: str = ""
) -> Discovery:
    """Return what makes *saved* follow *found*, the list of *proxy*."""
    by_source = {route.source: route for route in found}
    by_way: dict[tuple[str, str, str], Route] = {}
    for route in found:
        by_way.setdefault(way_of(route), route)
    routes: list[Route] = []
    changed: list[tuple[Route, Route]] = []
    removed: list[Route] = []
    known: list[Route] = []
    seen: set[str] = set()
    for route in saved:
        is_ours = route.source.startswith(f"{proxy} ") and (not profile or route.profile == profile)
        new = by_source.get(route.source) if is_ours else None
        if is_ours and new is None:
            removed.append(route)
            continue
        same = new or by_way.get(way_of(route))
        if same is not None:
            seen.add(same.source)
        after = replace(route, destination=new.destination, proxy_url=new.proxy_url) if new else route
        if after != route:
            changed.append((route, after))
        elif same is not None:
            known.append(route)
        routes.append(after)
    added: list[Route] = []
    names = {route.name for route in routes}
    for route in found:
        if route.source not in seen:
            name = free_name(route.name, names)
            names.add(name)
            added.append(replace(route, name=name, tags=tuple(dict.fromkeys((*route.tags, *tags)))))
            routes.append(added[-1])
    return Discovery(tuple(routes), tuple(added), tuple(changed), tuple(removed), tuple(known))


def _route(entry: dict[str, Any], proxy: ProxyOrigin, profile: Profile) -> Route:
    origin = clean(str(entry.get("from") or ""), 1024)
    try:
        target = parse_destination(origin)
    except DestinationError as error:
        raise ConfigError(f"“{clean(origin, 100)}” is no TCP destination: {error.message}") from None
    destination = str(target.authority)
    # Where the profile, or the host itself, leads to the proxy anyway, the route need not name it.
    follows = parse_destination(destination, proxy_url=profile.proxy_url or None).proxy == proxy
    number = clean(str(entry.get("id") or destination), 100)
    route = Route(
        usable_name(str(entry.get("name") or "")) or target.authority.host[:_LONGEST_NAME],
        destination,
        profile=profile.name,
        proxy_url="" if follows else proxy.url,
        note=clean(str(entry.get("description") or ""), 200).strip(),
        source=f"{proxy} {number}",
    )
    check_route(route)
    return route
