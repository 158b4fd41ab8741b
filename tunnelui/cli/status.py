"""``tunnelui status``: what is up, where it listens, who is signed in."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import anyio

from tunnelui.cli.agent_link import running_agent
from tunnelui.cli.context import saved_routes
from tunnelui.cli.following import while_read
from tunnelui.cli.options import add_json_flag
from tunnelui.cli.output import Exit, print_line, print_note
from tunnelui.cli.selection import select
from tunnelui.cli.states import print_programs, print_states
from tunnelui.cli.stopping import Interrupted, until_signal
from tunnelui.cli.telling import tell_other_ways
from tunnelui.cli.times import remaining
from tunnelui.engine.model import EngineSnapshot, IdentityStatus, State, TunnelSnapshot
from tunnelui.engine.programs import running_programs
from tunnelui.errors import ConfigError, LocalError

if TYPE_CHECKING:
    import argparse

    from tunnelui.cli.options import Parser

__all__ = ["add_arguments", "run"]

_EVERY = 1.0
_CLEAR = "\x1b[H\x1b[2J"


def add_arguments(parser: Parser) -> None:
    parser.add_argument("which", nargs="*", metavar="ROUTE|#TAG", help="which routes; by default all")
    parser.add_switch("--watch", help="print it again whenever it has changed, until Ctrl-C")
    add_json_flag(parser)


def run(arguments: argparse.Namespace) -> int:
    return anyio.run(_status, arguments)


async def _status(arguments: argparse.Namespace) -> int:
    """Exit code 1 says that a watched agent has gone."""
    try:
        async with running_agent(tell=True) as engine:
            _tell_broken_file()
            if not arguments.watch:
                _print(engine.snapshot(), arguments)
                return Exit.DONE

            async def watch() -> None:
                told: tuple[object, ...] = ()
                while True:
                    snapshot = engine.snapshot()
                    now = snapshot.version, *running_programs()
                    if now != told:
                        told = now
                        if sys.stdout and sys.stdout.isatty() and not arguments.json:
                            print_line(f"{_CLEAR}{time.strftime('%H:%M:%S')}  Ctrl-C ends this, not the tunnels.")
                        _print(snapshot, arguments)
                    await anyio.sleep(_EVERY)

            try:
                await until_signal(lambda: while_read(watch))
            except Interrupted:
                return Exit.DONE
    except LocalError as error:
        if error.code != "no_agent":
            raise
    routes = saved_routes().load()
    tunnels = tuple(TunnelSnapshot(route, State.OFF) for route in routes)
    _print(EngineSnapshot(tunnels=tunnels), arguments)
    if not arguments.json:
        print_note("No agent runs, so no route is up. tunnelui up ROUTE starts one.")
    return Exit.DONE


def _tell_broken_file() -> None:
    """The agent goes on with the routes that it knew."""
    try:
        saved_routes().load()
    except ConfigError as error:
        print_note(f"The routes are those of before: {error}")


def _print(snapshot: EngineSnapshot, arguments: argparse.Namespace) -> None:
    routes = [tunnel.route for tunnel in snapshot.tunnels]
    names = {route.name for route in select(routes, arguments.which, everything=not arguments.which)}
    tunnels = [tunnel for tunnel in snapshot.tunnels if tunnel.route.name in names]
    if tunnels or arguments.json:
        print_states(tunnels, as_json=arguments.json, identities=snapshot.identities)
    else:
        print_note("No routes yet. Add one: tunnelui routes add NAME HOST:PORT")
    if not arguments.which:
        print_programs(running_programs(), as_json=arguments.json)
    if arguments.json:
        return
    for identity in snapshot.identities:
        if identity.status is IdentityStatus.SIGNED_IN:
            until = f", for {remaining(identity.expires_at - time.time())}" if identity.expires_at else ""
            print_note(f"Signed in at {identity.proxy} as {identity.name or 'somebody'}{until} ({identity.store}).")
        if identity.sign_in is not None and identity.sign_in.url:
            print_note(f"Sign-in needed at {identity.proxy}. Open this address:\n\n  {identity.sign_in.url}\n")
            tell_other_ways("Run")
    for note in snapshot.notes:
        print_note(note)
