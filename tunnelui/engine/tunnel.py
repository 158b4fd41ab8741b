"""A started route: one listener, its connections, its state."""

from __future__ import annotations

import logging
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final

import anyio

from tunnelui.engine.backoff import PORT_BACKOFF, Backoff
from tunnelui.engine.connection import Connection
from tunnelui.engine.connector import is_transient
from tunnelui.engine.listener import Listener, local_listen
from tunnelui.engine.model import ConnectionSnapshot, ConnectionState, Event, Problem, State, TunnelSnapshot
from tunnelui.engine.report import connection_facts, ended_message, error_facts, opened_message
from tunnelui.engine.states import Trigger, TunnelState
from tunnelui.errors import AccessDenied, AuthError, ConfigError, PeerError, PortBusyError, TunnelError
from tunnelui.transport.endpoint import PlainEndpoint

if TYPE_CHECKING:
    import socket

    from tunnelui.config.route import Route
    from tunnelui.engine.connector import Connector
    from tunnelui.engine.host import Host
    from tunnelui.wire.destination import ProxyOrigin

__all__ = ["Tunnel"]

logger = logging.getLogger(__name__)

_REMEMBERED: Final = 20  # closed connections that stay visible
_MOVING: Final = (State.RETRY, State.PORT_BUSY)
"""States in which a snapshot also says when the next try comes."""


class Tunnel:
    """Keeps its port, its byte counters and its last connections from `start` to `stop`.

    `start`, `stop` and `restart` may be called at any time, also while another one runs.
    """

    def __init__(self, route: Route, host: Host, *, port_backoff: Backoff = PORT_BACKOFF) -> None:
        self.route = route
        self.state = TunnelState()
        self._host = host
        self._port_backoff = port_backoff
        self._shown = State.OFF
        self._told: TunnelSnapshot | None = None
        self._connector: Connector | None = None
        self._listener: Listener | None = None
        self._lock = anyio.Lock()
        self._connections: dict[int, Connection] = {}
        self._closed: deque[ConnectionSnapshot] = deque(maxlen=_REMEMBERED)
        self._closed_in = 0
        self._closed_out = 0
        self._retries: dict[int, float] = {}
        self._started_at: float | None = None
        self._look_at(route)

    @property
    def running(self) -> bool:
        """Whether it was started and not stopped, with or without success."""
        return self.state.resting is not State.OFF

    @property
    def connections(self) -> tuple[Connection, ...]:
        """Those that are not over."""
        return tuple(self._connections.values())

    @property
    def bytes_in(self) -> int:
        return self._closed_in + sum(connection.bytes_in for connection in self._connections.values())

    @property
    def bytes_out(self) -> int:
        return self._closed_out + sum(connection.bytes_out for connection in self._connections.values())

    def snapshot(self) -> TunnelSnapshot:
        """Return what can be said of it now: the same object as before, while nothing moves and nothing has changed."""
        if self._told is None:
            told = self._snapshot()
            if self._connections or told.state in _MOVING:
                return told
            self._told = told
        return self._told

    def _snapshot(self) -> TunnelSnapshot:
        live = [connection.snapshot() for connection in reversed(self._connections.values())]
        return TunnelSnapshot(
            route=self.route,
            state=self.state.shown,
            local=self._listener.local if self._listener else "",
            proxy=str(self.proxy or ""),
            target=self._target,
            live=self.state.live,
            connections=(*live, *self._closed),
            bytes_in=self.bytes_in,
            bytes_out=self.bytes_out,
            problem=self.state.problem,
            retry_at=self._retry_at(),
            started_at=self._started_at,
        )

    async def start(self, *, any_port: bool = False) -> None:
        """Listen. Returns once it does, or once the reason why it can't is in the snapshot.

        :param any_port: on a free one, until the next `stop`.
        """
        async with self._lock:
            if not self.state.listening:
                if any_port and self._listener is not None:
                    await self._listener.close()
                    self._listener = self._new_listener("")
                    self._elsewhere = True
                await self._start()

    async def restart(self) -> None:
        """Cut the connections and forget what went wrong; an address that listens already goes on without a gap."""
        async with self._lock:
            if self.state.listening:
                await self._cut(tuple(self._connections.values()), "restarted")
                self._forget()
                self._cool()
                self._connector = self._host.connector(self.route)
                self._apply(Trigger.STARTED)
            else:
                await self._start()

    async def stop(self, grace: float = 0.0) -> None:
        """Stop listening at once; open connections may go on for *grace* seconds, then they are cut.

        Calling it again cuts at once.
        """
        again = not self.running
        # The lock is not held during the grace period: a second call must get through.
        async with self._lock:
            if self._listener is not None:
                await self._listener.close()
            doomed = tuple(self._connections.values())
            self._started_at = None
            self._apply(Trigger.STOPPED)
            if self._elsewhere:
                self._look_at(self.route)
            if not again:
                self._emit("stopped", f"{self.route.name} stopped listening")
        self._cool()
        if grace > 0 and not again:
            waiting = [connection for connection in doomed if connection.state is not ConnectionState.OPEN]
            await self._cut(waiting, "stopped")
            with anyio.move_on_after(grace):
                for connection in doomed:
                    await connection.wait()
        await self._cut(doomed, "stopped")

    async def close_connection(self, number: int) -> None:
        """Cut the connection with this *number*, if it is open still."""
        if connection := self._connections.get(number):
            await self._cut((connection,), "closed on request")

    async def change_route(self, route: Route) -> None:
        """Take *route* over. A running tunnel starts again when an address, the profile or the proxy is another."""
        if _way(route) == _way(self.route):
            self.route = route
            self._told = None
            if self.state.listening:
                self._connector = self._host.connector(route)  # it knows the name
            return
        running = self.running
        await self.stop()
        self._look_at(route)
        if running:
            await self.start()

    def signed_in(self) -> None:
        """A new token is there: what only wanted one is well again."""
        self._apply(Trigger.SIGNED_IN)

    # Listening (`tunnelui.engine.listener.ListenerOwner`).

    def _look_at(self, route: Route) -> None:
        """Take over what the route says, as far as it can be read; `start` says what can't."""
        self.route = route
        self.proxy: ProxyOrigin | None = None
        self._target = ""
        self._elsewhere = False
        self._told = None
        last_port = self._listener.last_port if self._listener else 0
        self._listener = None
        try:
            destination = self._host.destination(route)
            self.proxy, self._target = destination.proxy, str(destination.authority)
            self._listener = self._new_listener(route.listen)
            self._listener.last_port = last_port or self._host.port_of(route.name)
        except ConfigError:
            pass

    def _new_listener(self, listen: str) -> Listener:
        return Listener(local_listen(listen), self, self._host.group, self._port_backoff)

    async def _start(self) -> None:
        self._started_at = time.time()
        self._forget()
        if self._listener is not None:
            await self._listener.close()  # it may be waiting for a busy port
        try:
            self._connector = self._host.connector(self.route)
            local_listen(self.route.listen)
        except TunnelError as error:
            self.on_broken(error)
            return
        if self._listener is not None:
            await self._listener.open()

    def on_listening(self) -> None:
        self._apply(Trigger.STARTED)
        local = self._listener.local if self._listener else ""
        if self._listener and self._listener.last_port and not self._elsewhere:
            self._host.got_port(self.route.name, self._listener.last_port)
        data = {
            "local": local,
            "destination": self.route.destination,
            "proxy": str(self.proxy or ""),
            "target": self._target,
        }
        self._emit("listening", f"{self.route.name} listens on {local}", data=data)

    def on_busy(self, error: PortBusyError) -> None:
        self._apply(Trigger.PORT_BUSY, error)

    def on_broken(self, error: TunnelError) -> None:
        self._apply(Trigger.BROKEN, error)
        self._emit("failed", str(error), level="error", data=error_facts(error))

    def on_warning(self, text: str) -> None:
        self._emit("note", text, level="warning")

    # Connections.

    def on_accept(self, sock: socket.socket, peer: str) -> None:
        near = PlainEndpoint(sock, address=peer or "the local program", error=PeerError)
        most = min(self.route.max_connections or self._host.max_connections, self._host.max_connections)
        if len(self._connections) >= most or self._connector is None:
            near.abort()
            self.on_warning(f"turned away {peer}: {len(self._connections)} connections are open already")
            return
        connection = Connection(self._host.next_id(), near, peer, self, self._host.vigil)
        self._connections[connection.id] = connection
        self._emit("accepted", f"accepted {peer}".rstrip(), connection, data={"peer": peer})
        self._host.jobs.start(self._open(connection, self._connector))

    async def _open(self, connection: Connection, connector: Connector) -> None:
        try:
            await connection.open(connector, linger=self._host.linger, idle_timeout=self.route.idle_timeout or None)
        except Exception as error:
            self._at_fault(connection, error)

    def _at_fault(self, connection: Connection, error: Exception) -> None:
        # A fault of ours in one connection must not end the tunnels of everybody else.
        logger.error("connection %d of %s", connection.id, self.route.name, exc_info=error)
        self._emit("failed", f"internal error: {type(error).__name__}", connection, level="error")

    async def _cut(self, connections: tuple[Connection, ...] | list[Connection], cause: str) -> None:
        for connection in connections:
            connection.cut(cause)
        for connection in connections:
            await connection.wait()

    def _cool(self) -> None:
        # Other tunnels to the same proxy lose no more than a round trip or two, once.
        if self._connector is not None:
            self._connector.cool()

    def _forget(self) -> None:
        self._closed.clear()
        self._closed_in = self._closed_out = 0
        self._told = None

    def moved(self, connection: Connection, before: ConnectionState) -> None:
        after = connection.state
        self._retries.pop(connection.id, None)
        self.state.live += (after is ConnectionState.OPEN) - (before is ConnectionState.OPEN)
        self.state.signing_in += (after is ConnectionState.SIGN_IN) - (before is ConnectionState.SIGN_IN)
        if after is ConnectionState.OPEN:
            self._emit("open", opened_message(connection), connection, data=connection_facts(connection))
            self._apply(Trigger.OPENED)
        elif after is ConnectionState.CLOSED:
            del self._connections[connection.id]
            self._closed.appendleft(connection.snapshot())
            self._closed_in += connection.bytes_in
            self._closed_out += connection.bytes_out
            if connection.fault is not None:
                self._at_fault(connection, connection.fault)
            elif connection.error is None:
                orderly = not connection.lost and (connection.result is None or connection.result.error is None)
                self._emit(
                    "closed",
                    ended_message(connection),
                    connection,
                    level="info" if orderly else "warning",
                    data=connection_facts(connection),
                )
            self._show()
        else:
            self._show()

    def retrying(self, connection: Connection, error: PeerError, delay: float) -> None:
        self._retries[connection.id] = time.time() + delay
        facts = connection_facts(connection, error) | {"delay": round(delay, 3)}
        self._emit("retry", f"{error}; next try in {delay:.1f} s", connection, level="warning", data=facts)
        self._apply(Trigger.RETRYING, error)

    def failed(self, connection: Connection, error: TunnelError) -> None:
        self._retries.pop(connection.id, None)
        left = error.code == "left"
        level = "info" if left else "error"
        self._emit("failed", str(error), connection, level=level, data=connection_facts(connection, error))
        if not left:
            self._apply(_trigger(error), error)

    # Telling.

    def _retry_at(self) -> float | None:
        if self.state.shown is State.PORT_BUSY:
            return self._listener.retry_at if self._listener else None
        if self.state.shown is State.RETRY:
            return min((at for at in self._retries.values() if at > time.time()), default=None)
        return None

    def _apply(self, trigger: Trigger, error: TunnelError | None = None) -> None:
        self.state.apply(trigger, Problem.from_error(error) if error else None)
        self._show()

    def _show(self) -> None:
        """Publish the state when it is another than the last one."""
        self._told = None
        before, self._shown = self._shown, self.state.shown
        if self._shown is before:
            return
        problem = self.state.problem
        data: dict[str, Any] = {"state": str(self._shown), "before": str(before)}
        if problem is not None:
            data |= {"code": problem.code, "hint": problem.hint, "request_id": problem.request_id}
        troubled = self._shown in (State.RETRY, State.DENIED, State.PORT_BUSY, State.ERROR)
        words = f"{self._shown}: {problem.message}" if troubled and problem else str(self._shown)
        self._emit("state", words, level="warning" if troubled else "info", data=data)

    def _emit(
        self,
        kind: str,
        message: str,
        connection: Connection | None = None,
        *,
        level: str = "info",
        data: dict[str, Any] | None = None,
    ) -> None:
        self._told = None
        number = connection.id if connection else None
        self._host.publish(Event(kind, time.time(), message, level, self.route.name, number, data or {}))


def _way(route: Route) -> tuple[object, ...]:
    """What of *route* its listener and its connector are made from."""
    return route.destination, route.listen, route.profile, route.proxy_url, route.connect_timeout


def _trigger(error: TunnelError) -> Trigger:
    if isinstance(error, AccessDenied):
        return Trigger.DENIED
    if isinstance(error, AuthError):
        return Trigger.UNAUTHENTICATED
    if isinstance(error, PeerError) and is_transient(error):
        return Trigger.UNAVAILABLE
    return Trigger.FAILED
