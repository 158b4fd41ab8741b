"""Proxy mode: a `ForwardProxy` on one local port that an engine turns on and off, beside its tunnels.

It goes by the engine's own connectors, and so shares its sign-ins and warm connections. What no route covers is
refused, and only this machine may ask.
"""

from __future__ import annotations

import ipaddress
import time
from typing import TYPE_CHECKING, Final, Protocol

import anyio
import anyio.to_thread

from tunnelui.engine.destinations import resolve_destination
from tunnelui.engine.forward import ForwardProxy
from tunnelui.engine.model import Event, Problem, ProxyModeSnapshot
from tunnelui.engine.report import error_facts
from tunnelui.errors import ConfigError, LocalError
from tunnelui.transport.listen import accept_loop, close_listeners, local_address, open_listener
from tunnelui.transport.resolver import system_resolver
from tunnelui.wire.address import TCPListen, parse_listen

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable

    from anyio.abc import TaskGroup, TaskStatus

    from tunnelui.config.profile import Profile
    from tunnelui.config.route import Route
    from tunnelui.engine.connection import Opener
    from tunnelui.engine.vigil import Vigil
    from tunnelui.wire.address import HostPort

__all__ = ["Forwarding", "covering", "is_loopback"]

_NAMES: Final = ("localhost",)


class Host(Protocol):
    """What proxy mode needs of its engine."""

    group: TaskGroup
    linger: float
    max_connections: int
    vigil: Vigil

    def connector(self, route: Route) -> Opener:
        """:raises tunnelui.errors.ConfigError: the route can't be used as it stands."""

    def next_id(self) -> int: ...

    def publish(self, event: Event) -> None: ...


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a listener on *host*."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in _NAMES


def covering(
    routes: Callable[[], Iterable[Route]],
    profile: Callable[[str], Profile],
    connector: Callable[[Route], Opener],
) -> Callable[[HostPort], tuple[str, Opener] | None]:
    """Return what finds the first of *routes* whose target is a destination: its name, and the way through it."""

    def find(authority: HostPort) -> tuple[str, Opener] | None:
        for route in routes():
            try:
                target = resolve_destination(route, profile(route.profile)).authority
            except ConfigError:
                continue  # the screen and “up” say what is wrong with it
            if target == authority:
                return route.name, connector(route)
        return None

    return find


class Forwarding:
    """The switch. Its calls may overlap; the last one counts."""

    def __init__(
        self,
        host: Host,
        routes: Callable[[], Iterable[Route]],
        profile: Callable[[str], Profile],
        changed: Callable[[], None],
    ) -> None:
        """
        :param routes: all routes, as they are by now.
        :param profile: the profile with a name.
        :param changed: is called when `snapshot` is another than before and no event says so.
        """
        self._host = host
        self._changed = changed
        self._find = covering(routes, profile, host.connector)
        self._lock = anyio.Lock()
        self._local = ""
        self._since: float | None = None
        self._problem: Problem | None = None
        self._live = 0
        self._accepting = anyio.CancelScope()
        self._serving = anyio.CancelScope()
        self._over = anyio.Event()
        self._over.set()

    def snapshot(self) -> ProxyModeSnapshot:
        return ProxyModeSnapshot(self._since is not None, self._local, self._since, self._live, self._problem)

    async def start(self, listen: str) -> None:
        """Listen on *listen*; what listens elsewhere is closed first. No effect when it listens there already.

        :raises ConfigError: that is no TCP address of the loopback.
        """
        address = _loopback(listen)
        async with self._lock:
            if self._since is not None and self._local == str(address):
                return
            await self._stop(0.0)
            self._local, self._problem = str(address), None
            try:
                listeners = await anyio.to_thread.run_sync(open_listener, address)
            except LocalError as error:
                self._fail(error)
                return
            try:
                await self._host.group.start(self._run, listeners)
            except BaseException:
                close_listeners(one for one in listeners if one.fileno() >= 0)
                raise

    async def stop(self, grace: float = 0.0) -> None:
        """Close the port; connections may go on for *grace* seconds, and are cut then or by a second call."""
        if not grace:
            self._serving.cancel()  # whoever waits below for the end of connections
        async with self._lock:
            await self._stop(grace)
            if self._problem is not None:
                self._problem = None
                self._tell("stopped", "proxy mode stays off")

    async def _stop(self, grace: float) -> None:
        self._accepting.cancel()
        with anyio.move_on_after(grace):
            await self._over.wait()
        self._serving.cancel()
        await self._over.wait()

    async def _run(self, listeners: list[socket.socket], *, task_status: TaskStatus[None]) -> None:
        self._accepting, self._serving, self._over = anyio.CancelScope(), anyio.CancelScope(), anyio.Event()
        proxy = ForwardProxy(
            self._find,
            publish=self._host.publish,
            next_id=self._host.next_id,
            vigil=self._host.vigil,
            resolve=system_resolver,
            linger=self._host.linger,
        )
        try:
            with self._serving:
                async with anyio.create_task_group() as connections:
                    await self._accept(proxy, connections, listeners, task_status)
        finally:
            self._over.set()

    async def _accept(
        self,
        proxy: ForwardProxy,
        connections: TaskGroup,
        listeners: list[socket.socket],
        task_status: TaskStatus[None],
    ) -> None:
        def take(sock: socket.socket, peer: str) -> None:
            if self._live >= self._host.max_connections:
                sock.close()
                self._warn(f"turned away {peer}: {self._live} connections are open already")
            else:
                self._count(1)
                connections.start_soon(self._serve, proxy, sock, peer)

        broken: LocalError | None = None
        self._local, self._since = local_address(listeners), time.time()
        self._tell("listening", f"proxy mode listens on {self._local}", local=self._local)
        task_status.started()
        try:
            with self._accepting:
                await accept_loop(listeners, take, on_warning=self._warn)
        except LocalError as error:
            broken = error
        finally:
            close_listeners(listeners)
            self._since = None
            if broken is None:
                self._tell("stopped", "proxy mode is off")
            else:
                self._fail(broken)

    async def _serve(self, proxy: ForwardProxy, sock: socket.socket, peer: str) -> None:
        try:
            await proxy.serve(sock, peer)
        except Exception as error:  # a fault of ours in one connection ends that one, and no other
            self._warn(f"a connection from {peer} ended with a fault: {type(error).__name__}")
        finally:
            self._count(-1)

    def _count(self, change: int) -> None:
        self._live += change
        self._changed()

    def _fail(self, error: LocalError) -> None:
        self._problem = Problem.from_error(error)
        words = f"proxy mode is off: {error}"
        self._host.publish(Event("failed", time.time(), words, "error", data=error_facts(error)))

    def _warn(self, words: str) -> None:
        self._host.publish(Event("note", time.time(), f"proxy mode: {words}", "warning"))

    def _tell(self, kind: str, words: str, **data: str) -> None:
        self._host.publish(Event(kind, time.time(), words, data=dict(data)))


def _loopback(listen: str) -> TCPListen:
    address = parse_listen(listen)
    if not isinstance(address, TCPListen) or not is_loopback(address.host):
        raise ConfigError(
            f"proxy mode listens for this machine alone, and {address} is not of the loopback",
            place="listen",
            hint="Use 127.0.0.1:1080.",
        )
    return address
