"""``tunnelui wait``: return once a route really takes connections."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import anyio

from tunnelui.cli.agent_link import agent
from tunnelui.cli.options import add_json_flag, read_seconds
from tunnelui.cli.output import Exit, print_json, print_line, print_note
from tunnelui.cli.selection import find_route
from tunnelui.cli.stopping import until_signal
from tunnelui.errors import AccessDenied, AuthError, ConfigError, LocalError, SignInNeeded, TunnelError

if TYPE_CHECKING:
    import argparse

    from tunnelui.agent.client import AgentClient
    from tunnelui.cli.options import Parser
    from tunnelui.engine.model import StageTimings

__all__ = ["add_arguments", "run"]

_TIMEOUT: Final = 30.0
_PAUSE: Final = 1.0


def add_arguments(parser: Parser) -> None:
    parser.add_argument("route", metavar="ROUTE", help="which route; it is started if it is off")
    parser.add_flag(
        "--timeout", metavar="SECONDS", read=read_seconds, help=f"give up after this long, {_TIMEOUT:g} by default"
    )
    add_json_flag(parser)


def run(arguments: argparse.Namespace) -> int:
    return anyio.run(until_signal, lambda: _wait(arguments))


async def _wait(arguments: argparse.Namespace) -> int:
    """
    :raises TunnelError: the last reason why there was no tunnel within the time, or one that waiting does not mend.
    """
    timeout = _TIMEOUT if arguments.timeout is None else arguments.timeout
    async with agent() as engine:
        await engine.call("reload")
        find_route([tunnel.route for tunnel in engine.snapshot().tunnels], arguments.route)
        await engine.start(arguments.route)
        began = time.monotonic()
        timings = await _until_open(engine, arguments.route, timeout)
        tunnel = engine.snapshot().tunnel(arguments.route)
        local = tunnel.local if tunnel else ""
        if tunnel is not None and tunnel.problem is not None and not tunnel.local:
            raise LocalError(tunnel.problem.message, code=tunnel.problem.code, hint=tunnel.problem.hint)
    seconds = time.monotonic() - began
    if arguments.json:
        print_json({"name": arguments.route, "local": local, "seconds": round(seconds, 3), "timings": _facts(timings)})
    else:
        print_line(local)
        print_note(f"{arguments.route} took a connection after {seconds:.1f} s.")
    return Exit.DONE


async def _until_open(engine: AgentClient, name: str, timeout: float) -> StageTimings:
    last: TunnelError | None = None
    shown = ""
    with anyio.move_on_after(timeout):
        async with anyio.create_task_group() as tasks:

            async def show_sign_in() -> None:
                nonlocal shown
                while True:
                    for identity in engine.snapshot().identities:
                        url = identity.sign_in.url if identity.sign_in else ""
                        if url and url != shown:
                            shown = url
                            print_note(f"Sign in to go on:\n\n  {url}\n")
                    await anyio.sleep(0.3)

            tasks.start_soon(show_sign_in)
            while True:
                try:
                    timings = await engine.probe(name)
                except (AccessDenied, ConfigError):
                    raise
                except TunnelError as error:
                    if isinstance(error, AuthError) and error.code != "sign_in_needed":
                        raise
                    last = error
                    await anyio.sleep(_PAUSE)
                else:
                    tasks.cancel_scope.cancel()
                    return timings
    if last is not None:
        raise last
    late, hint = f"{name} is not ready after {timeout:g} s", "Give a longer --timeout."
    if shown:
        raise SignInNeeded(
            f"{late}: the sign-in was not finished",
            hint="Sign in by that address, or with: tunnelui login (--device without a browser). Then wait again.",
        )
    raise LocalError(f"{late}: there was no answer", code="timeout", hint=hint)


def _facts(timings: StageTimings) -> dict[str, float | None]:
    from dataclasses import asdict

    return asdict(timings)
