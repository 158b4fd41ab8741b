"""Blocking peers for tunnels, plain and TLS, with half-close; they share no code with the package under test."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from typing import Protocol

from tests.support.sockets import reset

__all__ = ["PlainPeer", "StreamPeer", "TLSPeer"]


class StreamPeer(Protocol):
    """One end of a stream. One thread may send while another one receives."""

    sock: socket.socket

    def sendall(self, data: bytes) -> None: ...

    def recv(self, size: int = 65536, /) -> bytes:
        """Bytes, or ``b""`` at the orderly end; `ConnectionResetError` or `ConnectionAbortedError` at any other."""
        ...

    def half_close(self) -> None:
        """End the outgoing direction and nothing else."""
        ...

    def reset(self) -> None: ...

    def close(self) -> None:
        """Close the socket with nothing said before."""
        ...


class PlainPeer:
    """A TCP or Unix socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    def sendall(self, data: bytes) -> None:
        self.sock.sendall(data)

    def recv(self, size: int = 65536, /) -> bytes:
        return self.sock.recv(size)

    def half_close(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        reset(self.sock)

    def close(self) -> None:
        self.sock.close()


class TLSPeer:
    """TLS in either role. The constructor shakes hands."""

    def __init__(
        self, sock: socket.socket, context: ssl.SSLContext, *, server_side: bool, server_hostname: str | None = None
    ) -> None:
        self.sock = sock
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._in, self._out, server_side=server_side, server_hostname=server_hostname)
        self._stash = b""
        self._object = threading.Lock()  # an SSL object serves one thread at a time
        self._sending = threading.Lock()  # records leave in the order in which they were made
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                self._fill()
            except ssl.SSLError:
                self._flush()  # the alert
                raise
            else:
                self._flush()
                break

    def _flush(self) -> None:
        if self._out.pending:
            self.sock.sendall(self._out.read())

    def _fill(self) -> None:
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionAbortedError("the stream ended without close_notify")
        with self._object:
            self._in.write(data)

    def sendall(self, data: bytes) -> None:
        view = memoryview(data)
        for at in range(0, len(view), 65536):
            with self._sending:
                with self._object:
                    self.tls.write(view[at : at + 65536])
                    out = self._out.read()
                self.sock.sendall(out)

    def recv(self, size: int = 65536, /) -> bytes:
        while True:
            try:
                with self._object:
                    if self._stash:
                        piece, self._stash = self._stash[:size], self._stash[size:]
                        return piece
                    return self.tls.read(size)
            except ssl.SSLWantReadError:
                self._fill()
            except ssl.SSLZeroReturnError:
                return b""

    def half_close(self) -> None:
        with self._sending:
            with self._object:
                # OpenSSL does not forgive a data record that waits when close_notify is sent: take it out first.
                with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLZeroReturnError):
                    while piece := self.tls.read(65536):
                        self._stash += piece
                with contextlib.suppress(ssl.SSLWantReadError):
                    self.tls.unwrap()
                out = self._out.read()
            self.sock.sendall(out)

    def reset(self) -> None:
        reset(self.sock)

    def close(self) -> None:
        self.sock.close()
