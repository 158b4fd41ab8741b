"""Where the agent's socket is, and who may be at either end of it.

The socket lies in a folder that is ours and closed to others; and both ends ask the kernel who the other one is. So
another user can neither use our tunnels nor stand in for our agent. A lock on a file beside it, which the kernel takes
back from a process that dies in any way, keeps a second agent out.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
from typing import TYPE_CHECKING, Final

from tunnelui.config.paths import config_file
from tunnelui.config.runtime_folder import RUNTIME_HINT
from tunnelui.errors import LocalError
from tunnelui.system import NO_FOLLOW, lock
from tunnelui.transport.unix_listener import NO_UNIX_SOCKET

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "AgentLock",
    "check_peer",
    "config_digest",
    "peer_pid",
    "peer_uid",
    "socket_path",
]

_LONGEST_PATH: Final = 103  # sun_path is 104 bytes on macOS and 108 on Linux, with a NUL
_XUCRED: Final = "IIh16I"  # struct xucred: version, uid, number of groups, groups


def socket_path(folder: Path) -> Path:
    """Return the path of the socket in *folder*.

    :raises LocalError: it is longer than a Unix socket's address may be.
    """
    path = folder / "agent.sock"
    if len(os.fsencode(path)) > _LONGEST_PATH:
        raise LocalError(f"{path} is too long for a socket's address", code=NO_UNIX_SOCKET, hint=RUNTIME_HINT)
    return path


def peer_uid(sock: socket.socket) -> int | None:
    """Return the user id at the other end of a Unix socket; ``None`` where the system can't tell."""
    if hasattr(socket, "SO_PEERCRED"):
        size = struct.calcsize("3i")
        return int(struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))[1])
    if sys.platform == "darwin":
        size = struct.calcsize(_XUCRED)
        return int(struct.unpack(_XUCRED, sock.getsockopt(0, 1, size))[1])  # SOL_LOCAL, LOCAL_PEERCRED
    return None


def peer_pid(sock: socket.socket) -> int:
    """Return the process at the other end of a Unix socket; 0 where the system can't tell."""
    if not hasattr(socket, "SO_PEERCRED"):
        return 0
    return int(struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))[0])


def check_peer(sock: socket.socket) -> None:
    """
    :raises LocalError: the other end of *sock* is another user's, or can't be told (code ``agent_peer``).
    """
    with contextlib.suppress(OSError):
        if peer_uid(sock) == os.geteuid():
            return
    raise LocalError("the process at the agent's socket is not yours", code="agent_peer", hint=RUNTIME_HINT)


def config_digest() -> str:
    """Return a digest of ``config.toml`` as it is now; empty where there is none."""
    import hashlib  # here: who finds no agent has nothing to compare

    try:
        return hashlib.sha256(config_file().read_bytes()).hexdigest()
    except OSError:
        return ""


class AgentLock:
    """The right to be the agent of *folder*, for as long as this process lives or until `release`."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "agent.lock"
        self._descriptor = -1

    def take(self) -> bool:
        """Return whether we have it now; at once.

        :raises LocalError: the file can't be opened, or its file system has no locks.
        """
        descriptor = -1
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | NO_FOLLOW, 0o600)
            if lock(descriptor):
                self._descriptor = descriptor
                return True
        except OSError as error:
            if descriptor >= 0:
                os.close(descriptor)
            raise LocalError(f"{self._path}: {error.strerror}", code="runtime_dir", hint=RUNTIME_HINT) from None
        os.close(descriptor)
        return False

    def release(self) -> None:
        """Let another agent begin."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
