"""``tunnelui routes import`` and ``export``."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from tunnelui.cli.context import saved_routes
from tunnelui.cli.output import print_line, print_note
from tunnelui.cli.routes_keys import write_keys
from tunnelui.cli.routes_undo import save_undoable
from tunnelui.cli.selection import select
from tunnelui.config.desktop_json import write_desktop_json
from tunnelui.config.exchange import MAX_SIZE, decode_routes, merge, read_routes, read_text
from tunnelui.config.paths import config_file
from tunnelui.config.route_rules import check_route
from tunnelui.config.routes import render_routes
from tunnelui.config.settings import load_settings
from tunnelui.engine.destinations import resolve_destination
from tunnelui.errors import ConfigError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from tunnelui.config.route import Route
    from tunnelui.config.settings import Settings
    from tunnelui.wire.destination import Destination

__all__ = ["export_routes", "import_routes"]


def export_routes(arguments: argparse.Namespace) -> None:
    """Print the chosen routes. Nothing secret is in a route."""
    routes = select(saved_routes().load(), arguments.which, everything=not arguments.which)
    if arguments.format == "toml":
        print_line(render_routes(routes).rstrip("\n"))
        return
    settings = load_settings(config_file())

    def way_of(route: Route) -> Destination:
        return resolve_destination(route, settings.profile(route.profile))

    print_line(write_desktop_json(routes, way_of=way_of).rstrip("\n"))


def import_routes(arguments: argparse.Namespace) -> None:
    """Save what a file has and we have not.

    :raises ConfigError: the file can't be read, or one of its routes is wrong. Nothing is saved then.
    """
    if arguments.file == "-":
        place = "standard input"
        text = decode_routes(sys.stdin.buffer.read(MAX_SIZE + 1) if sys.stdin else b"", place)
    else:
        place = arguments.file
        text = read_text(place)
    found = read_routes(text, place, with_tls=bool(arguments.keys_to))
    new, notes = found.routes, found.notes
    file = saved_routes()
    settings = load_settings(config_file())
    profiles = settings.profile_names
    with file.changing():
        present = file.load()
        merged = merge(
            present,
            new,
            tags=arguments.tag or (),
            profile=arguments.profile or "",
            leads=_leads(present, settings),
            proxy_url=settings.profile().proxy_url,
        )
        for route in merged.added:
            check_route(route, profiles=profiles)
        if merged.added and not arguments.dry_run:
            save_undoable(file, present, merged.routes)
    for note in (*notes, *merged.notes):
        print_note(note)
    verb = "Would save" if arguments.dry_run else "Saved"
    for route in merged.added:
        print_line(f"{verb} {route.name}: {route.destination}")
    for route in merged.known:
        print_note(f"{route.name}: {route.destination} is saved already")
    if not new:
        print_note(f"{place} has no routes.")
    if arguments.keys_to and not arguments.dry_run:
        write_keys(arguments.keys_to, found.tls, new, merged.routes, profiles)


def _leads(routes: Sequence[Route], settings: Settings) -> dict[tuple[str, str], Route]:
    """Return *routes* by where they lead, for `merge`."""
    found: dict[tuple[str, str], Route] = {}
    for route in routes:
        with contextlib.suppress(ConfigError):  # its profile has gone
            way = resolve_destination(route, settings.profile(route.profile))
            found.setdefault((str(way.authority), str(way.proxy)), route)
    return found
