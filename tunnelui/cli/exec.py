"""``tunnelui exec``: run a program with tunnels that live as long as it does."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread

from tunnelui.auth.stores import open_store
from tunnelui.cli.certificate_prompt import with_passwords
from tunnelui.cli.context import check_tls_of, profile_from, saved_routes, service_account_from, settings_for_saved
from tunnelui.cli.options import add_identity_flags, add_json_flag, add_proxy_flags
from tunnelui.cli.output import fail, json_line, print_note
from tunnelui.cli.placeholders import filled, needs_route
from tunnelui.cli.selection import find_route
from tunnelui.cli.stopping import received_signals
from tunnelui.cli.telling import announce, tell_all
from tunnelui.config.route import Route
from tunnelui.config.services import service_of
from tunnelui.engine.identities import Contexts
from tunnelui.engine.local import LocalEngine
from tunnelui.engine.model import State, to_json
from tunnelui.engine.programs import ProgramTunnel, announced
from tunnelui.errors import ConfigError, LocalError

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator, Mapping, Sequence

    from tunnelui.cli.options import Parser
    from tunnelui.config.settings import Settings
    from tunnelui.engine.model import Event

__all__ = ["add_arguments", "environment_name", "run"]

_NOT_FOUND: Final = 127
_NOT_RUNNABLE: Final = 126
_SIGNALLED: Final = 128
_FROM_TERMINAL: Final = ("SIGINT", "SIGBREAK")  # the program has them from there, too


def add_arguments(parser: Parser) -> None:
    parser.keep_rest()
    parser.usage = "tunnelui exec [flags] ROUTE|DESTINATION… -- COMMAND [ARGUMENT…]"
    parser.add_argument(
        "names",
        nargs="*",
        metavar="ROUTE|DESTINATION",
        help="the tunnels to open; then -- and the program, which finds TUNNELUI_HOST, TUNNELUI_PORT and TUNNELUI_URL "
        "of the first one, and TUNNELUI_HOST_NAME, TUNNELUI_PORT_NAME and TUNNELUI_URL_NAME of each; in its words, "
        "{host}, {port}, {url} and {name} are those of the only route, {NAME.port} and so on those of one of several",
    )
    add_json_flag(parser)
    add_proxy_flags(parser)
    add_identity_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    """Return the exit code of the program; 128 + N when signal N ended it."""
    if not arguments.names or not arguments.rest:
        raise ConfigError(
            "a route stands before “--”, and a command behind it",
            place="exec",
            code="no_command",
            hint="For example: tunnelui exec orders-db -- psql -h {host} -p {port}",
        )
    settings = settings_for_saved(arguments)
    routes = _routes(arguments.names, arguments, settings)
    needs_route(arguments.rest, [route.name for route in routes])
    settings = with_passwords(settings, [route.profile for route in routes])
    if not arguments.json:
        _tell_shared_names(routes)
    return anyio.run(_exec, arguments, settings, routes, arguments.rest)


def _tell_shared_names(routes: Sequence[Route]) -> None:
    """Say which of several routes has no variables of its own: its name gives the same as another's, or none."""
    taken: dict[str, str] = {}
    for route in routes if len(routes) > 1 else ():
        name = environment_name(route.name)
        if not name:
            print_note(f"{route.name}: no variables can be named after it; routes edit --name gives it another name.")
        elif name in taken:
            print_note(f"{route.name}: TUNNELUI_HOST_{name} and so on are those of {taken[name]}.")
        taken.setdefault(name, route.name)


def environment_name(route: str) -> str:
    """Return the part of variable names that stands for *route*: ``orders-db`` is ``ORDERS_DB``."""
    return re.sub(r"[^A-Z0-9]+", "_", route.upper()).strip("_")


async def _exec(
    arguments: argparse.Namespace, settings: Settings, routes: Sequence[Route], command: Sequence[str]
) -> int:
    contexts = Contexts()
    await check_tls_of(contexts, arguments, settings, list(routes))
    store, _ = await open_store(configured=settings.token_store)
    engine = LocalEngine(
        settings=settings,
        store=store,
        routes=routes,
        announce=None if arguments.json else announce,
        service_account=service_account_from(arguments),
        contexts=contexts,
    )
    async with engine, anyio.create_task_group() as tasks:
        tasks.start_soon(_tell, engine.events(), arguments.json)
        variables: dict[str, str] = {}
        opened: list[ProgramTunnel] = []
        facts: dict[str, dict[str, str]] = {}
        for route in routes:
            await engine.start(route.name)
            tunnel = engine.snapshot().tunnel(route.name)
            if tunnel is None or tunnel.state is not State.READY:
                problem = tunnel.problem if tunnel else None
                raise LocalError(problem.message if problem else "no tunnel", hint=problem.hint if problem else "")
            opened.append(ProgramTunnel(route.name, tunnel.local, tunnel.target))
            facts[route.name] = _facts(route, tunnel.local, tunnel.target)
            variables = {**_variables(route, facts[route.name]), **variables}
        words = filled(command, facts)
        try:
            with announced("exec", opened, runs=words[0]):
                code = await _run(words, {**os.environ, **variables})
        except _CommandError as error:
            fail(error)
            code = error.exit_status
        tasks.cancel_scope.cancel()
    return code


def _routes(names: Sequence[str], arguments: argparse.Namespace, settings: Settings) -> list[Route]:
    """Return a route for each of *names*: a saved one, or a destination. Each gets a port of its own for this run."""
    saved = saved_routes().load()
    profile = profile_from(arguments, settings)
    routes: list[Route] = []
    for name in dict.fromkeys(names):
        if ":" in name and not any(route.name == name for route in saved):
            route = Route(name, name, profile=profile.name, proxy_url=arguments.proxy_url or "")
        else:
            route = find_route(saved, name)
        # Its own port may be in use by the agent's tunnel, which is left alone.
        routes.append(replace(route, listen="", autostart=False))
    return routes


def _facts(route: Route, local: str, target: str) -> dict[str, str]:
    host, _, port = local.rpartition(":")
    url = f"{service_of(target).scheme}://{local}"
    return {"host": host.strip("[]"), "port": port, "url": url, "name": route.name}


def _variables(route: Route, facts: Mapping[str, str]) -> dict[str, str]:
    values = {key.upper(): facts[key] for key in ("host", "port", "url")}
    own = environment_name(route.name)
    named = {f"TUNNELUI_{key}_{own}": value for key, value in values.items()} if own else {}
    return {**{f"TUNNELUI_{key}": value for key, value in values.items()}, **named}


async def _tell(events: AsyncIterator[Event], as_json: bool) -> None:
    """Tell what happens on standard error: the other one is the program's."""
    if as_json:
        async for event in events:
            print_note(json_line(to_json(event)))
        return

    async def troubles() -> AsyncIterator[Event]:
        async for event in events:
            if event.kind != "listening":  # the program finds the address in its environment
                yield event

    await tell_all(troubles(), as_json=False)


async def _run(command: Sequence[str], environment: dict[str, str]) -> int:
    """Run *command* on our own terminal. Ctrl-C is the program's to handle; other signals are passed on."""
    try:
        process = subprocess.Popen(command, env=environment)  # noqa: ASYNC220  (what the user asked for)
    except FileNotFoundError:
        raise _CommandError(f"there is no program “{command[0]}”", _NOT_FOUND) from None
    except OSError as error:
        raise _CommandError(f"{command[0]} can't be run: {error.strerror}", _NOT_RUNNABLE) from None
    with received_signals() as signals:
        async with anyio.create_task_group() as tasks:

            async def pass_on() -> None:
                async for number in signals:
                    if number.name not in _FROM_TERMINAL:
                        process.send_signal(number)

            tasks.start_soon(pass_on)
            code = await anyio.to_thread.run_sync(process.wait, abandon_on_cancel=True)
            tasks.cancel_scope.cancel()
    return code if code >= 0 else _SIGNALLED - code


class _CommandError(LocalError):
    """The program could not be started; *status* is what a shell would return."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message, code="command", hint="Check its name and PATH.")
        self.exit_status = status
