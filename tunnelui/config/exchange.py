"""Routes that go to another machine and come from one: our own TOML, and Pomerium Desktop's JSON."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tunnelui.config.desktop_json import DesktopImport, read_desktop_json
from tunnelui.config.route import DEFAULT_PROFILE
from tunnelui.config.route_rules import free_name, way_of
from tunnelui.config.routes import parse_routes
from tunnelui.errors import ConfigError
from tunnelui.frozen import frozen
from tunnelui.wire.destination import DestinationError, parse_destination

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tunnelui.config.route import Route

__all__ = ["MAX_SIZE", "Merge", "decode_routes", "merge", "read_route_file", "read_routes", "read_text"]

MAX_SIZE: Final = 8 * 1024 * 1024


@frozen
class Merge:
    """What an import does. *notes* are lines for people on what was left out or changed."""

    routes: tuple[Route, ...]
    added: tuple[Route, ...] = ()
    known: tuple[Route, ...] = ()
    notes: tuple[str, ...] = ()


def read_routes(text: str, place: str, *, with_tls: bool = False) -> DesktopImport:
    """Return the routes in *text*, which is one of the two formats, and notes on what can't be taken over.

    :param with_tls: read certificates and private keys, too, where there are any.

    :raises ConfigError: it is neither; ``place`` names the line or the record.
    """
    if len(text) > MAX_SIZE:
        raise ConfigError(f"is larger than {MAX_SIZE // 1024 // 1024} MiB", place=place)
    if text.lstrip("\ufeff \t\r\n").startswith("{"):
        return read_desktop_json(text, place, with_tls=with_tls)
    return DesktopImport(parse_routes(text, place))


def read_route_file(name: str) -> tuple[tuple[Route, ...], tuple[str, ...]]:
    """`read_routes` of the file *name*: the routes, and the notes; blocks.

    :raises ConfigError: as `read_routes`, and when the file can't be read.
    """
    found = read_routes(read_text(name), name)
    return found.routes, found.notes


def read_text(name: str) -> str:
    """Return what the file *name* holds, where ``~`` is the home folder; blocks.

    :raises ConfigError: it can't be read, or is no text.
    """
    try:
        with Path(name).expanduser().open("rb") as file:
            data = file.read(MAX_SIZE + 1)
    except (OSError, ValueError, RuntimeError) as error:  # a name with a zero byte, the home of nobody
        raise ConfigError(getattr(error, "strerror", None) or str(error), place=name, code="import") from None
    return decode_routes(data, name)


def decode_routes(data: bytes, place: str) -> str:
    """Return what a file to import holds as text.

    :raises ConfigError: it is none.
    """
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise ConfigError("is no text in UTF-8", place=place, code="import") from None


def merge(
    present: Sequence[Route],
    new: Sequence[Route],
    *,
    tags: Sequence[str] = (),
    profile: str = "",
    leads: Mapping[tuple[str, str], Route] | None = None,
    proxy_url: str = "",
) -> Merge:
    """Return *present* with those of *new* that lead somewhere else than each of them.

    A name that is taken by another destination gets a number.

    :param leads: *present* by destination and proxy, as their profiles have it. A route that names no profile (those of
        Pomerium Desktop have none) is saved already where one of another profile leads to the same.
    :param proxy_url: that of the default profile.
    """
    leads = leads or {}
    routes = list(present)
    ways, names = {way_of(route) for route in present}, {route.name for route in present}
    added: list[Route] = []
    known: list[Route] = []
    notes: list[str] = []
    for route in new:
        wanted = replace(route, profile=profile or route.profile, tags=tuple(dict.fromkeys((*route.tags, *tags))))
        if way_of(wanted) in ways:
            known.append(wanted)
            continue
        other = None if profile or wanted.profile != DEFAULT_PROFILE else leads.get(_lead_of(wanted, proxy_url))
        if other is not None:
            known.append(wanted)
            notes.append(f"“{other.name}” of the profile “{other.profile}” leads to {wanted.destination}")
            continue
        name = free_name(wanted.name, names)
        names.add(name)
        ways.add(way_of(wanted))
        if name != wanted.name:
            notes.append(f"“{wanted.name}” is saved as “{name}”: the name was taken")
        routes.append(replace(wanted, name=name))
        added.append(routes[-1])
    return Merge(tuple(routes), tuple(added), tuple(known), tuple(notes))


def _lead_of(route: Route, proxy_url: str) -> tuple[str, str]:
    try:
        way = parse_destination(route.destination, proxy_url=route.proxy_url or None)
        if proxy_url and not (route.proxy_url or way.is_bastion):
            way = parse_destination(route.destination, proxy_url=proxy_url)
    except DestinationError:
        return route.destination, route.proxy_url
    return str(way.authority), str(way.proxy)
