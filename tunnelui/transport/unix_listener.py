"""A Unix socket that listens: private from its first moment, and never in the place of another kind of file."""

from __future__ import annotations

import errno
import os
import socket
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tunnelui.errors import LocalError, PortBusyError
from tunnelui.system import HAS_UNIX_SOCKETS
from tunnelui.text import clean
from tunnelui.transport.port_holder import unix_peer

if TYPE_CHECKING:
    from tunnelui.wire.address import UnixListen

__all__ = ["NO_UNIX_SOCKET", "NO_UNIX_SOCKET_ERRORS", "make_way", "open_unix"]

NO_UNIX_SOCKET: Final = "no_unix_socket"
NO_UNIX_SOCKET_ERRORS: Final = frozenset(
    {
        # Of a file system without them (vfat, 9p, FUSE), or of a sandbox. If the folder is in worse trouble than that,
        # nothing else can be put there either.
        errno.EIO,
        errno.EPERM,
        errno.EACCES,
        errno.EINVAL,
        errno.ENOSYS,
        errno.EOPNOTSUPP,
        errno.ENOTSUP,
        errno.EAFNOSUPPORT,
        errno.EPROTONOSUPPORT,
    }
)


def open_unix(address: UnixListen, backlog: int) -> socket.socket:
    """Open the non-blocking socket that listens on *address*, with mode 0600 before anybody can connect.

    :raises PortBusyError: somebody listens there already.
    :raises LocalError: it can't be made, or another kind of file is in the way; the code is `NO_UNIX_SOCKET` where
        this system, or the file system there, has no such sockets.
    """
    if not HAS_UNIX_SOCKETS:
        raise LocalError(f"can't listen on {address}: this system has no Unix sockets", code=NO_UNIX_SOCKET)
    try:
        make_way(address)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            _bind_private(sock, address.path)
            sock.listen(backlog)
            sock.setblocking(False)
        except BaseException:
            sock.close()
            raise
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortBusyError(str(address)) from None
        reason = os.strerror(error.errno) if error.errno else str(error)
        code = NO_UNIX_SOCKET if error.errno in NO_UNIX_SOCKET_ERRORS else LocalError.default_code
        raise LocalError(f"can't listen on unix:{clean(address.path)}: {reason}", code=code) from None
    return sock


def _bind_private(sock: socket.socket, path: str) -> None:
    """Bind so that the file has mode 0600 from its first moment."""
    try:
        os.fchmod(sock.fileno(), 0o600)  # Linux: the file gets the mode of the socket
    except OSError:
        previous = os.umask(0o177)  # elsewhere; for an instant other threads' files are private too
        try:
            sock.bind(path)
        finally:
            os.umask(previous)
    else:
        sock.bind(path)


def make_way(address: UnixListen) -> None:
    """Remove a socket file that nobody listens on.

    :raises PortBusyError: somebody does.
    :raises LocalError: it is no socket, or it can't be told.
    """
    path = Path(address.path)
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise LocalError(
            f"can't listen on unix:{clean(address.path)}: another kind of file is there",
            hint="Choose another path, or remove the file yourself.",
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        number = probe.connect_ex(address.path)
        if number == errno.ECONNREFUSED:
            path.unlink(missing_ok=True)
        elif number in (0, errno.EAGAIN):  # EAGAIN: alive, with a full backlog
            raise PortBusyError(str(address), holder=unix_peer(probe) if number == 0 else "")
        elif number != errno.ENOENT:
            raise OSError(number, os.strerror(number))
