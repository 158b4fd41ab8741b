"""One accepted local socket, from the first moment to the last, and what can be said of it."""

from __future__ import annotations

import asyncio
import functools
import re
import time
from typing import TYPE_CHECKING, Final, Protocol

from tunnelui.engine.held import LOOK_INTERVAL, has_left
from tunnelui.engine.model import ConnectionSnapshot, ConnectionState, StageTimings
from tunnelui.engine.vigil import way_of
from tunnelui.errors import LocalError, TunnelError
from tunnelui.transport.relay import Relay, RelayCause
from tunnelui.transport.scope import Scope

if TYPE_CHECKING:
    import socket

    from tunnelui.engine.connector import Observer, Opened
    from tunnelui.engine.vigil import Vigil, Way
    from tunnelui.errors import PeerError
    from tunnelui.transport.endpoint import Endpoint, SocketEndpoint
    from tunnelui.transport.relay import RelayResult

__all__ = ["Connection", "Opener", "Owner"]

_SIDE: Final = re.compile(r"\b(?:near|far)")


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

    def __init__(self, id: int, near: Endpoint, peer: str, owner: Owner, vigil: Vigil) -> None:
        self.id = id
        self.peer = peer
        self.state = ConnectionState.CONNECTING
        self.timings = StageTimings()
        self.tls = ""
        self.request_id: str | None = None
        self.cause = ""
        self.lost = False
        self.result: RelayResult | None = None
        self.error: TunnelError | None = None
        self.fault: Exception | None = None
        self.opened_at = time.time()
        self.closed_at: float | None = None
        self._closed: asyncio.Event | None = None
        self._near = near
        self._owner = owner
        self._vigil = vigil
        self._relay: Relay | None = None
        self._far: SocketEndpoint | None = None
        self.way: Way | None = None
        self._answered_at = 0.0
        self._opening: Scope | None = None
        self._look: asyncio.TimerHandle | None = None

    async def open(self, connector: Opener, *, linger: float, idle_timeout: float | None = None) -> None:
        """Open the tunnel. Once it returns, the connection is over or goes on by itself, without a task.

        Raises nothing but cancellation, which cuts it: what went wrong is in `error` or `result`.

        :param linger: and *idle_timeout*: see `tunnelui.transport.relay.Relay`.
        """
        opened: Opened | None = None
        try:
            with Scope() as self._opening:
                try:
                    if not self.cause:  # else it was cut before it began
                        opened = await connector.open(self)
                finally:
                    self._stop_looking()
            if opened is not None and self.cause:  # cut in the very moment
                opened.far.abort()
                opened = None
            elif opened is None and not self.cause:
                raise LocalError("the local program left before the tunnel was open", code="left")
        except TunnelError as error:
            self.error = error
            self.cause = str(error)
            self._owner.failed(self, error)
        finally:
            self._opening = None
            if opened is None:
                self._over()
        if opened is not None:
            try:
                self._carry(opened, linger, idle_timeout)
            except BaseException:
                opened.far.abort()
                self._over()
                raise

    async def serve(self, connector: Opener, *, linger: float, idle_timeout: float | None = None) -> None:
        """`open`, and wait for the end."""
        await self.open(connector, linger=linger, idle_timeout=idle_timeout)
        try:
            await self.wait()
        finally:
            self.cut("stopped")
        if self.fault is not None:
            raise self.fault

    async def wait(self) -> None:
        """Return when it is over."""
        while self.closed_at is None:
            if self._closed is None:
                self._closed = asyncio.Event()
            await self._closed.wait()

    def cut(self, cause: str) -> None:
        """End it now: both sides see a reset. *cause* is shown."""
        if self.closed_at is not None:
            return
        self.cause = self.cause or cause
        if self._opening is not None:
            self._opening.cancel()
        if self._relay is not None:
            self._relay.abort()

    def lose(self, cause: str) -> None:
        """`cut` it, since the network has lost the far side: nobody wanted that."""
        self.lost = self.closed_at is None
        self.cut(cause)

    @property
    def far_socket(self) -> socket.socket | None:
        """The socket to the proxy while the connection is open."""
        return self._far.sock if self._far is not None else None

    @property
    def moved_at(self) -> float:
        """When a byte moved last, on the event loop's clock."""
        return self._relay.last_moved if self._relay is not None else 0.0

    @property
    def bytes_in(self) -> int:
        return self._relay.bytes_in if self._relay else 0

    @property
    def bytes_out(self) -> int:
        return self._relay.bytes_out if self._relay else 0

    @property
    def stages(self) -> StageTimings:
        """The timings, the wait for the first byte from the far side included."""
        if self._relay is None or self._relay.first_byte_at is None or self.timings.first_byte is not None:
            return self.timings
        return self.timings.spoken(max(0.0, self._relay.first_byte_at - self._answered_at))

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

    def _carry(self, opened: Opened, linger: float, idle_timeout: float | None) -> None:
        self._answered_at = opened.at
        self._relay = Relay(
            self._near, opened.far, half_close_far=opened.half_close, linger=linger, idle_timeout=idle_timeout
        )
        self._far, self.way = opened.far, way_of(opened.far.sock)
        self._vigil.watch(self)
        self._move(ConnectionState.OPEN)
        self._relay.start(self._on_end)

    def _on_end(self, result: RelayResult | Exception) -> None:
        if isinstance(result, Exception):
            self.fault = result
        else:
            self.result = result
            if result.cause is not RelayCause.ABORTED or not self.cause:
                self.cause = _in_words(result)
        self._over()

    def _over(self) -> None:
        self._vigil.forget(self)
        self._far = self.way = None
        self._near.abort()  # nothing is left to abort after a relay; before one, the local program sees a reset
        self.closed_at = time.time()
        self.timings = self.stages
        self.cause = self.cause or "stopped"
        self._move(ConnectionState.CLOSED)
        if self._closed is not None:
            self._closed.set()

    # While the connection is held, by a sign-in or between two tries: a timer, since most connections never are.

    def _look_later(self) -> None:
        self._stop_looking()
        self._look = asyncio.get_running_loop().call_later(LOOK_INTERVAL, self._look_at_near)

    def _look_at_near(self) -> None:
        if not has_left(self._near):
            self._look_later()
        elif self._opening is not None:
            self._opening.cancel()

    def _stop_looking(self) -> None:
        if self._look is not None:
            self._look.cancel()
            self._look = None

    def _move(self, state: ConnectionState) -> None:
        before, self.state = self.state, state
        if before is not state:
            self._owner.moved(self, before)


def _in_words(result: RelayResult) -> str:
    """How the relay ended, with the sides named as a person sees them."""
    return _named(result.detail or str(result.cause))


@functools.lru_cache(maxsize=64)
def _named(words: str) -> str:
    return _SIDE.sub(lambda found: "local" if found[0] == "near" else "remote", words)
