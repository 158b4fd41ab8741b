"""Small upstreams with one behaviour each, in threads of the test run."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["answer_at_end", "black_hole", "echo", "greet", "upstream"]


def echo(sock: socket.socket) -> None:
    """Send back what comes, and end when the other side has ended."""
    while data := sock.recv(65536):
        sock.sendall(data)


def answer_at_end(sock: socket.socket) -> None:
    """Say nothing until the other side has ended; then the length and the SHA-256 of what came."""
    digest, length = hashlib.sha256(), 0
    while data := sock.recv(65536):
        digest.update(data)
        length += len(data)
    sock.sendall(f"{length} {digest.hexdigest()}\n".encode())


def greet(sock: socket.socket) -> None:
    """Speak first, then echo."""
    sock.sendall(b"220 ready\r\n")
    echo(sock)


@contextmanager
def upstream(behave: Callable[[socket.socket], None], port: int = 0) -> Iterator[int]:
    """Serve *behave* on a loopback port, any free one by default, one thread a connection; yield the port."""
    listener = socket.create_server(("127.0.0.1", port), backlog=256)
    sockets: set[socket.socket] = set()

    def serve(sock: socket.socket) -> None:
        with contextlib.suppress(OSError), sock:
            sockets.add(sock)
            sock.settimeout(60)
            behave(sock)
        sockets.discard(sock)

    def accept() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(sock,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for sock in list(sockets):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        thread.join(5)


@contextmanager
def black_hole() -> Iterator[int]:
    """A port that takes connections into its queue and never says a word; yield the port."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield listener.getsockname()[1]
