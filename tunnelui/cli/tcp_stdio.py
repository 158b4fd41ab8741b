"""``tunnelui tcp --listen -``: one tunnel over standard input and output, as ssh's ProxyCommand wants it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from tunnelui.auth.stores import open_store
from tunnelui.cli.context import make_tls_of, service_account_from
from tunnelui.cli.output import Exit, exit_for
from tunnelui.cli.stopping import Interrupted, until_first_signal
from tunnelui.cli.telling import announce, tell_stdio
from tunnelui.engine.destinations import resolve_destination
from tunnelui.engine.identities import Contexts
from tunnelui.engine.model import Event
from tunnelui.engine.report import error_facts
from tunnelui.engine.stdio import run_stdio
from tunnelui.errors import TunnelError

if TYPE_CHECKING:
    import argparse

    from tunnelui.config.route import Route
    from tunnelui.config.settings import Settings
    from tunnelui.transport.resolver import Resolver

__all__ = ["carry"]


def carry(arguments: argparse.Namespace, settings: Settings, route: Route, resolve: Resolver) -> int:
    told: set[str] = set()

    def tell(event: Event) -> None:
        told.add(event.kind)
        tell_stdio(event, as_json=arguments.json)

    contexts = Contexts()

    async def work() -> int:
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
            resolve=resolve,
        )
        return Exit.DONE

    try:
        make_tls_of(contexts, arguments, settings, route)
        # A tunnel that a signal cut has not done what it was asked for: exit code 1.
        return asyncio.run(until_first_signal(work))
    except TunnelError as error:
        if not arguments.json:
            raise
        # Every line of standard error is JSON then, the last one too.
        if isinstance(error, Interrupted):
            tell(Event("stopped", time.time(), str(error), "warning"))
        elif not told & {"failed", "closed"}:
            tell(Event("failed", time.time(), str(error), "error", data=error_facts(error)))
        return exit_for(error)
