"""The way through a company's proxy: which one, and what it may say."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
import threading
from typing import TYPE_CHECKING

import anyio
import pytest

from tests.peers.proxies import run_squid
from tests.support.connect_proxy import ConnectProxy, answer, answer_at_end, send_raw
from tests.support.sockets import no_leaked_descriptors
from tunnelui.errors import ConfigError, PeerError
from tunnelui.transport.authorities import context_with_authorities
from tunnelui.transport.dial import DialTimeouts, dial
from tunnelui.transport.endpoint import PlainEndpoint
from tunnelui.transport.exchange import read_request_head, read_response_head
from tunnelui.transport.listen import accept_loop, close_listeners, open_listener
from tunnelui.transport.outgoing import OutgoingError, dial_out
from tunnelui.transport.relay import Relay
from tunnelui.transport.tls import start_tls
from tunnelui.transport.way_out import OutgoingProxy, outgoing_proxy
from tunnelui.wire.address import HostPort, TCPListen
from tunnelui.wire.asking import connect_request

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.support.pki import Pki
    from tunnelui.wire.answering import RequestHead

HOST = "proxy.corp.example.com"
TIMEOUTS = DialTimeouts(dns=2, tcp=2)


@pytest.mark.parametrize(
    ("environ", "way"),
    [
        ({}, None),
        ({"HTTPS_PROXY": ""}, None),
        ({"HTTPS_PROXY": "http://p.example.com:3128"}, OutgoingProxy("http", HostPort("p.example.com", 3128))),
        ({"https_proxy": "p.example.com:1", "HTTPS_PROXY": "x:2"}, OutgoingProxy("http", HostPort("p.example.com", 1))),
        ({"ALL_PROXY": "socks5://p.example.com"}, OutgoingProxy("socks5", HostPort("p.example.com", 1080))),
        ({"HTTPS_PROXY": "https://p.example.com"}, OutgoingProxy("https", HostPort("p.example.com", 443))),
        ({"HTTP_PROXY": "http://p.example.com:1"}, None),
        (
            {"HTTPS_PROXY": "http://al%40ice:s%3Acret@p.example.com"},
            OutgoingProxy("http", HostPort("p.example.com", 80), "al@ice", "s:cret"),
        ),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, None),
        ({"HTTPS_PROXY": "http://p:1", "no_proxy": "a.example.com, corp.example.com"}, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": ".corp.example.com"}, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": HOST}, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "orp.example.com"}, OutgoingProxy("http", HostPort("p", 1))),
    ],
)
def test_the_environment_decides(environ: dict[str, str], way: OutgoingProxy | None) -> None:
    assert outgoing_proxy("https", HOST, environ) == way


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "a.localhost"])
def test_the_loopback_is_never_left(host: str) -> None:
    assert outgoing_proxy("https", host, {"HTTPS_PROXY": "http://p:1"}) is None


def test_a_cgi_program_does_not_believe_the_variable() -> None:
    assert outgoing_proxy("http", HOST, {"HTTP_PROXY": "http://p:1", "REQUEST_METHOD": "GET"}) is None


@pytest.mark.parametrize("value", ["ftp://u:secret@p", "http://u:secret@p:port", "http://u:secret@a b"])
def test_what_can_not_be_used_is_told_without_its_password(value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        outgoing_proxy("https", HOST, {"HTTPS_PROXY": value})
    assert caught.value.place == "HTTPS_PROXY"
    assert caught.value.hint
    assert "secret" not in f"{caught.value} {caught.value.hint}"
    assert "secret" not in repr(OutgoingProxy("http", HostPort("p", 1), "u", "secret"))


async def through(address: HostPort, way: OutgoingProxy) -> bytes:
    dialed = await dial_out(address, way, timeouts=TIMEOUTS)
    far = PlainEndpoint(dialed.sock, address=str(address), error=OutgoingError)
    try:
        await far.send_all(b"hello")
        return await far.receive(5)
    finally:
        far.close()


@pytest.fixture
def service() -> Iterator[HostPort]:
    """Sends back what it gets."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    sock, _ = listener.accept()
                    with sock:
                        sock.sendall(sock.recv(5))

        threading.Thread(target=serve, daemon=True).start()
        yield HostPort("127.0.0.1", listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)


async def test_squid_lets_us_through(service: HostPort, tmp_path: Path) -> None:
    with run_squid(tmp_path) as port:
        assert await through(service, OutgoingProxy("http", HostPort("127.0.0.1", port))) == b"hello"


async def test_the_socket_is_handed_over_without_the_watch_of_the_exchange() -> None:
    with ConnectProxy() as proxy:
        way = OutgoingProxy("http", HostPort("127.0.0.1", int(proxy.origin.rpartition(":")[2])))
        dialed = await dial_out(HostPort(HOST, 443), way, timeouts=TIMEOUTS)
        assert not asyncio.get_running_loop().remove_reader(dialed.sock)
        dialed.sock.close()


async def test_credentials_are_sent_to_it_and_to_nobody_else() -> None:
    with ConnectProxy() as proxy:
        way = OutgoingProxy("http", HostPort("127.0.0.1", int(proxy.origin.rpartition(":")[2])), "alice", "s:cret")
        assert await through(HostPort(HOST, 443), way) == b"hello"
        (seen,) = proxy.connects
        assert seen.target == f"{HOST}:443"
        basic = {name.lower(): value for name, value in seen.headers.items()}["proxy-authorization"]
        assert base64.b64decode(basic.removeprefix("Basic ")) == b"alice:s:cret"


async def test_a_proxy_over_tls_carries_tls_inside(pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our TLS to the far side inside the TLS to the company's proxy, ends of one direction included."""
    trust(pki, monkeypatch)
    heads: list[RequestHead] = []
    with ConnectProxy(pki.server_context()) as inner:
        inner.default = answer_at_end
        async with company_proxy(pki.server_context(), heads) as (port, ended):
            way = OutgoingProxy("https", HostPort("localhost", port), "alice", "secret")
            with no_leaked_descriptors():
                dialed = await dial_out(HostPort("127.0.0.1", inner.port), way, timeouts=TIMEOUTS)
                far = await start_tls(dialed.sock, pki.client_context(), server_hostname="localhost", error=PeerError)
                await far.send_all(connect_request(HostPort(HOST, 22), token=None))
                assert (await read_response_head(far, timeout=60)).status == 200
                await far.send_all(b"x" * 300_000)
                far.send_eof()
                await far.drain()
                said = b""
                while data := await far.receive():
                    said += data
                assert said == b"300000 bytes"
                far.close()
                with anyio.fail_after(60):
                    await ended.wait()
    assert heads[0].headers.get("proxy-authorization") is not None
    assert "proxy-authorization" not in inner.connects[0].headers


def trust(pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the test's authority the system's."""
    context_with_authorities()  # what another test has read ahead
    monkeypatch.setenv("SSL_CERT_FILE", pki.ca_file)


@contextlib.asynccontextmanager
async def company_proxy(context: ssl.SSLContext, heads: list[RequestHead]) -> AsyncIterator[tuple[int, anyio.Event]]:
    """A proxy over TLS that goes wherever it is asked to: its port, and what is set when a connection has ended."""
    ended = anyio.Event()

    async def serve(sock: socket.socket) -> None:
        near = await start_tls(sock, context, server_side=True, error=PeerError)
        head = await read_request_head(near, timeout=60)
        heads.append(head)
        assert head.authority is not None
        dialed = await dial(head.authority, error=PeerError)
        await near.send_all(b"HTTP/1.1 200 OK\r\n\r\n")
        await Relay(near, PlainEndpoint(dialed.sock, error=PeerError)).run()
        ended.set()

    def take(sock: socket.socket, _: str) -> None:
        tasks.start_soon(serve, sock)

    listeners = open_listener(TCPListen("127.0.0.1", 0))
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(accept_loop, listeners, take)
            yield listeners[0].getsockname()[1], ended
            tasks.cancel_scope.cancel()
    finally:
        close_listeners(listeners)


async def test_a_proxy_over_tls_that_dies_is_no_orderly_end(pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    trust(pki, monkeypatch)
    with ConnectProxy(pki.server_context()) as inner:
        async with company_proxy(pki.server_context(), []) as (port, _):
            way = OutgoingProxy("https", HostPort("localhost", port))
            dialed = await dial_out(HostPort("127.0.0.1", inner.port), way, timeouts=TIMEOUTS)
            far = await start_tls(dialed.sock, pki.client_context(), server_hostname="localhost", error=PeerError)
            await far.send_all(connect_request(HostPort(HOST, 22), token=None))
            assert (await read_response_head(far, timeout=60)).status == 200
        with pytest.raises(PeerError) as caught, far.within(5):
            await far.receive()
        far.close()
    assert caught.value.code in ("truncated", "reset")


async def test_a_proxy_over_tls_must_be_the_one_that_it_should_be(pki: Pki) -> None:
    with ConnectProxy(pki.server_context()) as proxy:
        way = OutgoingProxy("https", HostPort("localhost", int(proxy.origin.rpartition(":")[2])))
        with pytest.raises(OutgoingError, match="certificate") as caught:
            await through(HostPort(HOST, 443), way)
    assert caught.value.code == "certificate"


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        (answer(407), "407"),
        (answer(403), "403"),
        (send_raw(b"SSH-2.0-x\r\n\r\n"), ""),
        (send_raw(b"HTTP/1.1 200 OK\r\n\r\nahead"), "before the other side"),
        (send_raw(b""), ""),
    ],
)
async def test_a_refusal_names_the_outgoing_proxy(behaviour: object, words: str) -> None:
    with ConnectProxy() as proxy:
        proxy.script.append(behaviour)  # type: ignore[arg-type]
        port = int(proxy.origin.rpartition(":")[2])
        with pytest.raises(OutgoingError, match="outgoing proxy") as caught:
            await through(HostPort(HOST, 443), OutgoingProxy("http", HostPort("127.0.0.1", port)))
    assert f"127.0.0.1:{port}" in str(caught.value)
    assert words in str(caught.value)
    assert caught.value.stage == "tcp"


@pytest.mark.parametrize(
    ("user", "answers", "words"),
    [
        ("", [b"\x05\x00", b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"], None),
        ("", [b"\x05\x00", b"\x05\x00\x00\x03\x01x\x00\x00"], None),
        ("alice", [b"\x05\x02", b"\x01\x00", b"\x05\x00\x00\x04" + bytes(18)], None),
        ("", [b"\x05\xff"], "another way"),
        ("alice", [b"\x05\x00"], "another way"),
        ("alice", [b"\x05\x02", b"\x01\x01"], "does not take the user"),
        ("", [b"\x05\x00", b"\x05\x05\x00\x01"], "refused"),
        ("", [b"\x05\x00", b"\x05\x02\x00\x01"], "does not allow"),
        ("", [b"\x05"], "in the middle"),
    ],
)
async def test_socks(user: str, answers: list[bytes], words: str | None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        asked: list[bytes] = []

        def serve() -> None:
            sock, _ = listener.accept()
            with sock:
                for data in answers:
                    asked.append(sock.recv(1000))
                    sock.sendall(data)
                if words is None:
                    sock.sendall(sock.recv(5))

        thread = threading.Thread(target=serve)
        thread.start()
        way = OutgoingProxy("socks5", HostPort("127.0.0.1", listener.getsockname()[1]), user, "secret" if user else "")
        if words is None:
            assert await through(HostPort(HOST, 443), way) == b"hello"
            assert asked[-1] == b"\x05\x01\x00\x03" + bytes([len(HOST)]) + HOST.encode() + b"\x01\xbb"
        else:
            with pytest.raises(OutgoingError, match=words):
                await through(HostPort(HOST, 443), way)
        await anyio.to_thread.run_sync(thread.join)
