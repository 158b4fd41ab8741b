"""``tunnelui up``: start tunnels that stay up when the command has ended."""

from __future__ import annotations

import shlex
from functools import partial
from typing import TYPE_CHECKING

import anyio

from tunnelui.cli.agent_link import agent
from tunnelui.cli.options import add_json_flag
from tunnelui.cli.output import Exit, print_note
from tunnelui.cli.selection import add_selection, select
from tunnelui.cli.states import exit_of, print_states
from tunnelui.engine.model import State

if TYPE_CHECKING:
    import argparse

    from tunnelui.cli.options import Parser

__all__ = ["add_arguments", "run"]


def add_arguments(parser: Parser) -> None:
    add_selection(parser, "start")
    parser.add_switch("--any-port", help="listen on any free port until it is stopped, whatever address the route has")
    add_json_flag(parser)


def run(arguments: argparse.Namespace) -> int:
    return anyio.run(_up, arguments)


async def _up(arguments: argparse.Namespace) -> int:
    async with agent() as engine:
        await engine.call("reload")
        routes = [tunnel.route for tunnel in engine.snapshot().tunnels]
        names = [route.name for route in select(routes, arguments.which, everything=arguments.all)]
        if not names:
            print_note("No routes yet. Add one: tunnelui routes add NAME HOST:PORT")
            return Exit.DONE
        async with anyio.create_task_group() as tasks:
            for name in names:
                tasks.start_soon(partial(engine.start, name, any_port=arguments.any_port))
        tunnels = [tunnel for tunnel in engine.snapshot().tunnels if tunnel.route.name in names]
    print_states(tunnels, as_json=arguments.json)
    for tunnel in tunnels:
        if tunnel.state is State.PORT_BUSY and not arguments.json:
            print_note(f"  For now, on another port: tunnelui up {shlex.quote(tunnel.route.name)} --any-port")
    return exit_of(tunnels)
