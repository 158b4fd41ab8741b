"""What comes before a decision: handshakes and heads that are slow, broken or try to hide something."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest

from tests.server.gateway.harness import ControlStandIn, Upstream, World, connect_head, read_all, status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OPEN, CLOSED = "open.example.com:1", "closed.example.com:1"


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as service:
        yield service


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: Path, upstream: Upstream) -> Iterator[World]:
    to = f"to: 'tcp://127.0.0.1:{upstream.port}'"
    routes = (
        f"- {{from: 'tcp+https://{OPEN}', {to}, allow_public_unauthenticated_access: true}}\n"
        f"- {{from: 'tcp+https://{CLOSED}', {to}, allowed_users: [nobody@example.com]}}\n"
    )
    limit: int = getattr(request, "param", 20)
    with World(tmp_path / "w", routes, limit=limit).running() as made:
        yield made


soon = pytest.mark.parametrize("world", [1], indirect=True)
"""For tests that wait for the limit of a head or a handshake: one second."""


@pytest.fixture
def control(world: World) -> Iterator[ControlStandIn]:
    made = ControlStandIn(world.control_path)
    yield made
    made.close()


HOST = f"Host: {OPEN}\r\n".encode()
LINE = f"CONNECT {OPEN} HTTP/1.1\r\n".encode()
HIDDEN = LINE + HOST + b"\r\n"


@pytest.mark.parametrize(
    "head",
    [
        LINE.replace(b"\r\n", b"\n") + HOST.replace(b"\r\n", b"\n") + b"\n",
        LINE + HOST + b"A: b\r\n c\r\n\r\n",
        LINE + HOST + b"A: b\rc\r\n\r\n",
        LINE + HOST + b"A: b\x00c\r\n\r\n",
        LINE + HOST + b"A: \x1b[2J\r\n\r\n",
        LINE + HOST + b"A : b\r\n\r\n",
        LINE + HOST + b": b\r\n\r\n",
        LINE + HOST + HOST + b"\r\n",
        LINE + b"\r\n",
        LINE + b"Host: other.example.com:1\r\n\r\n",
        b"CONNECT http://open.example.com:1/ HTTP/1.1\r\n" + HOST + b"\r\n",
        b"CONNECT open.example.com HTTP/1.1\r\nHost: open.example.com\r\n\r\n",
        b"CONNECT open.example.com:99999 HTTP/1.1\r\nHost: open.example.com:99999\r\n\r\n",
        b"CONNECT u@open.example.com:1 HTTP/1.1\r\nHost: u@open.example.com:1\r\n\r\n",
        b"CONNECT open%00.example.com:1 HTTP/1.1\r\nHost: open%00.example.com:1\r\n\r\n",
        LINE + HOST + b"Content-Length: 5\r\n\r\nhello",
        LINE + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        LINE.replace(b"1.1", b"1.0") + HOST + b"\r\n",
        LINE.replace(b"1.1", b"2.0") + HOST + b"\r\n",
        LINE.replace(b"CONNECT", b"connect") + HOST + b"\r\n",
        LINE.replace(b" ", b"  ") + HOST + b"\r\n",
        b"\r\n" + HIDDEN,
        LINE + HOST + b"Authorization: Pomerium a\r\nAuthorization: Pomerium b\r\n\r\n",
        LINE + HOST + b"A: b\r\n" * 64 + b"\r\n",
        LINE + HOST + b"A: " + b"x" * 20_000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 40\r\n\r\n" + HIDDEN,
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n" + HIDDEN,
        b"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.0\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
    ],
)
def test_every_doubtful_head_is_refused_closed_and_reaches_nobody(
    world: World, upstream: Upstream, control: ControlStandIn, head: bytes
) -> None:
    with world.dial() as sock:
        sock.sendall(head)
        answer = read_all(sock)
    assert status(answer) in (400, 414, 431)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"\r\nConnection: close\r\n" in answer
    assert upstream.connects == 0
    assert control.received == []


@pytest.mark.parametrize("token", ["", "x"])
def test_after_a_refusal_nothing_more_is_answered(world: World, upstream: Upstream, token: str) -> None:
    first = connect_head(CLOSED, token or None) + b"payload" * 100
    with world.dial() as sock:
        sock.sendall(first + connect_head(OPEN))
        time.sleep(0.1)
        sock.sendall(connect_head(OPEN))
        answer = read_all(sock)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert status(answer) == 302
    assert upstream.connects == 0


@soon
def test_a_slow_head_ends_at_the_total_time_however_it_drips(world: World) -> None:
    began = time.monotonic()
    with world.dial() as sock:
        sock.settimeout(0.1)
        data = b""
        for byte in connect_head(OPEN) + b"x" * 100:
            try:
                sock.sendall(bytes([byte]))
                data += sock.recv(4096)
                break
            except TimeoutError:
                continue
        sock.settimeout(30)
        data += read_all(sock)
    assert status(data) == 408
    assert 0.9 < time.monotonic() - began < 8


@soon
def test_silence_after_the_handshake_ends_at_the_same_time(world: World) -> None:
    began = time.monotonic()
    with world.dial() as sock:
        assert status(read_all(sock)) == 408
    assert 0.9 < time.monotonic() - began < 8


@soon
def test_a_handshake_that_does_not_come_is_not_waited_for(world: World) -> None:
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", world.port), timeout=30) as sock:
        sock.sendall(b"\x16\x03\x01")
        assert sock.recv(100) == b""
    assert 0.9 < time.monotonic() - began < 8


def test_plain_text_to_the_tls_port_is_closed(world: World) -> None:
    with socket.create_connection(("127.0.0.1", world.port), timeout=30) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"HTTP/1.1" not in sock.recv(4096)


class TestHandOver:
    def test_a_request_goes_to_the_control_plane_bytes_and_all(self, world: World, control: ControlStandIn) -> None:
        request = b"POST /x?y HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Forwarded-For: 6.6.6.6\r\nContent-Length: 4\r\n\r\nbody"
        with world.dial() as sock:
            port = sock.getsockname()[1]
            sock.sendall(request)
            assert read_all(sock).startswith(b"HTTP/1.1 204 ")
        (received,) = control.received
        line, _, rest = received.partition(b"\r\n")
        assert line == f"PROXY TCP4 127.0.0.1 127.0.0.1 {port} {world.port}".encode()
        assert rest == request

    def test_a_control_plane_that_comes_back_is_waited_for(self, world: World) -> None:
        with world.dial() as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            time.sleep(0.3)
            control = ControlStandIn(world.control_path)
            assert read_all(sock).startswith(b"HTTP/1.1 204 ")
            control.close()

    def test_one_that_stays_away_is_503_and_tunnels_do_not_care(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tunnelui_server.gateway.handover._PATIENCE", 0.3)
        answer = world.ask(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert status(answer) == 503
        assert b"\r\nRetry-After: " in answer
        with world.connect(OPEN, payload=b"hello") as sock:
            assert sock.recv(10) == b"hello"


def test_the_second_listener_serves_pages_over_plain_http_and_no_tunnels(tmp_path: Path, upstream: Upstream) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    route = f"- {{from: 'tcp+https://{OPEN}', to: 'tcp://127.0.0.1:{upstream.port}', allowed_groups: [staff]}}\n"
    made = World(tmp_path / "w", route, more=f"authenticate_service_url: http://127.0.0.1:{port}\n")
    with made.running() as world:
        control = ControlStandIn(world.control_path)
        assert world.addresses.sign_in == f"http://127.0.0.1:{port}"
        for request, code in ((b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 204), (connect_head(OPEN), 403)):
            with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
                sock.sendall(request)
                assert status(read_all(sock)) == code
        location = f"\r\nLocation: http://127.0.0.1:{port}/.pomerium/sign_in\r\n".encode()
        assert location in world.ask(connect_head(OPEN))
        control.close()
    assert upstream.connects == 0
