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
from tunnelui.config.route import DEFAULT_PROFILE
from tunnelui.engine.model import IdentityStatus, State

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from tunnelui.cli.options import Parser
    from tunnelui.engine.model import IdentitySnapshot, TunnelSnapshot

__all__ = ["add_arguments", "run"]


def add_arguments(parser: Parser) -> None:
    add_selection(parser, "start")
    parser.add_switch("--any-port", help="listen on any free port until it is stopped, whatever address the route has")
    add_json_flag(parser)


def run(arguments: argparse.Namespace) -> int:
    if not arguments.which and not arguments.all:
        select((), ())  # says so, before an agent is started for nothing
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
        snapshot = engine.snapshot()
        tunnels = [tunnel for tunnel in snapshot.tunnels if tunnel.route.name in names]
    print_states(tunnels, as_json=arguments.json, identities=snapshot.identities)
    if not arguments.json:
        _tell_missing_sign_ins(snapshot.identities, tunnels)
    for tunnel in tunnels:
        if tunnel.state is State.PORT_BUSY and not arguments.json:
            print_note(f"  For now, on another port: tunnelui up {shlex.quote(tunnel.route.name)} --any-port")
    return exit_of(tunnels)


def _tell_missing_sign_ins(identities: Sequence[IdentitySnapshot], tunnels: Sequence[TunnelSnapshot]) -> None:
    """Say where the first connection will have to wait for a person: a program that waits says nothing of it."""
    needed = {(tunnel.route.profile, tunnel.proxy) for tunnel in tunnels if tunnel.state is State.READY}
    for identity in identities:
        who = (identity.profile, identity.proxy)
        if who in needed and identity.status in (IdentityStatus.SIGNED_OUT, IdentityStatus.EXPIRED):
            login = ["tunnelui", "login", identity.proxy]
            login += ["--profile", identity.profile] if identity.profile != DEFAULT_PROFILE else []
            print_note(
                f"Nobody is signed in at {identity.proxy}: the first connection may wait for that. To sign in now:"
            )
            print_note(f"  {shlex.join(login)}")
