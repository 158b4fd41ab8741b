"""``tunnelui down``: stop tunnels of the agent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from tunnelui.cli.agent_link import running_agent
from tunnelui.cli.context import saved_routes
from tunnelui.cli.cut import tell_cut
from tunnelui.cli.options import add_json_flag
from tunnelui.cli.output import Exit, print_line, print_note
from tunnelui.cli.selection import add_selection, select
from tunnelui.cli.states import print_states
from tunnelui.engine.model import State
from tunnelui.errors import LocalError

if TYPE_CHECKING:
    import argparse

    from tunnelui.cli.options import Parser

__all__ = ["add_arguments", "run"]


def add_arguments(parser: Parser) -> None:
    add_selection(parser, "stop")
    add_json_flag(parser)


def run(arguments: argparse.Namespace) -> int:
    return anyio.run(_down, arguments)


async def _down(arguments: argparse.Namespace) -> int:
    try:
        async with running_agent() as engine:
            routes = [tunnel.route for tunnel in engine.snapshot().tunnels]
            names = {route.name for route in select(routes, arguments.which, everything=arguments.all)}
            doomed = [
                tunnel
                for tunnel in engine.snapshot().tunnels
                if tunnel.route.name in names and tunnel.state is not State.OFF
            ]
            async with anyio.create_task_group() as tasks:
                for tunnel in doomed:
                    tasks.start_soon(engine.stop, tunnel.route.name)
            tunnels = [tunnel for tunnel in engine.snapshot().tunnels if tunnel.route.name in names]
    except LocalError as error:
        if error.code != "no_agent":
            raise
        select(saved_routes().load(), arguments.which, everything=arguments.all)  # a wrong name is told all the same
        print_note("No tunnel is up.")
        return Exit.DONE
    if arguments.json:
        print_states(tunnels, as_json=True)
    elif doomed:
        for tunnel in doomed:
            print_line(f"Stopped {tunnel.route.name}")
        tell_cut(doomed)
    else:
        print_note("They were not up." if tunnels else "There are no routes.")
    return Exit.DONE
