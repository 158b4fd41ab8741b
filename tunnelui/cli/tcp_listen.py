"""``tunnelui tcp`` with local addresses: as many tunnels as were asked for, until a signal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio

from tunnelui.auth.stores import open_store
from tunnelui.cli.context import check_tls_of, service_account_from
from tunnelui.cli.output import Exit, print_note
from tunnelui.cli.stopping import GRACE, received_signals
from tunnelui.cli.telling import announce, is_told, tell_all
from tunnelui.engine.identities import Contexts
from tunnelui.engine.local import LocalEngine
from tunnelui.engine.model import Event, State
from tunnelui.engine.programs import ProgramTunnel, announced
from tunnelui.errors import LocalError

if TYPE_CHECKING:
    import argparse
    import signal
    from collections.abc import AsyncIterator

    from tunnelui.config.route import Route
    from tunnelui.config.settings import Settings

__all__ = ["listen"]

_LAST_WORDS: Final = 1.0
"""Seconds at the end for a reader of our output that does not read."""


def listen(arguments: argparse.Namespace, settings: Settings, routes: list[Route]) -> int:
    return anyio.run(_listen, arguments, settings, routes)


async def _listen(arguments: argparse.Namespace, settings: Settings, routes: list[Route]) -> int:
    contexts = Contexts()
    await check_tls_of(contexts, arguments, settings, routes)
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
    with received_signals() as signals:
        async with engine, anyio.create_task_group() as tasks:
            told = anyio.Event()
            # A tunnel that opens has four events, and nobody has to wake up for them.
            news = engine.events(None if arguments.json else is_told)
            tasks.start_soon(_tell, news, arguments.json, told)
            failures = _failures(engine, engine.events(_may_be_fatal))
            for route in routes:
                await engine.start(route.name)
            grace = GRACE if arguments.grace is None else arguments.grace
            with announced("tcp", _tunnels(engine)):
                failure = await _serve(engine, signals, failures, grace)
            await engine.aclose()  # ends the events, so that the last ones are told
            with anyio.move_on_after(_LAST_WORDS):
                await told.wait()
            tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return Exit.DONE


def _tunnels(engine: LocalEngine) -> list[ProgramTunnel]:
    tunnels = engine.snapshot().tunnels
    return [ProgramTunnel(tunnel.route.name, tunnel.local, tunnel.target) for tunnel in tunnels]


async def _tell(events: AsyncIterator[Event], as_json: bool, told: anyio.Event) -> None:
    await tell_all(events, as_json=as_json)
    told.set()


async def _failures(engine: LocalEngine, events: AsyncIterator[Event]) -> AsyncIterator[LocalError]:
    """Yield why a local address does not listen. A screen waits for the port; scripts want to know at once."""
    async for event in events:
        tunnel = engine.snapshot().tunnel(event.route)
        if tunnel is not None and tunnel.problem is not None:
            yield LocalError(tunnel.problem.message, code=tunnel.problem.code, hint=tunnel.problem.hint)


def _may_be_fatal(event: Event) -> bool:
    if event.kind == "state":
        return bool(event.data["state"] == State.PORT_BUSY)
    return event.kind == "failed" and event.connection is None


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
