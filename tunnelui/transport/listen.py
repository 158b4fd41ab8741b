"""Local listeners: opening them so that nobody is surprised, and accepting from them without ever giving up."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
from typing import TYPE_CHECKING, Final, NamedTuple

from tunnelui.errors import LocalError, PortBusyError
from tunnelui.system import error_words
from tunnelui.text import clean
from tunnelui.transport.port_holder import tcp_holder
from tunnelui.transport.socket_options import is_prepared, prepare, prepare_accepted
from tunnelui.transport.unix_listener import make_way, open_unix
from tunnelui.wire.address import HostPort, TCPListen, UnixListen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["accept_loop", "close_listeners", "local_address", "open_listener"]

logger = logging.getLogger(__name__)

_BACKLOG: Final = 1024
_BATCH: Final = 64  # accepted per wake-up, so that other work gets its turn
_PAUSE: Final = 1.0  # seconds without accepting once descriptors have run out
_PORT_TRIES: Final = 16

_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
# accept(2): on Linux, errors of the connection that was to be accepted; the next one may be fine.
_PASSING: Final = frozenset(
    number
    for name in (
        "ECONNABORTED",
        "EHOSTDOWN",
        "EHOSTUNREACH",
        "ENETDOWN",
        "ENETUNREACH",
        "ENONET",
        "ENOPROTOOPT",
        "EOPNOTSUPP",
        "EPERM",
        "EPROTO",
        "ETIMEDOUT",
    )
    if (number := getattr(errno, name, None)) is not None
)
_NO_SUCH_FAMILY: Final = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})


class _Bind(NamedTuple):
    family: socket.AddressFamily
    host: str


_V4_ANY, _V6_ANY = _Bind(socket.AF_INET, "0.0.0.0"), _Bind(socket.AF_INET6, "::")
_V4_LOOPBACK, _V6_LOOPBACK = _Bind(socket.AF_INET, "127.0.0.1"), _Bind(socket.AF_INET6, "::1")


def open_listener(address: TCPListen | UnixListen, *, reuse_port: bool = False) -> list[socket.socket]:
    """Open the non-blocking sockets that listen on *address*; close them with `close_listeners`.

    An empty host and ``localhost`` mean IPv4 and IPv6, as far as the machine has both, and with port 0 they share one
    port. Other names are looked up, which may block for a moment. A Unix socket has mode 0600 before anybody can
    connect; a stale file in its place is replaced, but only a socket.

    :param reuse_port: several processes of the same user may listen on the port (SO_REUSEPORT).
    :raises PortBusyError: somebody listens there already; ``holder`` names the process where it is known.
    :raises LocalError: the address is not this machine's, the port needs privileges, the file is in the way...
    """
    if isinstance(address, UnixListen):
        return [open_unix(address, _BACKLOG)]
    binds = _binds(address)
    for _ in range(_PORT_TRIES):
        try:
            return _open_tcp(address, binds, reuse_port)
        except PortBusyError:
            # The free port of the first family may be taken in the second: draw another.
            if address.port or len(binds) == 1:
                raise
    raise LocalError(f"no port is free for every address family of {address}")


def local_address(listeners: Sequence[socket.socket]) -> str:
    """Return where *listeners* really listen, as people write it: ``127.0.0.1:52046``, ``:6379``, ``unix:…``."""
    name = listeners[0].getsockname()
    if listeners[0].family == getattr(socket, "AF_UNIX", None):
        return f"unix:{clean(name)}"
    host = "" if name[0] in (_V4_ANY.host, _V6_ANY.host) and len(listeners) > 1 else name[0]
    return str(HostPort("localhost" if len(listeners) > 1 and host else host, name[1]))


def close_listeners(listeners: Iterable[socket.socket]) -> None:
    """Close *listeners* and remove the file of a Unix socket, unless somebody else has taken it over."""
    for listener in listeners:
        path = listener.getsockname() if listener.family == getattr(socket, "AF_UNIX", None) else ""
        listener.close()
        if path:
            with contextlib.suppress(OSError, LocalError):
                make_way(UnixListen(path))


async def accept_loop(
    listeners: Sequence[socket.socket],
    handler: Callable[[socket.socket, str], None],
    *,
    on_warning: Callable[[str], None] = logger.warning,
) -> None:
    """Accept from *listeners* until cancelled; the listeners stay open.

    *handler* is called with each connection, which is then its to close, and the peer's address (``""`` for a Unix
    socket). It must not block: it starts a task or the like. Connections are non-blocking, without Nagle's algorithm.
    When descriptors run out, accepting pauses for a second, and *on_warning* is told once until it works again.

    :raises LocalError: a listener is broken. What *handler* raises comes out here too.
    """
    loop = asyncio.get_running_loop()
    broken: asyncio.Future[None] = loop.create_future()
    acceptors = [_Acceptor(listener, handler, on_warning, loop, broken) for listener in listeners]
    try:
        for acceptor in acceptors:
            acceptor.start()
        await broken
    finally:
        for acceptor in acceptors:
            acceptor.stop()


class _Acceptor:
    """One listener on the loop."""

    def __init__(
        self,
        listener: socket.socket,
        handler: Callable[[socket.socket, str], None],
        on_warning: Callable[[str], None],
        loop: asyncio.AbstractEventLoop,
        broken: asyncio.Future[None],
    ) -> None:
        self._listener = listener
        self._handler = handler
        self._on_warning = on_warning
        self._loop = loop
        self._broken = broken
        self._pause: asyncio.TimerHandle | None = None
        self._warned = False
        self._prepare = prepare_accepted if is_prepared(listener) else prepare

    def start(self) -> None:
        self._pause = None
        self._loop.add_reader(self._listener, self._accept)

    def stop(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
        elif self._listener.fileno() >= 0:
            self._loop.remove_reader(self._listener)

    def _accept(self) -> None:
        try:
            for _ in range(_BATCH):
                try:
                    sock, name = self._listener.accept()
                except OSError as error:
                    if error.errno in _PASSING:
                        continue
                    self._no_more(error)
                    return
                self._warned = False
                self._hand_over(sock, name)
        except Exception as error:
            self._fail(error)

    def _hand_over(self, sock: socket.socket, name: object) -> None:
        try:
            self._prepare(sock)
            self._handler(sock, _peer(name))
        except BaseException:
            sock.close()
            raise

    def _no_more(self, error: OSError) -> None:
        if isinstance(error, BlockingIOError | InterruptedError):
            return
        if error.errno not in _EXHAUSTED:
            self._fail(LocalError(f"a local listener broke: {error_words(error.errno or 0)}"))
            return
        self._loop.remove_reader(self._listener)
        self._pause = self._loop.call_later(_PAUSE, self.start)
        if not self._warned:
            self._warned = True
            self._on_warning(f"no connection can be accepted for now: {error_words(error.errno)}")

    def _fail(self, error: Exception) -> None:
        self.stop()
        if not self._broken.done():
            self._broken.set_exception(error)


def _peer(name: object) -> str:
    if not isinstance(name, tuple):
        return ""
    host, port = name[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _binds(address: TCPListen) -> list[_Bind]:
    if not address.host:
        return [_V4_ANY, _V6_ANY]
    if address.host == "localhost":
        return [_V4_LOOPBACK, _V6_LOOPBACK]
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise LocalError(f"can't listen on {address}: {error.strerror}", hint="Check the host name.") from None
    return list(dict.fromkeys(_Bind(family, str(sockaddr[0])) for family, _, _, _, sockaddr in found))


def _open_tcp(address: TCPListen, binds: Sequence[_Bind], reuse_port: bool) -> list[socket.socket]:
    """Listen on every one of *binds*; of several, a family that this machine lacks is left out."""
    sockets: list[socket.socket] = []
    port = address.port
    missing: LocalError | None = None
    for bind in binds:
        try:
            sockets.append(_listen_tcp(bind, port, reuse_port))
        except OSError as error:
            missing = _map_tcp(error, address, bind)
            if error.errno not in _NO_SUCH_FAMILY:
                close_listeners(sockets)
                raise missing from None
        else:
            port = sockets[-1].getsockname()[1]
    if missing and not sockets:
        raise missing
    return sockets


def _listen_tcp(bind: _Bind, port: int, reuse_port: bool) -> socket.socket:
    # The protocol is named: asyncio and others turn Nagle's algorithm off only where it is.
    sock = socket.socket(bind.family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            # On Windows this would allow to steal the port; there, nothing needs it.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if bind.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        prepare(sock)  # before the first connection, which has its options from here
        sock.bind((bind.host, port))
        sock.listen(_BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def _map_tcp(error: OSError, address: TCPListen, bind: _Bind) -> LocalError:
    if error.errno == errno.EADDRINUSE:
        return PortBusyError(str(address), holder=tcp_holder(bind.host, address.port))
    hint = ""
    code = "local"
    if error.errno in (errno.EACCES, errno.EPERM):
        code, hint = "privileged_port", "Ports below 1024 may need privileges; choose a higher one."
    elif error.errno in _NO_SUCH_FAMILY:
        code, hint = "no_such_address", "The address must be one of this machine's own."
    return LocalError(f"can't listen on {address}: {error_words(error.errno or 0)}", code=code, hint=hint)
