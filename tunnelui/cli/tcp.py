"""``tunnelui tcp``: tunnels without a screen; with ``--listen -``, one tunnel over standard input and output."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import anyio

from tunnelui.auth.stores import open_store
from tunnelui.cli.context import check_tls_files, profile_from, service_account_from, settings_from
from tunnelui.cli.options import add_identity_flags, add_json_flag, add_proxy_flags, read_listen, read_seconds
from tunnelui.cli.output import Exit, exit_for, print_note
from tunnelui.cli.stopping import SIGNALS, Interrupted, until_signal
from tunnelui.cli.telling import announce, tell_all, tell_stdio
from tunnelui.config.route import Route
from tunnelui.engine.destinations import resolve_destination
from tunnelui.engine.identities import Contexts
from tunnelui.engine.local import LocalEngine
from tunnelui.engine.model import Event, State
from tunnelui.engine.report import error_facts
from tunnelui.engine.stdio import run_stdio
from tunnelui.errors import ConfigError, LocalError, TunnelError

if TYPE_CHECKING:
    import argparse
    import signal
    from collections.abc import AsyncIterator

    from tunnelui.cli.options import Parser
    from tunnelui.config.settings import Settings

__all__ = ["add_arguments", "run"]

_GRACE: Final = 2.0
_LAST_WORDS: Final = 1.0
"""Seconds at the end for a reader of our output that does not read."""


def add_arguments(parser: Parser) -> None:
    parser.add_argument(
        "destinations",
        nargs="+",
        metavar="DESTINATION",
        help="HOST:PORT, tcp+https://HOST:PORT or tcp+https://PROXY/HOST:PORT",
    )
    parser.add_flag(
        "--listen",
        metavar="ADDRESS",
        read=read_listen,
        repeatable=True,
        help="local address, one for each destination in their order: HOST:PORT, :PORT, PORT, unix:/path, "
        "or - for standard input and output; by default any free loopback port",
    )
    parser.add_flag(
        "--grace",
        metavar="SECONDS",
        read=read_seconds,
        help=f"how long open connections may go on after a signal, {_GRACE:g} by default; a second signal cuts at once",
    )
    add_json_flag(parser)
    add_proxy_flags(parser)
    add_identity_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    settings = settings_from(arguments)
    routes = _routes(arguments, settings)
    if "-" in arguments.listen:
        if len(routes) > 1:
            raise ConfigError(
                "standard input and output can serve one destination only",
                place="--listen -",
                hint="Name one destination, or a local address for each.",
            )
        return anyio.run(_stdio, arguments, settings, routes[0])
    return anyio.run(_listen, arguments, settings, routes)


def _routes(arguments: argparse.Namespace, settings: Settings) -> list[Route]:
    """Return a route for each destination.

    :raises ConfigError: a destination is wrong, or there are more addresses than destinations.
    """
    profile = profile_from(arguments, settings)
    missing = len(arguments.destinations) - len(arguments.listen)
    if missing < 0:
        raise ConfigError(
            f"{len(arguments.listen)} addresses for {len(arguments.destinations)} "
            f"destination{'s' if len(arguments.destinations) > 1 else ''}",
            place="--listen" if "listen" in arguments.given else "TUNNELUI_LISTEN",
            hint="Give at most one for each destination, in their order.",
        )
    routes: list[Route] = []
    for destination, listen in zip(arguments.destinations, [*arguments.listen, *[""] * missing], strict=True):
        name, number = destination, 1
        while any(name == route.name for route in routes):
            number += 1
            name = f"{destination} #{number}"
        route = Route(name, destination, listen, profile=profile.name, proxy_url=arguments.proxy_url or "")
        resolve_destination(route, profile)
        routes.append(route)
    return routes


# Listening.


async def _listen(arguments: argparse.Namespace, settings: Settings, routes: list[Route]) -> int:
    contexts = Contexts()
    await _check_tls_files(contexts, arguments, settings, routes)
    store, _ = await open_store(configured=settings.token_store)
    engine = LocalEngine(
        settings=settings,
        store=store,
        routes=routes,
        announce=None if arguments.json else announce,
        service_account=service_account_from(arguments),
        contexts=contexts,
    )
    # The signals first: whoever has read an address may send one at once.
    with anyio.open_signal_receiver(*SIGNALS) as signals:
        async with engine, anyio.create_task_group() as tasks:
            told = anyio.Event()
            tasks.start_soon(_tell, engine.events(), arguments.json, told)
            failures = _failures(engine, engine.events())
            for route in routes:
                await engine.start(route.name)
            failure = await _serve(engine, signals, failures, _GRACE if arguments.grace is None else arguments.grace)
            await engine.aclose()  # ends the events, so that the last ones are told
            with anyio.move_on_after(_LAST_WORDS):
                await told.wait()
            tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return Exit.DONE


async def _tell(events: AsyncIterator[Event], as_json: bool, told: anyio.Event) -> None:
    await tell_all(events, as_json=as_json)
    told.set()


async def _failures(engine: LocalEngine, events: AsyncIterator[Event]) -> AsyncIterator[LocalError]:
    """Yield why a local address does not listen. A screen waits for the port; scripts want to know at once."""
    async for event in events:
        fatal = event.kind == "failed" and event.connection is None
        if fatal or (event.kind == "state" and event.data["state"] == State.PORT_BUSY):
            tunnel = engine.snapshot().tunnel(event.route)
            if tunnel is not None and tunnel.problem is not None:
                yield LocalError(tunnel.problem.message, code=tunnel.problem.code, hint=tunnel.problem.hint)


async def _serve(
    engine: LocalEngine, signals: AsyncIterator[signal.Signals], failures: AsyncIterator[LocalError], grace: float
) -> LocalError | None:
    """Wait for a signal, then let open connections end within *grace* seconds; a second signal cuts them.

    :returns: the first of *failures*, if that came before.
    """
    failure: LocalError | None = None
    async with anyio.create_task_group() as tasks:
        watching = anyio.CancelScope()

        async def watch() -> None:
            nonlocal failure
            with watching:
                failure = await anext(failures)
                tasks.cancel_scope.cancel()

        async def drain() -> None:
            await engine.drain(grace)
            tasks.cancel_scope.cancel()

        tasks.start_soon(watch)
        await anext(signals)
        watching.cancel()  # an address that is closed now is no failure
        if grace and any(tunnel.live for tunnel in engine.snapshot().tunnels):
            print_note(f"Open connections have {grace:g} s to end; a second signal cuts them at once.")
        tasks.start_soon(drain)
        await anext(signals)
        tasks.cancel_scope.cancel()
    return failure


# Standard input and output.


async def _stdio(arguments: argparse.Namespace, settings: Settings, route: Route) -> int:
    told: set[str] = set()

    def tell(event: Event) -> None:
        told.add(event.kind)
        tell_stdio(event, as_json=arguments.json)

    async def work() -> int:
        contexts = Contexts()
        await _check_tls_files(contexts, arguments, settings, [route])
        store, _ = await open_store(configured=settings.token_store)
        profile = settings.profile(route.profile)
        await run_stdio(
            resolve_destination(route, profile),
            profile=profile,
            store=store,
            announce=None if arguments.json else announce,
            service_account=service_account_from(arguments),
            publish=tell,
            contexts=contexts,
        )
        return Exit.DONE

    try:
        # A tunnel that a signal cut has not done what it was asked for: exit code 1.
        return await until_signal(work)
    except TunnelError as error:
        if not arguments.json:
            raise
        # Every line of standard error is JSON then, the last one too.
        if isinstance(error, Interrupted):
            tell(Event("stopped", time.time(), str(error), "warning"))
        elif not told & {"failed", "closed"}:
            tell(Event("failed", time.time(), str(error), "error", data=error_facts(error)))
        return exit_for(error)


async def _check_tls_files(
    contexts: Contexts, arguments: argparse.Namespace, settings: Settings, routes: list[Route]
) -> None:
    profile = profile_from(arguments, settings)
    if any(resolve_destination(route, profile).proxy.scheme == "https" for route in routes):
        await check_tls_files(contexts, profile)
