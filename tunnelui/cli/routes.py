"""``tunnelui routes``: the saved routes, without the screen."""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from tunnelui.cli.context import saved_routes
from tunnelui.cli.options import add_json_flag
from tunnelui.cli.output import Exit, print_json, print_line, print_note, print_table
from tunnelui.config.paths import config_file
from tunnelui.config.route import Route
from tunnelui.config.route_rules import check_route
from tunnelui.config.settings import load_settings
from tunnelui.engine.destinations import resolve_destination
from tunnelui.errors import ConfigError
from tunnelui.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tunnelui.cli.options import Parser

__all__ = ["add_arguments", "run"]


def add_arguments(parser: Parser) -> None:
    add_json_flag(parser)
    actions = parser.add_actions("list|add|edit|remove")
    parser.set_defaults(action="list")
    show = actions.add_parser("list", prog="tunnelui routes list", help="show them; the default")
    # Absent, it must not undo what stood before “list”.
    show.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print one JSON object a line")
    add = actions.add_parser("add", prog="tunnelui routes add", help="save a route")
    add.add_argument("name")
    add.add_argument("destination", help="HOST:PORT, tcp+https://HOST:PORT or tcp+https://PROXY/HOST:PORT")
    edit = actions.add_parser("edit", prog="tunnelui routes edit", help="change what is given, keep the rest")
    edit.add_argument("name")
    edit.add_argument("--name", dest="new_name", metavar="NAME", help="a new name")
    edit.add_argument("--destination", metavar="DESTINATION")
    for action in (add, edit):
        action.add_argument("--listen", metavar="ADDRESS", help="local address; empty for any free port")
        action.add_argument("--proxy-url", "--pomerium-url", metavar="URL", help="the proxy; empty for none of its own")
        action.add_argument("--profile", metavar="NAME", help="the profile of config.toml")
        action.add_argument("--tag", action="append", metavar="TAG", help="repeatable; an empty one clears them")
        action.add_argument("--autostart", choices=("yes", "no"), help="start with the screen")
    remove = actions.add_parser("remove", prog="tunnelui routes remove", help="forget routes")
    remove.add_argument("names", nargs="+", metavar="name")


def run(arguments: argparse.Namespace) -> int:
    actions = {"list": _list, "add": _add, "edit": _edit, "remove": _remove}
    actions[arguments.action](arguments)
    return Exit.DONE


def _list(arguments: argparse.Namespace) -> None:
    routes = saved_routes().load()
    if arguments.json:
        for route in routes:
            print_json(asdict(route))
    elif not routes:
        print_note("No routes yet. Add one: tunnelui routes add NAME HOST:PORT")
    else:
        rows = [
            [route.name, route.destination, route.listen or "auto", route.profile, " ".join(route.tags)]
            for route in routes
        ]
        print_table(["NAME", "DESTINATION", "LOCAL", "PROFILE", "TAGS"], rows)


def _add(arguments: argparse.Namespace) -> None:
    file = saved_routes()
    routes = file.load()
    route = _changed(Route(arguments.name, arguments.destination), arguments)
    _check(route, routes)
    file.save([*routes, route])
    _say_saved(route)


def _edit(arguments: argparse.Namespace) -> None:
    file = saved_routes()
    routes = file.load()
    old = _find(routes, arguments.name)
    new = _changed(old, arguments)
    if arguments.new_name is not None:
        new = replace(new, name=arguments.new_name)
    if arguments.destination is not None:
        new = replace(new, destination=arguments.destination)
    _check(new, [route for route in routes if route is not old])
    file.save([new if route is old else route for route in routes])
    _say_saved(new)


def _remove(arguments: argparse.Namespace) -> None:
    file = saved_routes()
    routes = file.load()
    gone = [_find(routes, name) for name in dict.fromkeys(arguments.names)]
    file.save([route for route in routes if route not in gone])
    for route in gone:
        print_line(f"Removed {route.name}")


def _changed(route: Route, arguments: argparse.Namespace) -> Route:
    changes: dict[str, Any] = {
        name: getattr(arguments, name)
        for name in ("listen", "proxy_url", "profile")
        if getattr(arguments, name) is not None
    }
    if arguments.tag is not None:
        changes["tags"] = tuple(tag for tag in arguments.tag if tag)
    if arguments.autostart is not None:
        changes["autostart"] = arguments.autostart == "yes"
    return replace(route, **changes)


def _check(route: Route, others: Sequence[Route]) -> None:
    settings = load_settings(config_file())
    check_route(route, profiles=settings.profile_names, taken={other.name for other in others})


def _find(routes: Sequence[Route], name: str) -> Route:
    for route in routes:
        if route.name == name:
            return route
    raise ConfigError(
        f"there is no route “{clean(name)}”", code="no_route", hint="tunnelui routes list shows the saved ones."
    )


def _say_saved(route: Route) -> None:
    destination = resolve_destination(route, load_settings(config_file()).profile(route.profile))
    print_line(f"Saved {route.name}: {destination.authority} through {destination.proxy}")
