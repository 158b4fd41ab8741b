"""Live tunnels, and the watch over the sessions that carry them.

A tunnel is entered under its session before the session is looked up: a session that is revoked at any later moment
finds it. Revoked or expired, the tunnel is cut within two seconds, and says why.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

import anyio

from tunnelui_server.sessions import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tunnelui.transport.relay import Relay
    from tunnelui.transport.scope import Scope
    from tunnelui_server.sessions import SessionStore

__all__ = ["LiveTunnel", "LiveTunnels"]

_LOG: Final = logging.getLogger(__name__)
_EXPIRY_INTERVAL: Final = 0.5
_STORE_RETRY: Final = 1.0


class LiveTunnel:
    """One CONNECT from its token to its end.

    `cut` may come at any moment; ``cause`` then says why. ``opened``: the client is about to be told 200, or was.
    ``scope`` is that of the work until then, ``relay`` what carries it from then on.
    """

    __slots__ = ("cause", "expires_at", "opened", "relay", "scope", "session_id")

    def __init__(self, session_id: str | None) -> None:
        self.session_id = session_id
        self.expires_at: float | None = None
        self.opened = False
        self.cause: str | None = None
        self.scope: Scope | None = None
        self.relay: Relay | None = None

    def cut(self, cause: str) -> None:
        if self.cause is not None:
            return
        self.cause = cause
        if self.relay is not None:
            self.relay.abort()
        elif self.scope is not None:
            self.scope.cancel()


class LiveTunnels:
    """All that are open or about to be.

    :param store_grace: seconds without a working store after which every tunnel of a session is cut: what can't be
        checked any more is not trusted for ever.
    """

    def __init__(
        self, store: SessionStore, *, clock: Callable[[], float] = time.time, store_grace: float = 60.0
    ) -> None:
        self._store = store
        self._clock = clock
        self._store_grace = store_grace
        self._by_session: dict[str | None, set[LiveTunnel]] = {}
        self._empty = anyio.Event()

    def __len__(self) -> int:
        return sum(len(tunnels) for tunnels in self._by_session.values())

    def add(self, session_id: str | None) -> LiveTunnel:
        """Enter a tunnel, until `remove`.

        :param session_id: None for a public route.
        """
        tunnel = LiveTunnel(session_id)
        self._by_session.setdefault(session_id, set()).add(tunnel)
        return tunnel

    def opened(self) -> list[LiveTunnel]:
        """Return those whose clients were told 200."""
        return [tunnel for tunnels in self._by_session.values() for tunnel in tunnels if tunnel.opened]

    def remove(self, tunnel: LiveTunnel) -> None:
        """It has ended."""
        peers = self._by_session[tunnel.session_id]
        peers.discard(tunnel)
        if not peers:
            del self._by_session[tunnel.session_id]
        if not self._by_session:
            self._empty.set()

    def cut_all(self, cause: str, *, of_sessions_only: bool = False) -> None:
        for session_id, tunnels in list(self._by_session.items()):
            if session_id is not None or not of_sessions_only:
                for tunnel in list(tunnels):
                    tunnel.cut(cause)

    async def wait_until_empty(self) -> None:
        while self._by_session:
            self._empty = anyio.Event()
            await self._empty.wait()

    async def watch(self) -> None:
        """Cut what is no longer covered by a session, until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watch_store)
            tasks.start_soon(self._watch_clock)

    async def _watch_store(self) -> None:
        failing_since: float | None = None
        while True:
            try:
                async for _ in self._store.watch():
                    await self._check()
                    failing_since = None
            except StoreError as error:
                now = time.monotonic()
                if failing_since is None:
                    failing_since = now
                    _LOG.error("the session store can't be watched: %s", error)
                elif now - failing_since > self._store_grace:
                    self.cut_all("store_unavailable", of_sessions_only=True)
            await anyio.sleep(_STORE_RETRY)

    async def _check(self) -> None:
        for session_id, tunnels in list(self._by_session.items()):
            if session_id is not None and await self._store.get(session_id) is None:
                now = self._clock()
                for tunnel in list(tunnels):
                    expired = tunnel.expires_at is not None and tunnel.expires_at <= now
                    tunnel.cut("session_expired" if expired else "session_revoked")

    async def _watch_clock(self) -> None:
        while True:
            await anyio.sleep(_EXPIRY_INTERVAL)
            now = self._clock()
            for session_id, tunnels in list(self._by_session.items()):
                # Public ones never expire, and there may be thousands.
                for tunnel in list(tunnels) if session_id is not None else ():
                    if tunnel.expires_at is not None and tunnel.expires_at <= now:
                        tunnel.cut("session_expired")
