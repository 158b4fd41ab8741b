"""``tunnelui routes``: the saved routes, without the screen."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final

import anyio

from tunnelui.cli.agent_link import tell_agent
from tunnelui.cli.context import saved_routes
from tunnelui.cli.cut import live_tunnels, tell_cut
from tunnelui.cli.options import add_json_flag
from tunnelui.cli.output import Exit, print_json, print_line, print_note, print_table
from tunnelui.cli.routes_exchange import export_routes, import_routes
from tunnelui.cli.routes_undo import save_undoable, undo
from tunnelui.cli.selection import find_route
from tunnelui.config.paths import config_file
from tunnelui.config.route import DEFAULT_PROFILE, Route
from tunnelui.config.route_rules import check_route
from tunnelui.config.settings import load_settings
from tunnelui.engine.destinations import resolve_destination
from tunnelui.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tunnelui.cli.options import Parser

__all__ = ["add_arguments", "run", "same_command"]

_FIELDS: Final = (
    "listen",
    "proxy_url",
    "profile",
    "note",
    "command",
    "max_connections",
    "idle_timeout",
    "connect_timeout",
)


def add_arguments(parser: Parser) -> None:
    add_json_flag(parser)
    actions = parser.add_actions("list|show|add|edit|clone|remove|discover|undo|export|import")
    parser.set_defaults(action="list")
    for name, text in (("list", "show them; the default"), ("show", "show all of one, and the same as a command")):
        one = actions.add_parser(name, prog=f"tunnelui routes {name}", help=text)
        if name == "show":
            one.add_argument("name", help="the route")
        # Absent, it must not undo what stood before the action.
        one.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print one JSON object a line")
    add = actions.add_parser("add", prog="tunnelui routes add", help="save a route")
    add.add_argument("name")
    add.add_argument("destination", help="HOST:PORT, tcp+https://HOST:PORT or tcp+https://PROXY/HOST:PORT")
    edit = actions.add_parser("edit", prog="tunnelui routes edit", help="change what is given, keep the rest")
    edit.add_argument("name")
    edit.add_argument("--name", dest="new_name", metavar="NAME", help="a new name")
    edit.add_argument("--destination", metavar="DESTINATION", help="where it leads")
    clone = actions.add_parser("clone", prog="tunnelui routes clone", help="save a route that is like another one")
    clone.add_argument("name")
    clone.add_argument("new_name", metavar="new-name")
    clone.add_argument("--destination", metavar="DESTINATION", help="where the new one leads")
    for action in (add, edit, clone):
        action.add_argument("--listen", metavar="ADDRESS", help="local address; empty for any free port")
        action.add_argument("--proxy-url", "--pomerium-url", metavar="URL", help="the proxy; empty for none of its own")
        action.add_argument("--profile", metavar="NAME", help="the profile of config.toml")
        action.add_argument("--tag", action="append", metavar="TAG", help="repeatable; an empty one clears them")
        action.add_argument("--autostart", choices=("yes", "no"), help="start with the agent")
        action.add_argument("--note", metavar="TEXT", help="one line for people")
        action.add_argument("--command", metavar="COMMAND", help="what uses it: psql -h {host} -p {port}")
        action.add_argument("--max-connections", metavar="N", type=int, help="at the same time; 0 for no limit")
        action.add_argument("--idle-timeout", metavar="SECONDS", type=float, help="end silent connections; 0 for never")
        action.add_argument("--connect-timeout", metavar="SECONDS", type=float, help="for each stage of a new tunnel")
    remove = actions.add_parser("remove", prog="tunnelui routes remove", help="forget routes")
    remove.add_argument("names", nargs="+", metavar="name")
    actions.add_parser("discover", prog="tunnelui routes discover", help="take the routes over that a proxy offers")
    actions.add_parser("undo", prog="tunnelui routes undo", help="take back the last change that was made here")
    export = actions.add_parser("export", prog="tunnelui routes export", help="print routes, to be imported elsewhere")
    export.add_argument("which", nargs="*", metavar="ROUTE|#TAG", help="which routes; by default all")
    export.add_argument("--format", choices=("toml", "desktop"), default="toml", help="desktop: for Pomerium Desktop")
    take = actions.add_parser("import", prog="tunnelui routes import", help="save routes of a file")
    take.add_argument("file", help="our TOML or Pomerium Desktop's JSON; - for standard input")
    take.add_argument("--tag", action="append", metavar="TAG", help="give every one this tag; repeatable")
    take.add_argument("--profile", metavar="NAME", help="give every one this profile")
    take.add_argument(
        "--keys-to", metavar="FOLDER", help="write certificates and private keys of an export there; else they are left"
    )
    take.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")


def run(arguments: argparse.Namespace) -> int:
    actions = {
        "list": _list,
        "show": _show,
        "add": _add,
        "edit": _edit,
        "clone": _clone,
        "remove": _remove,
        "export": export_routes,
        "import": import_routes,
        "undo": undo,
    }
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


def _show(arguments: argparse.Namespace) -> None:
    route = find_route(saved_routes().load(), arguments.name)
    if arguments.json:
        print_json(asdict(route))
        return
    destination = resolve_destination(route, load_settings(config_file()).profile(route.profile))
    facts = {
        "name": route.name,
        "destination": route.destination,
        "target": str(destination.authority),
        "proxy": str(destination.proxy),
        "local": route.listen or "auto",
        "profile": route.profile,
        "tags": " ".join(route.tags) or "-",
        "autostart": "yes" if route.autostart else "no",
        "note": route.note or "-",
        "command": route.command or "-",
        "connections": f"at most {route.max_connections}" if route.max_connections else "no limit",
        "idle": f"ended after {route.idle_timeout:g} s" if route.idle_timeout else "kept",
        "source": route.source or "-",
        "the same": same_command(route),
    }
    for name, value in facts.items():
        print_line(f"{name:12} {value}")


def same_command(route: Route) -> str:
    """Return the command line that opens a tunnel as *route* does."""
    words = ["tunnelui", "tcp", route.destination]
    for flag, value in (("--listen", route.listen), ("--proxy-url", route.proxy_url)):
        words += [flag, value] if value else []
    if route.profile != DEFAULT_PROFILE:
        words += ["--profile", route.profile]
    return shlex.join(words)


def _add(arguments: argparse.Namespace) -> None:
    file = saved_routes()
    with file.changing():
        routes = file.load()
        route = _changed(Route(arguments.name, arguments.destination), arguments)
        _check(route, routes)
        save_undoable(file, routes, [*routes, route])
    _say_saved(route)


def _edit(arguments: argparse.Namespace) -> None:
    file = saved_routes()
    with file.changing():
        routes = file.load()
        old = find_route(routes, arguments.name)
        new = _changed(old, arguments)
        if arguments.new_name is not None:
            new = replace(new, name=arguments.new_name)
        if arguments.destination is not None:
            new = replace(new, destination=arguments.destination)
        if new == old:
            print_note(f"{old.name} is like that already. tunnelui routes edit --help lists what can be changed.")
            return
        _check(new, [route for route in routes if route is not old])
        save_undoable(file, routes, [new if route is old else route for route in routes])
    _say_saved(new)


def _clone(arguments: argparse.Namespace) -> None:
    file = saved_routes()
    with file.changing():
        routes = file.load()
        old = find_route(routes, arguments.name)
        # Two routes can't share an address; where it came from is true of the first one only.
        new = _changed(replace(old, name=arguments.new_name, listen="", source=""), arguments)
        if arguments.destination is not None:
            new = replace(new, destination=arguments.destination)
        _check(new, routes)
        place = routes.index(old) + 1
        save_undoable(file, routes, [*routes[:place], new, *routes[place:]])
    _say_saved(new)


def _remove(arguments: argparse.Namespace) -> None:
    file = saved_routes()
    live = anyio.run(live_tunnels, arguments.names)
    with file.changing():
        routes = file.load()
        gone = [find_route(routes, name) for name in dict.fromkeys(arguments.names)]
        save_undoable(file, routes, [route for route in routes if route not in gone])
    if live:
        anyio.run(tell_agent, "reload")  # at once, so that what is told next is true
    for route in gone:
        print_line(f"Removed {route.name}")
    tell_cut(live)


def _changed(route: Route, arguments: argparse.Namespace) -> Route:
    changes: dict[str, Any] = {
        name: getattr(arguments, name) for name in _FIELDS if getattr(arguments, name) is not None
    }
    if arguments.tag is not None:
        changes["tags"] = tuple(tag for tag in arguments.tag if tag)
    if arguments.autostart is not None:
        changes["autostart"] = arguments.autostart == "yes"
    return replace(route, **changes)


def _check(route: Route, others: Sequence[Route]) -> None:
    settings = load_settings(config_file())
    try:
        check_route(route, profiles=settings.profile_names, taken={other.name for other in others})
    except ConfigError as error:
        place = f"--{error.place.replace('_', '-')}" if error.place in (*_FIELDS, "tags") else error.place
        raise ConfigError(error.message, place=place.replace("tags", "tag"), code=error.code, hint=error.hint) from None


def _say_saved(route: Route) -> None:
    destination = resolve_destination(route, load_settings(config_file()).profile(route.profile))
    print_line(f"Saved {route.name}: {destination.authority} through {destination.proxy}")
