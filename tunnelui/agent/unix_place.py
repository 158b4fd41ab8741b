"""A Unix socket in the runtime folder as the place to meet: the kernel says who is at the other end."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, Final

from tunnelui.agent.channel import Channel
from tunnelui.agent.runtime import check_peer, socket_path
from tunnelui.errors import LocalError
from tunnelui.system import HAS_UNIX_SOCKETS
from tunnelui.transport.listen import close_listeners, open_listener
from tunnelui.transport.unix_listener import NO_UNIX_SOCKET, NO_UNIX_SOCKET_ERRORS
from tunnelui.wire.address import UnixListen

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["UnixPlace"]


class UnixPlace:
    """A Unix socket, mode 0600."""

    transport: Final = "unix"
    why: Final = ""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "agent.sock"
        self.address = str(self.path)
        self._folder = folder

    def listen(self) -> Sequence[socket.socket]:
        """See `tunnelui.agent.meeting.MeetingPlace.listen`; the code is ``no_unix_socket`` where there can be none."""
        return open_listener(UnixListen(self._checked()))

    def close(self, listeners: Sequence[socket.socket]) -> None:
        close_listeners(listeners)

    def sweep(self) -> None:
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)

    async def admit(self, channel: Channel) -> None:
        check_peer(channel.sock)

    async def reach(self, *, limit: int) -> Channel | None:
        """See `tunnelui.agent.meeting.MeetingPlace.reach`; `LocalError` has the code ``no_unix_socket`` where there
        can be none.
        """
        path = self._checked()
        try:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        except OSError as error:
            if error.errno in NO_UNIX_SOCKET_ERRORS:
                raise LocalError(f"no Unix socket can be made: {error.strerror}", code=NO_UNIX_SOCKET) from None
            raise
        try:
            sock.setblocking(False)
            sock.connect(path)
            check_peer(sock)
        except (FileNotFoundError, ConnectionRefusedError):
            sock.close()
            return None
        except BaseException:
            sock.close()
            raise
        return Channel(sock, limit=limit)

    def _checked(self) -> str:
        if not HAS_UNIX_SOCKETS:
            raise LocalError("this system has no Unix sockets", code=NO_UNIX_SOCKET)
        return str(socket_path(self._folder))
