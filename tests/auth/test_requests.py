"""Requests of a sign-in through a company's proxy."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from tests.auth.login_server import LoginServer
from tests.support.pki import Pki
from tunnelui.auth.login_url import fetch_login_url
from tunnelui.auth.requests import ask
from tunnelui.config.profile import Profile
from tunnelui.engine.identities import Contexts
from tunnelui.errors import ProxyError, TunnelError
from tunnelui.transport.authorities import context_with_authorities
from tunnelui.wire.destination import ProxyOrigin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOST = "proxy.corp.example.com"


@contextmanager
def socks_to(port: int) -> Iterator[tuple[int, list[bytes]]]:
    """A SOCKS5 server that brings one connection to *port* of the loopback, whatever name it is asked for."""
    asked: list[bytes] = []

    def serve() -> None:
        near, _ = listener.accept()
        with near, socket.create_connection(("127.0.0.1", port)) as far:
            near.recv(100)
            near.sendall(b"\x05\x00")
            asked.append(near.recv(1000))
            near.sendall(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
            far.sendall(near.recv(65536))
            while data := far.recv(65536):
                near.sendall(data)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1], asked
        thread.join(10)


@contextmanager
def company_proxy(port: int, context: ssl.SSLContext | None) -> Iterator[tuple[int, list[bytes]]]:
    """A CONNECT proxy, over TLS with *context*, that brings every connection to *port* of the loopback."""
    heads: list[bytes] = []

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def serve(sock: socket.socket) -> None:
        with suppress(OSError), sock if context is None else context.wrap_socket(sock, server_side=True) as near:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += near.recv(1)
            heads.append(head)
            near.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            with socket.create_connection(("127.0.0.1", port)) as far:
                back = threading.Thread(target=pump, args=(far, near), daemon=True)
                back.start()
                pump(near, far)
                back.join(10)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1], heads
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki(tmp_path)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("named", [True, False], ids=["server_name", "host"])
async def test_the_name_that_counts_behind_a_company_s_proxy(
    pki: Pki, monkeypatch: pytest.MonkeyPatch, scheme: str, named: bool
) -> None:
    """The proxy's certificate is checked for the profile's name, the company's for the company's."""
    context_with_authorities()  # what another test has read ahead
    monkeypatch.setenv("SSL_CERT_FILE", pki.ca_file)
    own = "inside.example.com"
    served = pki.server_context(own) if named else pki.server_context(HOST)
    company = pki.server_context("localhost") if scheme == "https" else None
    path = "/.pomerium/api/v1/login?pomerium_redirect_uri=http://127.0.0.1:1/x"
    with LoginServer(context=served) as server, company_proxy(server.port, company) as (port, heads):
        monkeypatch.setenv("HTTPS_PROXY", f"{scheme}://localhost:{port}")
        contexts = Contexts()
        profile = Profile(ca_file=pki.ca_file, server_name=own if named else "")
        origin = ProxyOrigin("https", HOST, 443)
        status, _ = await ask("GET", path, origin, lambda: contexts.make(profile))
        assert status == 200
        assert heads[0].startswith(f"CONNECT {HOST}:443 ".encode())
        assert await fetch_login_url(origin, "http://127.0.0.1:4711/x", ssl_context=lambda: contexts.make(profile))
        wrong = Profile(ca_file=pki.ca_file, server_name="other.example.com")
        with pytest.raises(ProxyError, match="certificate"):
            await ask("GET", path, origin, lambda: contexts.make(wrong))


@contextmanager
def alerting(context: ssl.SSLContext, connections: int) -> Iterator[int]:
    """A server on the loopback whose handshakes fail; it goes on reading, so that its alert arrives."""

    def serve() -> None:
        for _ in range(connections):
            sock, _ = listener.accept()
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            connection = context.wrap_bio(incoming, outgoing, server_side=True)
            with sock, suppress(OSError):
                while data := sock.recv(65536):
                    incoming.write(data)
                    with suppress(ssl.SSLError):
                        connection.do_handshake()
                    sock.sendall(outgoing.read())

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(10)


async def test_a_client_certificate_that_is_missed_after_the_handshake_is_told(pki: Pki) -> None:
    """TLS 1.3: the client is done before the server has looked at its (missing) certificate."""
    server = pki.server_context("127.0.0.1")
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_verify_locations(pki.ca_file)
    with alerting(server, 2) as port:
        origin = ProxyOrigin("https", "127.0.0.1", port)
        for going in (
            lambda: ask("GET", "/", origin, pki.client_context),
            lambda: fetch_login_url(origin, "http://127.0.0.1:4711/x", ssl_context=pki.client_context),
        ):
            with pytest.raises(TunnelError, match="certificate required") as caught:
                await going()
            assert "client certificate" in caught.value.hint


async def test_a_sign_in_goes_through_socks_with_the_name_for_the_other_side(monkeypatch: pytest.MonkeyPatch) -> None:
    with LoginServer() as server, socks_to(server.port) as (port, asked):
        monkeypatch.setenv("ALL_PROXY", f"socks5h://127.0.0.1:{port}")
        origin = ProxyOrigin("http", HOST, 80)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        path = "/.pomerium/api/v1/login?pomerium_redirect_uri=http://127.0.0.1:1/x"
        status, body = await ask("GET", path, origin, lambda: context)
    assert (status, body[:4]) == (200, b"http")
    assert asked == [b"\x05\x01\x00\x03" + bytes([len(HOST)]) + HOST.encode() + b"\x00\x50"]
