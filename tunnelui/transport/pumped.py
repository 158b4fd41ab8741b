"""Standard input and output by threads, where the system can't watch them.

Windows tells of sockets whether a call would wait, and of nothing else. There a thread waits for the pipe, the file or
the console, and passes the bytes on by a pair of sockets.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import socket
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Pumped", "pumped_from", "pumped_to"]

_CHUNK: Final = 64 * 1024
_LAST_WORDS: Final = 5.0
"""Seconds at the end of the process for a reader of our output that does not read."""


class Pumped:
    """One direction: our end of the pair. Calls raise `BlockingIOError` where they would wait."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.watched = sock.fileno()

    def read_into(self, buffer: memoryview) -> int:
        return self._sock.recv_into(buffer)

    def write(self, data: memoryview | bytes) -> int:
        return self._sock.send(data)

    def close(self) -> None:
        self._sock.close()  # what was written is still passed on

    def end(self) -> None:
        self.close()


def pumped_from(fd: int, release: Callable[[int], None]) -> Pumped:
    """Return the incoming direction of *fd*, which is *release*\\ d in the end."""
    sock, end = _pair()

    def pump() -> None:
        with end, contextlib.suppress(OSError):
            while data := os.read(fd, _CHUNK):
                end.sendall(data)
        release(fd)

    threading.Thread(target=pump, name="standard input", daemon=True).start()
    return Pumped(sock)


def pumped_to(fd: int, release: Callable[[int], None]) -> Pumped:
    """Return the outgoing direction of *fd*, which is *release*\\ d once all is written or nobody takes it."""
    sock, end = _pair()

    def pump() -> None:
        with end, contextlib.suppress(OSError):
            while data := end.recv(_CHUNK):
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(fd, rest) :]
        release(fd)

    thread = threading.Thread(target=pump, name="standard output", daemon=True)
    thread.start()
    atexit.register(thread.join, _LAST_WORDS)
    return Pumped(sock)


def _pair() -> tuple[socket.socket, socket.socket]:
    near, far = socket.socketpair()
    near.setblocking(False)
    return near, far
