"""A gateway in a thread of its own, on real sockets, with a real store; upstreams that count; clients that block."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import re
import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any, Self

from anyio.from_thread import start_blocking_portal

from tests.support.hashes import PASSWORD_HASH
from tests.support.pki import Pki
from tunnelui.transport.dial import system_resolver
from tunnelui_server.config import ServerConfig, load_config
from tunnelui_server.gateway import Gateway
from tunnelui_server.identity import Person
from tunnelui_server.observe.logs import AUDIT_LOGGER, JSONFormatter
from tunnelui_server.sessions import Session, TokenSigner, new_session_id, open_store, token_issuer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tunnelui.transport.dial import Resolver

BASE = """address: 127.0.0.1:0
state_dir: state
idp_provider: local
local_users:
- {email: alice@example.com, password_hash: "HASH"}
groups: {staff: [alice@example.com]}
head_timeout: LIMIT
handshake_timeout: LIMIT
upstream_connect_timeout: LIMIT
shutdown_grace: LIMIT
"""
TLS = "certificate_file: 1.pem\ncertificate_key_file: 1-key.pem\n"
PLAIN = "insecure_server: true\n"
REQUEST_ID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def echo(sock: socket.socket) -> None:
    while data := sock.recv(65536):
        sock.sendall(data)


class Upstream:
    """A service that counts who comes."""

    def __init__(self, behave: Callable[[socket.socket], None] = echo) -> None:
        self._behave = behave
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self._accepted = 0
        self._knocks: dict[int, threading.Event] = {}  # by the port of who knocks
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, (_, port) = self._listener.accept()
            except OSError:
                return
            if (knock := self._knocks.get(port)) is not None:
                sock.close()
                knock.set()
                continue
            self._accepted += 1
            sock.settimeout(100)
            self._open.add(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    @property
    def connects(self) -> int:
        """How many have come. A system takes connections for its programs and hands them over in their order: we knock
        once ourselves, and then nobody is on the way any more."""
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            knock = self._knocks.setdefault(sock.getsockname()[1], threading.Event())
            sock.connect(("127.0.0.1", self.port))
            assert knock.wait(60)
            del self._knocks[sock.getsockname()[1]]
        return self._accepted

    def _serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError), sock:
            self._behave(sock)
        self._open.discard(sock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in tuple(self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)


class ControlStandIn:
    """A Unix socket that keeps what it is told and says one thing."""

    def __init__(self, path: Path, answer: bytes = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n") -> None:
        self.received: list[bytes] = []
        self._answer = answer
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with sock, contextlib.suppress(OSError):
                sock.settimeout(30)
                data = sock.recv(65536)
                while data.count(b"\r\n\r\n") < 1:
                    data += sock.recv(65536)
                self.received.append(data)
                sock.sendall(self._answer)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


class World:
    """Everything around one gateway."""

    def __init__(
        self,
        folder: Path,
        routes: str,
        *,
        more: str = "",
        tls: bool = True,
        resolve: Resolver | None = None,
        limit: int = 20,
    ) -> None:
        """*limit*: seconds that a head, a handshake, an upstream and the end have; few where a test waits for it."""
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.pki = Pki(folder)
        files = self.pki.issue()
        os.chmod(files.key_file, 0o600)
        path = folder / "config.yaml"
        text = BASE + (TLS if tls else PLAIN) + more + "routes:\n" + routes
        path.write_text(text.replace("HASH", PASSWORD_HASH).replace("LIMIT", f"{limit}s"))
        path.chmod(0o600)
        self.tls = tls
        self.config: ServerConfig = load_config(path, {})
        self.control_path = folder / "c.sock"
        self.context = self.pki.client_context()
        self._resolve = resolve or system_resolver
        self._log = io.StringIO()

    @contextlib.contextmanager
    def running(self) -> Iterator[Self]:
        handler = logging.StreamHandler(self._log)
        handler.setFormatter(JSONFormatter())
        root, audit = logging.getLogger(), logging.getLogger(AUDIT_LOGGER)
        levels = root.level, audit.level
        root.addHandler(handler)
        root.setLevel(logging.DEBUG)
        audit.setLevel(logging.INFO)
        try:
            with start_blocking_portal() as portal:
                self.portal = portal
                self.store = portal.call(self._open_store)
                self.gateway = portal.call(self._make)
                addresses = portal.call(self.gateway.open)
                self.port = int(addresses.proxy.rpartition(":")[2])
                self.addresses = addresses
                self.finished = portal.start_task_soon(self.gateway.run)
                try:
                    yield self
                finally:
                    portal.call(self.gateway.stop)
                    portal.call(self.gateway.stop)
                    self.finished.result(60)
                    portal.call(self.store.aclose)
        finally:
            root.removeHandler(handler)
            root.setLevel(levels[0])
            audit.setLevel(levels[1])

    async def _open_store(self) -> Any:
        path = self.config.databroker_storage_connection_string
        secret = self.config.shared_secret_bytes
        return await open_store("sqlite", path, shared_secret=secret, poll_interval=0.2)

    async def _make(self) -> Gateway:
        return Gateway(self.config, store=self.store, control_socket=str(self.control_path), resolve=self._resolve)

    def sign_in(self, email: str = "alice@example.com", *, life: float = 3600, **person: Any) -> tuple[str, str]:
        """Put a session into the store: its id and a token for it."""
        now = time.time()
        who = Person(user_id=person.pop("user_id", email), email=email, **person)
        session = Session(new_session_id(), who, now, now + life, "local")
        self.portal.call(self.store.create, session)
        signer = TokenSigner(self.config.shared_secret_bytes, token_issuer(self.config.authenticate_url))
        return session.id, signer.issue(session)

    def dial(self) -> socket.socket:
        sock: socket.socket = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        if self.tls:
            sock = self.context.wrap_socket(sock, server_hostname="127.0.0.1", suppress_ragged_eofs=False)
        return sock

    def ask(self, data: bytes) -> bytes:
        """Send bytes on a new connection and return all that comes until it ends."""
        with self.dial() as sock:
            sock.sendall(data)
            return read_all(sock)

    def connect(
        self, authority: str, token: str | None = None, *, fields: str = "", payload: bytes = b""
    ) -> socket.socket:
        """Ask for a tunnel and return the connection after the head of a 200; any other answer fails the test."""
        sock = self.dial()
        sock.sendall(connect_head(authority, token, fields=fields) + payload)
        head = b""
        while b"\r\n\r\n" not in head:
            data = sock.recv(1)
            assert data, head
            head += data
        assert head.startswith(b"HTTP/1.1 200 "), head
        return sock

    @property
    def log(self) -> str:
        return self._log.getvalue()

    def events(self, message: str, **match: Any) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.log.splitlines()]
        return [
            line
            for line in lines
            if line["message"] == message and all(line.get(key) == value for key, value in match.items())
        ]

    def event(self, message: str, *, within: float = 60.0, **match: Any) -> dict[str, Any]:
        """The one line with that message and those fields; waits for it."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            if found := self.events(message, **match):
                assert len(found) == 1, found
                return found[0]
            time.sleep(0.02)
        raise AssertionError(f"no line {message!r} with {match} in\n{self.log}")


def connect_head(authority: str, token: str | None = None, *, fields: str = "") -> bytes:
    authorization = f"Authorization: Pomerium {token}\r\n" if token else ""
    return f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n{authorization}{fields}\r\n".encode("latin-1")


def read_all(sock: socket.socket) -> bytes:
    """Everything until the end; a reset counts as an end, and is told by its name."""
    data = b""
    with contextlib.suppress(ssl.SSLEOFError):
        while piece := sock.recv(65536):
            data += piece
    return data


def status(answer: bytes) -> int:
    return int(answer[9:12]) if answer.startswith(b"HTTP/1.1 ") else 0


def masked(answer: bytes) -> bytes:
    """An answer without its request id."""
    assert REQUEST_ID.search(answer)
    return REQUEST_ID.sub(b"ID", answer)
