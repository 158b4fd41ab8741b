"""One side of a relay: readiness primitives for the byte path, and the few awaits needed before it.

An `Endpoint` offers two faces. `read_into`, `write`, `flush` and `send_eof` never wait: the relay calls them from the
event loop's callbacks. `receive` and `send_all` wait: they carry the heads that come before the relay. What `unread`
gives back is read first by either.

Only one reader and one writer may use an endpoint at a time.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import socket
import struct
import threading
from abc import ABC, abstractmethod
from typing import Final

from tunnelui.errors import PeerError, ProxyError
from tunnelui.text import clean
from tunnelui.transport.waits import Waits

__all__ = ["CHUNK", "LONG_CHUNK", "WOULD_BLOCK", "Endpoint", "PlainEndpoint", "SocketEndpoint", "scratch"]

WOULD_BLOCK: Final = -1
"""What `Endpoint.read_into` returns when nothing is there yet."""

CHUNK: Final = 1 << 16
"""The most bytes that one read moves, and so what a direction of a tunnel may hold back for a slow peer..."""

LONG_CHUNK: Final = 4 * CHUNK
"""...and the same once it has shown that it carries a stream: larger reads cost less for each byte, and may hold more
back. So what moves little stays small."""

_STREAK: Final = 16  # full reads more than others: again and again, more has come than we took

_MAX_THROWN_AWAY: Final = 1 << 20

_LINGER_RESET: Final = struct.pack("ii", 1, 0)

_CODES: Final = {
    errno.ECONNRESET: "reset",
    errno.ECONNABORTED: "reset",
    errno.EPIPE: "reset",
    errno.ESHUTDOWN: "reset",
    errno.ENOTCONN: "reset",
    errno.ETIMEDOUT: "timeout",
    errno.ECONNREFUSED: "refused",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
    errno.EHOSTDOWN: "unreachable",
    errno.ENETDOWN: "unreachable",
}


class _Scratch(threading.local):
    """Buffers shared by all endpoints of one loop. Their content never outlives the callback that filled them."""

    def __init__(self) -> None:
        self.plain = memoryview(bytearray(LONG_CHUNK))
        self.cipher = memoryview(bytearray(LONG_CHUNK))


scratch: Final = _Scratch()


class Endpoint(Waits, ABC):
    """A byte stream with two ends that close apart.

    :ivar drained: whether the last `read_into` took all there was, so that another one at once would find nothing.
    :ivar address: whom to name in errors.
    :ivar stage: the stage to name in errors; a relay sets it to ``relay``.
    """

    def __init__(self, *, address: str, error: type[PeerError]) -> None:
        super().__init__()
        self.address = address
        self.drained = False
        self.stage = "connect"
        self._error = error
        self._unread = b""
        self._out: memoryview | bytes = b""

    @property
    def buffered(self) -> bool:
        """Whether `read_into` would give something now without the descriptor becoming readable."""
        return bool(self._unread)

    @property
    def pending(self) -> int:
        """How many bytes were written and are not yet taken by the system (for TLS: encrypted bytes)."""
        return len(self._out)

    @abstractmethod
    def read_into(self, buffer: memoryview) -> int:
        """Fill *buffer* from its start: the number of bytes, 0 at the orderly end, or `WOULD_BLOCK`.

        :raises PeerError: ``reset``, ``truncated`` and the like.
        """

    @abstractmethod
    def write(self, data: memoryview | bytes) -> bool:
        """Take all of *data*; true when the system took it too. Otherwise the rest is kept (copied) until `flush`.

        :raises PeerError: the stream is broken.
        """

    @abstractmethod
    def flush(self) -> bool:
        """Hand kept output to the system; true when none is left.

        :raises PeerError: the stream is broken.
        """

    @abstractmethod
    def send_eof(self) -> bool:
        """End the outgoing direction in order; reading goes on. True when nothing is left to `flush`.

        :raises PeerError: the stream is broken.
        """

    @abstractmethod
    def close(self) -> None:
        """Close at once, without waiting. Idempotent."""

    @abstractmethod
    def abort(self) -> None:
        """Close so that the peer sees a reset, where the medium can say so. Idempotent."""

    def unread(self, data: bytes) -> None:
        """Put *data* back in front of what is read next."""
        self._unread = bytes(data) + self._unread

    def failure(self, code: str, detail: str = "", hint: str | None = None) -> PeerError:
        """An error of this endpoint's class that names its address and stage."""
        return self._error(code, address=self.address, stage=self.stage, detail=detail, hint=hint)

    async def receive(self, limit: int = CHUNK) -> bytes:
        """Wait for bytes and return up to *limit* of them; ``b""`` at the orderly end.

        :raises PeerError: the stream is broken.
        """
        # Where the last read took all, only the loop knows of more; after the limit nobody waits for it.
        if not self.drained or self.buffered or self._late():
            data = self._some(limit)
            if data is not None:
                return data
        return await self._when_readable(functools.partial(self._some, limit), self.unread)

    def _some(self, limit: int) -> bytes | None:
        size = self.read_into(scratch.plain[:limit])
        return None if size == WOULD_BLOCK else bytes(scratch.plain[:size])

    async def send_all(self, data: bytes) -> None:
        """Write *data* and wait until the system has taken it.

        :raises PeerError: the stream is broken.
        """
        if not self.write(data):
            await self.drain()

    async def drain(self) -> None:
        """Wait until the system has taken all that was written.

        :raises PeerError: the stream is broken.
        """
        while not self.flush():
            await self._writable()

    async def finish(self, *, timeout: float = 1.0) -> None:
        """End in order and close, for an exchange that ends without a relay.

        Closing while the peer's bytes are unread makes the system send a reset, which may overtake our last answer. So
        the end is sent first, and what still comes is thrown away until the peer ends too, *timeout* seconds have
        passed or too much has come. Trouble on the way is of no interest any more.
        """
        try:
            with contextlib.suppress(PeerError, TimeoutError), self.within(timeout):
                self.send_eof()
                await self.drain()
                rest = _MAX_THROWN_AWAY
                while rest > 0 and (data := await self.receive()):
                    rest -= len(data)
        finally:
            self.close()

    def _take_unread(self, buffer: memoryview) -> int:
        size = min(len(buffer), len(self._unread))
        buffer[:size] = self._unread[:size]
        self._unread = self._unread[size:]
        self.drained = False
        return size


class SocketEndpoint(Endpoint):
    """What plain and TLS endpoints share: the socket, its kept output and its two ways to close. It owns *sock*."""

    def __init__(self, sock: socket.socket, *, address: str = "", error: type[PeerError] = ProxyError) -> None:
        super().__init__(address=address, error=error)
        if sock.gettimeout() != 0.0:
            sock.setblocking(False)
        self._sock = sock
        self._full_reads = 0
        self.read_fd = self.write_fd = sock.fileno()

    @property
    def sock(self) -> socket.socket:
        """The raw socket, for its options and addresses."""
        return self._sock

    def close(self) -> None:
        self._forget()
        self._sock.close()

    def abort(self) -> None:
        self._forget()
        if self._sock.fileno() >= 0:
            # A Unix socket has no reset.
            with contextlib.suppress(OSError):
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
            self._sock.close()

    def _forget(self) -> None:
        self._stop_waiting()
        self._unread = b""
        self._out = b""
        self.read_fd = self.write_fd = -1

    def _recv(self, buffer: memoryview, limit: int) -> int:
        most = CHUNK if self._full_reads < _STREAK else LONG_CHUNK
        if limit > most:
            limit = most
        try:
            size = self._sock.recv_into(buffer, limit)
            # The end of the stream is announced again, as readability.
            self.drained = size < limit
            if most == CHUNK:
                if size == limit:
                    self._full_reads += 1
                elif self._full_reads:
                    self._full_reads -= 1
            return size
        except (BlockingIOError, InterruptedError):
            return WOULD_BLOCK
        except OSError as error:
            raise self._mapped(error) from error

    def _send(self, data: memoryview | bytes) -> int:
        try:
            return self._sock.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            raise self._mapped(error) from error

    def _mapped(self, error: OSError) -> PeerError:
        return self.failure(_CODES.get(error.errno or 0, "closed"), clean(error.strerror or str(error)))


class PlainEndpoint(SocketEndpoint):
    """A stream socket as it is: TCP or Unix."""

    def read_into(self, buffer: memoryview) -> int:
        if self._unread:
            return self._take_unread(buffer)
        return self._recv(buffer, len(buffer))

    def write(self, data: memoryview | bytes) -> bool:
        if self._out:
            self._out = bytes(self._out) + data
            return self.flush()
        sent = self._send(data)
        if sent == len(data):
            return True
        self._out = memoryview(bytes(data[sent:]))
        return False

    def flush(self) -> bool:
        if self._out:
            self._out = self._out[self._send(self._out) :]
        return not self._out

    def send_eof(self) -> bool:
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            raise self._mapped(error) from error
        return True
