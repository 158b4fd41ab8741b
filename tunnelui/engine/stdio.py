"""One tunnel over standard input and output, for ``tunnelui tcp --listen -``: no listener, no engine, no states."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING, Any, Final

from tunnelui.engine.backoff import CONNECT_RETRIES, RetryRule
from tunnelui.engine.connection import Connection
from tunnelui.engine.connector import Connector
from tunnelui.engine.identities import Contexts, Identities, service_account_of
from tunnelui.engine.model import ConnectionState, Event
from tunnelui.engine.reach import DEADLINES, Deadlines
from tunnelui.engine.report import connection_facts, ended_message, opened_message, woke
from tunnelui.engine.vigil import Vigil
from tunnelui.errors import LocalError, TunnelError
from tunnelui.transport.dial import system_resolver
from tunnelui.transport.stdio import StdioEndpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from tunnelui.auth.service_account import ServiceAccount
    from tunnelui.auth.token_store import TokenStore
    from tunnelui.config.profile import Profile
    from tunnelui.engine.connection import Opener
    from tunnelui.engine.model import ConnectionSnapshot
    from tunnelui.errors import PeerError
    from tunnelui.transport.dial import Resolver
    from tunnelui.transport.endpoint import Endpoint
    from tunnelui.wire.destination import Destination

__all__ = ["carry", "run_stdio"]

_PEER: Final = "standard input and output"


async def run_stdio(
    destination: Destination,
    *,
    profile: Profile,
    store: TokenStore,
    endpoint: Endpoint | None = None,
    interactive: bool = True,
    announce: Callable[[str, bool], None] | None = None,
    service_account: Callable[[Profile], ServiceAccount | None] = service_account_of,
    contexts: Contexts | None = None,
    publish: Callable[[Event], None] = lambda event: None,
    linger: float = 30.0,
    deadlines: Deadlines = DEADLINES,
    retries: RetryRule = CONNECT_RETRIES,
    resolve: Resolver = system_resolver,
) -> ConnectionSnapshot:
    """Open one tunnel, relay until both sides have ended, and return what there is to say of it.

    :param endpoint: instead of this process's standard input and output.
    :param announce: gets the address of a sign-in, and whether a browser is started.
    :param contexts: TLS settings that were made already.
    :param publish: gets the events that an engine would have published.
    :raises TunnelError: there was no tunnel, or it broke. Cancelling cuts it.
    """
    near = endpoint or StdioEndpoint()
    contexts = contexts or Contexts()
    async with asyncio.TaskGroup() as group:
        background = _Background(group)
        identities = Identities(
            store,
            contexts,
            background,
            publish=publish,
            changed=lambda: None,
            signed_in=lambda key: None,
            service_account=service_account,
            interactive=interactive,
            announce=announce,
        )
        connector = Connector(
            destination,
            identities.get(profile, destination.proxy),
            lambda: contexts.get(profile),
            deadlines=deadlines,
            retries=retries,
            resolve=resolve,
        )
        vigil = Vigil(lambda lost: publish(woke(lost)))
        background.start_soon(vigil.run)
        connection = await _serve(connector, near, publish, vigil, linger, os.getpid())
        # A sign-in that nobody waits for any more ends here; a token that has come is saved first, and the browser that
        # brought it gets its page.
        await identities.get(profile, destination.proxy).settle()
        background.cancel()
    return _outcome(connection)


async def carry(
    connector: Opener,
    near: Endpoint,
    *,
    publish: Callable[[Event], None],
    vigil: Vigil,
    linger: float = 30.0,
    number: int = 0,
    peer: str = _PEER,
) -> ConnectionSnapshot:
    """`run_stdio` with a connector that is there already. *near* is closed in the end.

    :param vigil: looks after the connection while it is open.
    :param number: names the connection in events, and *peer* the local side.
    :raises TunnelError: there was no tunnel, or it broke. Cancelling cuts it.
    """
    return _outcome(await _serve(connector, near, publish, vigil, linger, number, peer))


async def _serve(
    connector: Opener,
    near: Endpoint,
    publish: Callable[[Event], None],
    vigil: Vigil,
    linger: float,
    number: int,
    peer: str = _PEER,
) -> Connection:
    connection = Connection(number, near, peer, _Owner(publish), vigil)
    await connection.serve(connector, linger=linger)
    return connection


def _outcome(connection: Connection) -> ConnectionSnapshot:
    error = connection.error or (connection.result.error if connection.result else None)
    if error is not None:
        raise error
    if connection.result is None:
        raise LocalError("the tunnel was cut before it was open", code="cut")
    if connection.lost:
        raise LocalError(connection.cause, code="lost", hint="Connect again.")
    return connection.snapshot()


class _Background:
    """What signs in and saves the token beside the tunnel. Without anyio, which this run may not need at all."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._tasks: set[asyncio.Task[Any]] = set()

    def start_soon(self, function: Callable[..., Coroutine[Any, Any, Any]], /, *arguments: Any) -> None:
        task = self._group.create_task(function(*arguments))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def cancel(self) -> None:
        for task in self._tasks:
            task.cancel()


class _Owner:
    """Turns what happens to the one connection into events."""

    def __init__(self, publish: Callable[[Event], None]) -> None:
        self._publish = publish

    def moved(self, connection: Connection, before: ConnectionState) -> None:
        if connection.state is ConnectionState.OPEN:
            self._tell("open", opened_message(connection), connection_facts(connection))
        elif connection.state is ConnectionState.CLOSED and connection.result is not None:
            level = "info" if connection.result.error is None and not connection.lost else "warning"
            self._tell("closed", ended_message(connection), connection_facts(connection), level)

    def retrying(self, connection: Connection, error: PeerError, delay: float) -> None:
        facts = connection_facts(connection, error) | {"delay": round(delay, 3)}
        self._tell("retry", f"{error}; next try in {delay:.1f} s", facts, "warning")

    def failed(self, connection: Connection, error: TunnelError) -> None:
        self._tell("failed", str(error), connection_facts(connection, error), "error")

    def _tell(self, kind: str, message: str, data: dict[str, Any], level: str = "info") -> None:
        self._publish(Event(kind, time.time(), message, level, data=data))
