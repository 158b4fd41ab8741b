"""Requests of a sign-in through a company's proxy."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.auth.login_server import LoginServer
from tunnelui.auth.requests import ask
from tunnelui.wire.destination import ProxyOrigin

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

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
        listener.settimeout(10)
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1], asked
        thread.join(10)


async def test_a_sign_in_goes_through_socks_with_the_name_for_the_other_side(monkeypatch: pytest.MonkeyPatch) -> None:
    with LoginServer() as server, socks_to(server.port) as (port, asked):
        monkeypatch.setenv("ALL_PROXY", f"socks5h://127.0.0.1:{port}")
        origin = ProxyOrigin("http", HOST, 80)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        path = "/.pomerium/api/v1/login?pomerium_redirect_uri=http://127.0.0.1:1/x"
        status, body = await ask("GET", path, origin, lambda: context)
    assert (status, body[:4]) == (200, b"http")
    assert asked == [b"\x05\x01\x00\x03" + bytes([len(HOST)]) + HOST.encode() + b"\x00\x50"]
