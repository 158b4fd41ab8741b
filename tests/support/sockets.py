"""Real sockets for tests: connected pairs, blocking peers in threads, and a count of open descriptors."""

from __future__ import annotations

import contextlib
import hashlib
import os
import resource
import socket
import struct
import threading
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "Background",
    "Readable",
    "digest_to_end",
    "free_port",
    "no_leaked_descriptors",
    "open_descriptors",
    "raise_descriptor_limit",
    "read_exactly",
    "read_to_end",
    "reset",
    "tcp_pair",
]

T = TypeVar("T")


class Readable(Protocol):
    """A blocking socket, or what reads like one."""

    def recv(self, size: int, /) -> bytes: ...


def tcp_pair(*, timeout: float | None = 20.0, buffer: int | None = None) -> tuple[socket.socket, socket.socket]:
    """Two ends of one TCP connection over the loopback, blocking, with *timeout*.

    *buffer* sets the kernel's send and receive buffers of both ends, so that back-pressure is felt early.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        if buffer is not None:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        one = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        if buffer is not None:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        one.connect(listener.getsockname())
        other, _ = listener.accept()
    for sock in (one, other):
        if buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(timeout)
    return one, other


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as sock:
        sock.bind((host, 0))
        port: int = sock.getsockname()[1]
        return port


def reset(sock: socket.socket) -> None:
    """Close *sock* so that its peer sees a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def read_exactly(sock: Readable, size: int) -> bytes:
    """Exactly *size* bytes; ``EOFError`` when the stream ends before."""
    data = bytearray()
    while len(data) < size:
        piece = sock.recv(min(size - len(data), 1 << 16))
        if not piece:
            raise EOFError(f"{len(data)} of {size} bytes")
        data += piece
    return bytes(data)


def read_to_end(sock: Readable) -> bytes:
    """Everything until the peer's orderly end."""
    data = bytearray()
    while piece := sock.recv(1 << 16):
        data += piece
    return bytes(data)


def digest_to_end(sock: Readable) -> str:
    """The SHA-256 of everything until the end, for streams too long to keep."""
    digest = hashlib.sha256()
    while piece := sock.recv(1 << 16):
        digest.update(piece)
    return digest.hexdigest()


def open_descriptors() -> frozenset[int]:
    """The descriptors that this process holds now (the one that reads the list excluded)."""
    folder = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"
    return frozenset(fd for fd in map(int, os.listdir(folder)) if _is_open(fd))


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def no_leaked_descriptors() -> Iterator[None]:
    """Fail when the block leaves descriptors open that were not open before it."""
    before = open_descriptors()
    yield
    leaked = open_descriptors() - before
    assert not leaked, f"descriptors left open: {sorted(leaked)}"


def raise_descriptor_limit(wanted: int) -> None:
    """Let this process open at least *wanted* descriptors, as far as the hard limit allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (min(wanted, hard) if hard != resource.RLIM_INFINITY else wanted, hard)
        )


class Background(Generic[T]):
    """A blocking function in a thread of its own; `result` joins it and hands on what it returned or raised."""

    def __init__(self, function: Callable[..., T], *args: Any) -> None:
        self._value: list[T] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(function, args), daemon=True)
        self._thread.start()

    def _run(self, function: Callable[..., T], args: tuple[Any, ...]) -> None:
        try:
            self._value.append(function(*args))
        except BaseException as error:
            self._error = error

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    def result(self, timeout: float = 60.0) -> T:
        """Wait (blocking; from a test that runs a loop use `anyio.to_thread.run_sync`)."""
        self._thread.join(timeout)
        if self._thread.is_alive():
            raise TimeoutError("the peer's thread is still running")
        if self._error is not None:
            raise self._error
        return self._value[0]
