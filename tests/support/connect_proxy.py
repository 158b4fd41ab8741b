"""A CONNECT proxy that behaves as a test tells it, well or badly. Real sockets and TLS, one thread per connection.

``script`` holds the behaviour of the next connections, one each; ``default`` serves when it is empty. With ``tokens``
set, a CONNECT without one of them is answered 302 before any behaviour runs. ``idle`` holds what the next connections
meet after the handshake, before their head is read (``None``: nothing). ``GET /.pomerium/api/v1/login`` is
answered as the real thing does; `sign_in` plays the browser.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import struct
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

LOGIN = "/.pomerium/api/v1/login"


class Ragged(Exception):
    """The client ended without close_notify, or reset."""


@dataclass
class Seen:
    """One request head, as it came."""

    method: str
    target: str
    headers: dict[str, str]

    @property
    def token(self) -> str | None:
        scheme, _, value = self.headers.get("authorization", "").partition(" ")
        return value if scheme == "Pomerium" else None


@dataclass(eq=False)
class Peer:
    """The proxy's end of one connection: blocking, with real half-close over TLS."""

    sock: socket.socket
    context: ssl.SSLContext | None
    seen: Seen | None = None
    _buffer: bytes = b""
    _in: ssl.MemoryBIO = field(default_factory=ssl.MemoryBIO)
    _out: ssl.MemoryBIO = field(default_factory=ssl.MemoryBIO)
    _tls: ssl.SSLObject | None = None

    def handshake(self) -> None:
        if self.context is None:
            return
        self._tls = self.context.wrap_bio(self._in, self._out, server_side=True)
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                self._fill()
                continue
            self._flush()
            return

    def read(self, limit: int = 65536) -> bytes:
        """Return some bytes, or b"" at a clean end."""
        if self._buffer:
            data, self._buffer = self._buffer[:limit], self._buffer[limit:]
            return data
        if self._tls is None:
            return self.sock.recv(limit)
        while True:
            try:
                return self._tls.read(limit)
            except ssl.SSLWantReadError:
                self._fill()
            except ssl.SSLZeroReturnError:
                return b""

    def write(self, data: bytes) -> None:
        if self._tls is None:
            self.sock.sendall(data)
            return
        self._tls.write(data)
        self._flush()

    def end(self) -> None:
        """Half-close: close_notify over TLS, FIN without."""
        if self._tls is None:
            self.sock.shutdown(socket.SHUT_WR)
            return
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLError):
            self._tls.unwrap()
        self._flush()

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def read_head(self) -> Seen:
        data = b""
        while b"\r\n\r\n" not in data:
            more = self.read()
            if not more:
                raise Ragged
            data += more
        head, _, self._buffer = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return Seen(method, target, headers)

    def _fill(self) -> None:
        data = self.sock.recv(65536)
        if not data:
            raise Ragged
        self._in.write(data)

    def _flush(self) -> None:
        self.sock.sendall(self._out.read())


def answer(status: int, body: bytes = b"", **headers: str) -> Callable[[Peer], None]:
    """Answer and close, as proxies do. Underscores in *headers* stand for hyphens."""

    def behave(peer: Peer) -> None:
        peer.write(render(status, body, **headers))
        peer.end()

    return behave


def render(status: int, body: bytes = b"", /, **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} {http.client.responses.get(status, '')}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if status >= 300:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def send_raw(data: bytes) -> Callable[[Peer], None]:
    """Send bytes in place of an answer, then end cleanly."""

    def behave(peer: Peer) -> None:
        peer.write(data)
        peer.end()

    return behave


def _half_close(on: bool) -> dict[str, str]:
    return {"Half_Close": "?1"} if on else {}


def say_nothing(peer: Peer) -> None:
    """Keep the connection and never answer."""
    with contextlib.suppress(Ragged):
        while peer.read():
            pass


def reset_at_once(peer: Peer) -> None:
    peer.reset()


def echo(peer: Peer, *, half_close: bool = True) -> None:
    """Open, send everything back, end when the client ends."""
    peer.write(render(200, b"", **_half_close(half_close), X_Request_Id="req-200"))
    while data := peer.read():
        peer.write(data)
    peer.end()


def greet_then(
    finish: Callable[[Peer], object], greeting: bytes = b"hello", *, half_close: bool = True
) -> Callable[[Peer], None]:
    """Open, send a greeting, wait for one read, then *finish*."""

    def behave(peer: Peer) -> None:
        peer.write(render(200, b"", **_half_close(half_close)) + greeting)
        peer.read()
        finish(peer)

    return behave


def answer_at_end(peer: Peer) -> None:
    """Open, read to the end, then say how much came: only works with real half-close."""
    peer.write(render(200, Half_Close="?1"))
    total = 0
    while data := peer.read():
        total += len(data)
    peer.write(b"%d bytes" % total)
    peer.end()


class ConnectProxy:
    """Runs from ``start`` to ``stop``; started again it keeps its port."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.context = context
        self.script: deque[Callable[[Peer], None]] = deque()
        self.default: Callable[[Peer], None] = echo
        self.idle: deque[Callable[[Peer], None] | None] = deque()
        self.tokens: set[str] | None = None
        self.unauthenticated = 302
        self.seen: list[Seen] = []
        self.logins: list[str] = []
        self.accepted = 0
        self.port = 0
        self._listener: socket.socket | None = None
        self._threads: list[threading.Thread] = []
        self._peers: set[Peer] = set()
        self._lock = threading.Lock()

    @property
    def origin(self) -> str:
        return f"{'https' if self.context else 'http'}://127.0.0.1:{self.port}"

    @property
    def open_connections(self) -> int:
        return len(self._peers)

    @property
    def connects(self) -> list[Seen]:
        return [seen for seen in self.seen if seen.method == "CONNECT"]

    def destination(self, target: str = "db.example.com:5432") -> str:
        return f"tcp+{self.origin}/{target}"

    def start(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(256)
        self.port = listener.getsockname()[1]
        self._listener = listener
        thread = threading.Thread(target=self._accept, args=(listener,), daemon=True)
        thread.start()
        self._threads = [thread]

    def stop(self) -> None:
        """Die as a killed process does: every connection is reset."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        with self._lock:
            for peer in self._peers:
                with contextlib.suppress(OSError):
                    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    peer.sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    def __enter__(self) -> ConnectProxy:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(100)
            thread = threading.Thread(target=self._serve, args=(Peer(sock, self.context),), daemon=True)
            with self._lock:
                self.accepted += 1
                self._threads = [t for t in self._threads if t.is_alive()] + [thread]
            thread.start()

    def _serve(self, peer: Peer) -> None:
        with self._lock:
            self._peers.add(peer)
        try:
            peer.handshake()
            if (idle := self.idle.popleft() if self.idle else None) is not None:
                idle(peer)
            seen = peer.seen = peer.read_head()
            self._behave(peer, seen)
        except (Ragged, OSError):
            pass
        finally:
            with self._lock:
                self._peers.discard(peer)
            peer.sock.close()

    def _behave(self, peer: Peer, seen: Seen) -> None:
        with self._lock:
            self.seen.append(seen)
            behave: Callable[[Peer], None]
            if seen.method != "CONNECT":
                behave = self._login
            elif self.tokens is not None and seen.token not in self.tokens:
                behave = answer(self.unauthenticated, Location=f"{self.origin}/sign-in")
            else:
                behave = self.script.popleft() if self.script else self.default
        behave(peer)

    def _login(self, peer: Peer) -> None:
        assert peer.seen is not None
        url = urlsplit(peer.seen.target)
        if url.path != LOGIN:
            answer(404)(peer)
            return
        redirect = parse_qs(url.query)["pomerium_redirect_uri"][0]
        self.logins.append(redirect)
        body = f"{self.origin}/sign-in?redirect={quote(redirect, safe='')}".encode()
        answer(200, body, Content_Type="text/plain", Content_Length=str(len(body)))(peer)

    def sign_in(self, token: str, *, accept: bool = True) -> int:
        """Play the browser of the latest login: deliver *token* to its redirect URI, follow one redirect as browsers
        do, and return the status of the last page."""
        if accept and self.tokens is not None:
            self.tokens.add(token)
        url = urlsplit(self.logins[-1])
        assert url.hostname is not None
        target = f"{url.path or '/'}?pomerium_jwt={token}"
        for _ in range(2):
            client = http.client.HTTPConnection(url.hostname, url.port, timeout=10)
            try:
                client.request("GET", target)
                response = client.getresponse()
            finally:
                client.close()
            location = response.getheader("Location")
            if response.status != 303 or location is None:
                break
            target = urlsplit(location).path
        return response.status
