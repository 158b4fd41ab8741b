"""One accepted local socket, from the first moment to the last, and what can be said of it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import anyio

from tunnelui.engine.held import LOOK_INTERVAL, has_left
from tunnelui.engine.model import ConnectionSnapshot, ConnectionState, StageTimings
from tunnelui.engine.vigil import way_of
from tunnelui.errors import LocalError, TunnelError
from tunnelui.transport.relay import Relay

if TYPE_CHECKING:
    import socket

    from tunnelui.engine.connector import Observer, Opened
    from tunnelui.engine.vigil import Way
    from tunnelui.errors import PeerError
    from tunnelui.transport.endpoint import Endpoint, SocketEndpoint
    from tunnelui.transport.relay import RelayResult

__all__ = ["Connection", "Opener", "Owner"]


class Owner(Protocol):
    """Who keeps count of connections. The calls follow the change that they report."""

    def moved(self, connection: Connection, before: ConnectionState) -> None:
        """``connection.state`` is another than *before*."""

    def retrying(self, connection: Connection, error: PeerError, delay: float) -> None:
        """A try failed; the next begins in *delay* seconds."""

    def failed(self, connection: Connection, error: TunnelError) -> None:
        """There will be no tunnel for this connection."""


class Opener(Protocol):
    """What opens tunnels: a `tunnelui.engine.connector.Connector`, or what stands in for one."""

    async def open(self, observer: Observer) -> Opened:
        """:raises tunnelui.errors.TunnelError: why there is no tunnel."""


class Connection:
    """Holds the local socket until the proxy has opened a tunnel, then relays.

    While it waits, for a sign-in or between two tries, not a byte is read. A local program that leaves meanwhile ends
    the waiting of this connection and of no other.
    """

    def __init__(self, id: int, near: Endpoint, peer: str, owner: Owner) -> None:
        self.id = id
        self.peer = peer
        self.state = ConnectionState.CONNECTING
        self.timings = StageTimings()
        self.tls = ""
        self.request_id: str | None = None
        self.cause = ""
        self.result: RelayResult | None = None
        self.error: TunnelError | None = None
        self.opened_at = time.time()
        self.closed_at: float | None = None
        self.done = anyio.Event()
        self._near = near
        self._owner = owner
        self._relay: Relay | None = None
        self._far: SocketEndpoint | None = None
        self.way: Way | None = None
        self._answered_at = 0.0
        self._scope: anyio.CancelScope | None = None
        self._waiting: anyio.CancelScope | None = None
        self._look: asyncio.TimerHandle | None = None

    async def serve(self, connector: Opener, *, linger: float, idle_timeout: float | None = None) -> None:
        """Run to the end. Raises nothing but cancellation: what went wrong is in `error` or `result`.

        :param linger: and *idle_timeout*: see `tunnelui.transport.relay.Relay`.
        """
        try:
            with anyio.CancelScope() as self._scope:
                if self.cause:  # cut before it began
                    self._scope.cancel()
                await self._serve(connector, linger, idle_timeout)
        except TunnelError as error:
            self.error = error
            self.cause = str(error)
            self._owner.failed(self, error)
        finally:
            self._far = self.way = None
            self._near.abort()  # nothing is left to abort after a relay; before one, the local program sees a reset
            self.closed_at = time.time()
            self.cause = self.cause or "stopped"
            self._move(ConnectionState.CLOSED)
            self.done.set()

    def cut(self, cause: str) -> None:
        """End it now: both sides see a reset. *cause* is shown."""
        if self.closed_at is None:
            self.cause = self.cause or cause
            if self._scope is not None:
                self._scope.cancel()

    @property
    def far_socket(self) -> socket.socket | None:
        """The socket to the proxy while the connection is open."""
        return self._far.sock if self._far is not None else None

    @property
    def bytes_in(self) -> int:
        return self._relay.bytes_in if self._relay else 0

    @property
    def bytes_out(self) -> int:
        return self._relay.bytes_out if self._relay else 0

    @property
    def stages(self) -> StageTimings:
        """The timings, the wait for the first byte from the far side included."""
        if self._relay is None or self._relay.first_byte_at is None:
            return self.timings
        return replace(self.timings, first_byte=max(0.0, self._relay.first_byte_at - self._answered_at))

    def snapshot(self) -> ConnectionSnapshot:
        state = self.state
        if state is ConnectionState.OPEN and self._relay and (self._relay.near_eof or self._relay.far_eof):
            state = ConnectionState.HALF_CLOSED
        return ConnectionSnapshot(
            id=self.id,
            peer=self.peer,
            state=state,
            opened_at=self.opened_at,
            closed_at=self.closed_at,
            bytes_in=self.bytes_in,
            bytes_out=self.bytes_out,
            timings=self.stages,
            tls=self.tls,
            cause=self.cause,
            request_id=self.request_id,
        )

    def on_try(self) -> None:
        self._stop_looking()
        self._move(ConnectionState.CONNECTING)

    def on_sign_in(self) -> None:
        self._look_later()
        self._move(ConnectionState.SIGN_IN)

    def on_retry(self, error: PeerError, delay: float) -> None:
        self._look_later()
        self._owner.retrying(self, error, delay)

    async def _serve(self, connector: Opener, linger: float, idle_timeout: float | None) -> None:
        opened = await self._open(connector)
        self._answered_at = opened.at
        self._relay = Relay(
            self._near, opened.far, half_close_far=opened.half_close, linger=linger, idle_timeout=idle_timeout
        )
        self._far, self.way = opened.far, way_of(opened.far.sock)
        self._move(ConnectionState.OPEN)
        self.result = await self._relay.run()
        self.cause = self.result.detail or str(self.result.cause)

    async def _open(self, connector: Opener) -> Opened:
        """Open the tunnel, unless the local program leaves first."""
        opened: Opened | None = None
        with anyio.CancelScope() as self._waiting:
            try:
                opened = await connector.open(self)
            finally:
                self._stop_looking()
        if opened is None:
            raise LocalError("the local program left before the tunnel was open", code="left")
        return opened

    # While the connection is held, by a sign-in or between two tries: a timer, since most connections never are.

    def _look_later(self) -> None:
        self._stop_looking()
        self._look = asyncio.get_running_loop().call_later(LOOK_INTERVAL, self._look_at_near)

    def _look_at_near(self) -> None:
        if not has_left(self._near):
            self._look_later()
        elif self._waiting is not None:
            self._waiting.cancel()

    def _stop_looking(self) -> None:
        if self._look is not None:
            self._look.cancel()
            self._look = None

    def _move(self, state: ConnectionState) -> None:
        before, self.state = self.state, state
        if before is not state:
            self._owner.moved(self, before)
