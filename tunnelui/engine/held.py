"""Watching a local program that waits: its bytes stay unread, but its leaving is noticed.

The end of its output alone is no leaving when bytes came before it (``printf … | nc`` sends a request, ends, and waits
for the answer). Without any byte it is taken as one: while a person is asked to sign in, a program that said nothing
and ended is far more often gone than waiting.
"""

from __future__ import annotations

import select
import socket
from typing import TYPE_CHECKING, Final

from tunnelui.transport.endpoint import SocketEndpoint

if TYPE_CHECKING:
    from tunnelui.transport.endpoint import Endpoint

__all__ = ["LOOK_INTERVAL", "has_left"]

LOOK_INTERVAL: Final = 0.25
"""Seconds between looks. A look is two system calls; unread bytes would wake an event loop's reader for ever."""


def has_left(near: Endpoint) -> bool:
    """Whether the local program has reset the connection, or ended it without having sent a byte."""
    if _broken(near.write_fd):
        return True
    if not isinstance(near, SocketEndpoint):
        return False
    try:
        return near.sock.recv(1, socket.MSG_PEEK) == b""
    except (BlockingIOError, InterruptedError):
        return False
    except OSError:
        return True


def _broken(fd: int) -> bool:
    """Whether *fd* reports an error or a hang-up: a reset socket, a pipe that nobody reads, a closed terminal."""
    if fd < 0 or not hasattr(select, "poll"):
        return False
    poll = select.poll()
    poll.register(fd, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
