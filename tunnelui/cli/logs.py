"""``tunnelui logs``: what happened to a route."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import anyio

from tunnelui.cli.agent_link import running_agent
from tunnelui.cli.following import while_read
from tunnelui.cli.options import add_json_flag
from tunnelui.cli.output import Exit, json_line, print_line
from tunnelui.cli.selection import find_route
from tunnelui.cli.stopping import Interrupted, until_signal
from tunnelui.engine.history import as_logged
from tunnelui.engine.model import Event, to_json
from tunnelui.text import clean

if TYPE_CHECKING:
    import argparse

    from tunnelui.cli.options import Parser

__all__ = ["add_arguments", "run"]


def add_arguments(parser: Parser) -> None:
    parser.add_argument("route", nargs="?", default="", metavar="ROUTE", help="which route; by default all")
    parser.add_switch("--follow", help="go on until Ctrl-C")
    parser.add_argument("-f", dest="follow", action="store_true", default=None, help="the same as --follow")
    add_json_flag(parser)


def run(arguments: argparse.Namespace) -> int:
    return anyio.run(_logs, arguments)


async def _logs(arguments: argparse.Namespace) -> int:
    async with running_agent() as engine:
        if arguments.route:
            find_route([tunnel.route for tunnel in engine.snapshot().tunnels], arguments.route)
        news = engine.events()  # before the history, so that nothing falls between
        told = await engine.history(arguments.route)
        for event in told:
            _print(event, arguments)

        async def follow() -> None:
            known = set(map(_key, told))
            async for event in news:
                if event.route == arguments.route or not arguments.route:
                    if known and _key(event) in known:
                        continue
                    _print(event, arguments)

        if arguments.follow:
            with contextlib.suppress(Interrupted):
                await until_signal(lambda: while_read(follow))
    return Exit.DONE


def _key(event: Event) -> tuple[object, ...]:
    return event.at, event.kind, event.route, event.connection


def _print(event: Event, arguments: argparse.Namespace) -> None:
    event = as_logged(event)  # what comes while we follow is whole
    if arguments.json:
        print_line(json_line(to_json(event)))
        return
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(event.at))
    number = f" #{event.connection}" if event.connection is not None else ""
    # Some sentences begin with the name of the route, which stands here already.
    words = clean(event.message, 2000).removeprefix(f"{event.route} ") if event.route else clean(event.message, 2000)
    print_line(f"{at} {event.level:7} {event.route or '-'}{number}: {words}")
