"""The local address of one tunnel: open it, accept on it, close it; and wait for it while somebody else has it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import anyio
import anyio.to_thread

from tunnelui.errors import ConfigError, LocalError, PortBusyError
from tunnelui.transport.listen import accept_loop, close_listeners, local_address, open_listener
from tunnelui.wire.address import StdioListen, TCPListen, UnixListen, parse_listen

if TYPE_CHECKING:
    import socket

    from anyio.abc import TaskGroup, TaskStatus

    from tunnelui.engine.backoff import Backoff

__all__ = ["Listener", "ListenerOwner", "local_listen"]


def local_listen(text: str) -> TCPListen | UnixListen:
    """Read a route's local address; empty means any free loopback port.

    :raises ConfigError: it is none, or it is standard input and output, which only ``tunnelui tcp`` can use.
    """
    address = parse_listen(text) if text else TCPListen("127.0.0.1", 0)
    if isinstance(address, StdioListen):
        raise ConfigError("standard input and output are no address to listen on", place="listen")
    return address


class ListenerOwner(Protocol):
    """Who wants to know."""

    def on_listening(self) -> None:
        """The address is open."""

    def on_busy(self, error: PortBusyError) -> None:
        """Somebody else has the address; it is tried again by itself. Called after each try."""

    def on_broken(self, error: LocalError) -> None:
        """The address can't be bound, or the listener stopped by itself. It is closed."""

    def on_accept(self, sock: socket.socket, peer: str) -> None:
        """A local program has connected; *sock* is the owner's."""

    def on_warning(self, text: str) -> None:
        """Accepting has to pause for a moment."""


class Listener:
    """One address, opened and closed any number of times. A port that the system chose is asked for again."""

    def __init__(
        self, address: TCPListen | UnixListen, owner: ListenerOwner, group: TaskGroup, backoff: Backoff
    ) -> None:
        """*backoff* spaces the tries while the address is taken."""
        self.address = address
        self.last_port = 0
        self.retry_at: float | None = None
        """Unix time of the next try while the address is taken."""
        self._owner = owner
        self._group = group
        self._backoff = backoff
        self._local = ""
        self._scope: anyio.CancelScope | None = None
        self._closed = anyio.Event()

    @property
    def local(self) -> str:
        """Where it listens, or would; empty while any free port would do."""
        if self._local:
            return self._local
        if not isinstance(self.address, TCPListen) or self.address.port:
            return str(self.address)
        return str(replace(self.address, port=self.last_port)) if self.last_port else ""

    async def open(self) -> None:
        """Try to bind, once, and tell the owner how that went. Not to be called while open."""
        sockets: list[socket.socket] | None = None
        try:
            sockets = await self._bind()
        except PortBusyError as error:
            self._owner.on_busy(error)
        except LocalError as error:
            self._owner.on_broken(error)
            return
        scope, self._closed = anyio.CancelScope(), anyio.Event()
        try:
            await self._group.start(self._run, sockets, scope)
        except BaseException:
            _close(sockets)
            raise

    async def close(self) -> None:
        """Stop accepting, or waiting for the address, and free it; connections go on. Idempotent."""
        if self._scope is not None:
            self._scope.cancel()
            await self._closed.wait()

    async def _bind(self) -> list[socket.socket]:
        # In a thread: a host name may have to be looked up, and the holder of a busy port is searched for.
        sockets = await anyio.to_thread.run_sync(self._bind_now)
        if isinstance(self.address, TCPListen) and not self.address.port:
            self.last_port = int(sockets[0].getsockname()[1])
        return sockets

    def _bind_now(self) -> list[socket.socket]:
        address = self.address
        if isinstance(address, TCPListen) and not address.port and self.last_port:
            try:
                return open_listener(replace(address, port=self.last_port))
            except PortBusyError:
                pass  # any free port will do
        return open_listener(address)

    async def _run(
        self, sockets: list[socket.socket] | None, scope: anyio.CancelScope, *, task_status: TaskStatus[None]
    ) -> None:
        """Wait for the address if need be, then accept. The sockets are closed here, where nothing watches them."""
        broken: LocalError | None = None
        self._scope = scope
        try:
            with scope:
                if sockets is None:
                    task_status.started()
                    sockets = await self._wait_until_free()
                    self._listening(sockets)
                else:
                    self._listening(sockets)
                    task_status.started()
                await accept_loop(sockets, self._owner.on_accept, on_warning=self._owner.on_warning)
        except LocalError as error:
            broken = error
        finally:
            _close(sockets)
            self._local, self._scope, self.retry_at = "", None, None
            self._closed.set()
        if broken is not None:
            self._owner.on_broken(broken)

    def _listening(self, sockets: list[socket.socket]) -> None:
        self._local = local_address(sockets)
        self._owner.on_listening()

    async def _wait_until_free(self) -> list[socket.socket]:
        failures = 0
        while True:
            failures += 1
            delay = self._backoff.delay(failures)
            self.retry_at = time.time() + delay
            await anyio.sleep(delay)
            self.retry_at = None
            try:
                return await self._bind()
            except PortBusyError as error:
                self._owner.on_busy(error)


def _close(sockets: list[socket.socket] | None) -> None:
    close_listeners([sock for sock in sockets or () if sock.fileno() >= 0])
