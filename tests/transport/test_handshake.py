"""The handshake: what it tells, what goes wrong in it, and what a foreign client may ask for after it."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import shutil
import socket
import ssl
import subprocess
import time
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from tests.support.sockets import Background, no_leaked_descriptors, read_exactly, reset, tcp_pair
from tests.support.stream_peers import TLSPeer
from tests.transport.conftest import VERSIONS, in_thread
from tunnelui.errors import PeerError
from tunnelui.transport.tls import _HANDSHAKE_SLICE, TLSEndpoint, client_context, server_context, start_tls

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.pki import Pki
    from tests.support.stream_peers import StreamPeer
    from tests.transport.conftest import Wiring

versions = pytest.mark.parametrize("kind", ["tls1.2", "tls1.3"])
roles = pytest.mark.parametrize("server_side", [False, True], ids=["client", "server"])


async def connect(wiring: Wiring, kind: str, *, server_side: bool, **options: Any) -> tuple[TLSEndpoint, StreamPeer]:
    endpoint, peer = await wiring.connect(kind, server_side=server_side, **options)
    assert isinstance(endpoint, TLSEndpoint)
    return endpoint, peer


@versions
@roles
async def test_the_handshake_tells_version_cipher_and_certificate(wiring: Wiring, kind: str, server_side: bool) -> None:
    endpoint, peer = await connect(wiring, kind, server_side=server_side)
    assert endpoint.version == {"tls1.2": "TLSv1.2", "tls1.3": "TLSv1.3"}[kind]
    assert "AES" in endpoint.cipher or "CHACHA20" in endpoint.cipher
    assert (endpoint.peer_certificate is None) == server_side
    endpoint.close()
    peer.close()


async def test_bytes_read_before_the_handshake_belong_to_it(pki: Pki) -> None:
    ours, theirs = tcp_pair()
    shaking = Background(lambda: TLSPeer(theirs, pki.client_context(), server_side=False, server_hostname="localhost"))
    head = await in_thread(ours.recv, 5)  # the first bytes of ClientHello
    endpoint = await start_tls(ours, pki.server_context(), server_side=True, data=head)
    peer = await in_thread(shaking.result)
    await endpoint.send_all(b"hello")
    assert await in_thread(read_exactly, peer, 5) == b"hello"
    endpoint.close()
    peer.close()


async def test_the_last_flight_can_travel_with_the_first_bytes(pki: Pki) -> None:
    ours, theirs = tcp_pair()
    relayed, far = tcp_pair()  # what we send goes through here, so that it can be counted
    shaking = Background(lambda: TLSPeer(far, pki.server_context(), server_side=True))
    starting = asyncio.create_task(start_tls(ours, pki.client_context(), server_hostname="localhost", hold_last=True))
    relayed.sendall(await in_thread(theirs.recv, 1 << 16))  # ClientHello
    theirs.sendall(await in_thread(relayed.recv, 1 << 16))  # all of the server's flight
    endpoint = await starting
    assert endpoint.pending > 0
    theirs.setblocking(False)
    with pytest.raises(BlockingIOError):
        theirs.recv(1)
    await endpoint.send_all(b"hello")
    assert endpoint.pending == 0
    theirs.setblocking(True)
    relayed.sendall(await in_thread(theirs.recv, 1 << 16))
    peer = await in_thread(shaking.result)
    assert await in_thread(read_exactly, peer, 5) == b"hello"
    endpoint.close()
    peer.close()
    relayed.close()
    theirs.close()


async def test_data_that_comes_with_the_last_flight_is_not_forgotten(pki: Pki) -> None:
    ours, theirs = tcp_pair()

    async def client() -> TLSEndpoint:
        peer = await start_tls(theirs, pki.client_context(), server_hostname="localhost", hold_last=True)
        peer.write(b"at once")  # in one packet with the end of the handshake
        return peer

    talking = asyncio.ensure_future(client())
    endpoint = await start_tls(ours, pki.server_context(), server_side=True)
    assert endpoint.buffered
    with anyio.fail_after(60):
        assert await endpoint.receive() == b"at once"
    endpoint.close()
    (await talking).close()


@pytest.mark.parametrize("kind", ["tls1.2", "tls1.3"])
async def test_certificates_longer_than_a_slice_come_whole(pki: Pki, kind: str) -> None:
    names = ["localhost", *(f"host-{number}.{'x' * 50}.example.com" for number in range(400))]
    ours, theirs = tcp_pair()
    context = pki.server_context(*names, version=VERSIONS[kind])
    shaking = Background(lambda: TLSPeer(theirs, context, server_side=True))
    endpoint = await start_tls(ours, pki.client_context(version=VERSIONS[kind]), server_hostname="localhost")
    peer = await in_thread(shaking.result)
    assert len(endpoint.peer_certificate or b"") > 8 * _HANDSHAKE_SLICE
    peer.sendall(b"hello")
    assert await endpoint.receive() == b"hello"
    endpoint.close()
    peer.close()


async def failing_handshake(
    context: ssl.SSLContext,
    peer: Callable[[socket.socket], object],
    *,
    name: str | None = "right.example.com",
    server_side: bool = False,
    timeout: float = 5.0,
) -> PeerError:
    """Shake hands with what *peer* does on its blocking socket, and give the error."""
    ours, theirs = tcp_pair()

    def play() -> None:
        with theirs, contextlib.suppress(OSError):
            peer(theirs)

    playing = Background(play)
    with pytest.raises(PeerError) as caught:
        await start_tls(
            ours,
            context,
            server_hostname=name,
            server_side=server_side,
            timeout=timeout,
            address="proxy.example.com:443",
        )
    assert ours.fileno() == -1, "the socket is left open"
    await in_thread(playing.result)
    assert (caught.value.address, caught.value.stage) == ("proxy.example.com:443", "tls")
    return caught.value


@versions
async def test_a_wrong_name_is_told_with_the_names_in_the_certificate(pki: Pki, wiring: Wiring, kind: str) -> None:
    server = pki.server_context("wrong.example.com", "*.other.example.com", "192.0.2.7")
    server.maximum_version = wiring.context(kind, server_side=True).maximum_version
    error = await failing_handshake(
        client_context(ca_files=[pki.ca_file]), lambda sock: TLSPeer(sock, server, server_side=True)
    )
    assert error.code == "certificate"
    assert "right.example.com" in error.detail
    assert "the certificate is for wrong.example.com, *.other.example.com, 192.0.2.7" in error.detail
    assert "server_name" in error.hint


async def test_a_certificate_with_many_names_shows_a_few(pki: Pki) -> None:
    server = pki.server_context(*(f"host{number}.example.com" for number in range(20)))
    error = await failing_handshake(
        client_context(ca_files=[pki.ca_file]), lambda sock: TLSPeer(sock, server, server_side=True)
    )
    assert "host7.example.com and 12 more" in error.detail
    assert "host8.example.com" not in error.detail


async def test_an_unknown_authority_is_a_certificate_failure(pki: Pki) -> None:
    server = pki.server_context("right.example.com")
    error = await failing_handshake(client_context(), lambda sock: TLSPeer(sock, server, server_side=True))
    assert error.code == "certificate"
    assert "issuer" in error.detail
    assert "right.example.com" in error.detail
    assert "--alternate-ca-path" in error.hint


@pytest.mark.parametrize(
    ("begin", "words", "hint"),
    [
        (2020, "expired", "It ended on 2020-01-02, and this machine's clock says {}. If that is right, "),
        (2900, "not yet valid", "It counts from 2900-01-01 on, and this machine's clock says {}. Set the clock right"),
    ],
)
async def test_a_certificate_out_of_its_time_is_told_with_the_clock(
    pki: Pki, begin: int, words: str, hint: str
) -> None:
    first = datetime.datetime(begin, 1, 1, tzinfo=datetime.UTC)
    files = pki.issue("right.example.com", not_before=first, not_after=first + datetime.timedelta(days=1))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(files.cert_file, files.key_file)
    error = await failing_handshake(
        client_context(ca_files=[pki.ca_file]), lambda sock: TLSPeer(sock, server, server_side=True)
    )
    assert error.code == "certificate"
    assert words in error.detail
    assert error.hint.startswith(hint.format(time.strftime("%Y-%m-%d", time.gmtime())))


async def test_the_peer_is_told_why_it_was_refused(pki: Pki) -> None:
    alerts: list[str] = []

    def serve(sock: socket.socket) -> None:
        try:
            TLSPeer(sock, pki.server_context("right.example.com"), server_side=True)
        except ssl.SSLError as error:
            alerts.append(error.reason or "")

    await failing_handshake(client_context(), serve)
    assert alerts == ["TLSV1_ALERT_UNKNOWN_CA"]


async def test_a_server_that_speaks_something_else_is_a_tls_failure(pki: Pki) -> None:
    def ssh(sock: socket.socket) -> None:
        sock.sendall(b"SSH-2.0-OpenSSH_9.9\r\n")
        sock.recv(10_000)

    error = await failing_handshake(client_context(), ssh)
    assert (error.code, error.detail) == ("tls", "wrong version number")


async def test_a_handshake_that_is_closed_or_reset_or_silent(pki: Pki) -> None:
    context = client_context()
    closed = await failing_handshake(context, lambda sock: sock.recv(10_000))
    assert closed.code == "tls"
    assert "closed during the handshake" in closed.detail

    def cut(sock: socket.socket) -> None:
        sock.recv(1)
        reset(sock)

    assert (await failing_handshake(context, cut)).code == "reset"
    silent = await failing_handshake(context, lambda sock: time.sleep(0.8), timeout=0.3)
    assert silent.code == "timeout"


async def test_the_deadline_is_for_the_whole_handshake_and_not_for_each_byte(pki: Pki) -> None:
    def drip(sock: socket.socket) -> None:
        for value in b"\x16\x03\x01\x02\x00" + bytes(20):
            sock.sendall(bytes([value]))
            time.sleep(0.1)

    started = time.monotonic()
    error = await failing_handshake(pki.server_context(), drip, server_side=True, name=None, timeout=0.5)
    assert error.code == "timeout"
    assert time.monotonic() - started > 0.4


async def test_a_handshake_that_is_late_leaves_no_watch_on_a_number_that_others_get() -> None:
    ours, theirs = tcp_pair()
    number, loop = ours.fileno(), asyncio.get_running_loop()

    async def answer_and_hold_the_loop_up() -> None:
        await asyncio.sleep(0.05)
        theirs.sendall(b"\x16\x03\x03\x00\x7a\x02")
        time.sleep(0.3)  # on purpose: the loop is held up

    busy = asyncio.ensure_future(answer_and_hold_the_loop_up())
    with pytest.raises(PeerError, match="no handshake within"):
        await start_tls(ours, client_context(), server_hostname="localhost", timeout=0.2)
    await busy
    assert ours.fileno() == -1
    assert not loop.remove_reader(number)
    theirs.close()


async def test_a_peer_with_much_to_say_in_its_handshake_lets_others_have_their_turns(pki: Pki) -> None:
    body = b"\x01\x01\xf0\x00" + bytes(0x1F000)  # the longest ClientHello that OpenSSL takes, or nearly
    records = [body[start : start + 0x4000] for start in range(0, len(body), 0x4000)]
    said = b"".join(b"\x16\x03\x01" + len(record).to_bytes(2, "big") + record for record in records)
    passes = 0

    async def others() -> None:
        nonlocal passes
        while True:
            passes += 1
            await asyncio.sleep(0)

    def talk(peer: socket.socket) -> None:
        peer.sendall(said)
        peer.recv(1)

    busy = asyncio.ensure_future(others())
    error = await failing_handshake(pki.server_context(), talk, server_side=True, name=None)
    busy.cancel()
    assert error.code == "tls"
    assert passes > len(said) / _HANDSHAKE_SLICE / 2


async def test_a_client_without_a_common_suite_is_a_tls_failure_for_the_server(pki: Pki) -> None:
    context = pki.client_context(version=ssl.TLSVersion.TLSv1_2)
    context.set_ciphers("AES256-SHA256")
    error = await failing_handshake(
        pki.server_context(),
        lambda sock: TLSPeer(sock, context, server_side=False, server_hostname="localhost"),
        server_side=True,
        name=None,
    )
    assert (error.code, error.detail) == ("tls", "no shared cipher")


async def test_a_cancelled_handshake_closes_the_socket(pki: Pki) -> None:
    ours, theirs = tcp_pair()
    with no_leaked_descriptors():
        task = asyncio.create_task(start_tls(ours, client_context(), server_hostname="localhost"))
        await anyio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert ours.fileno() == -1
    assert await in_thread(theirs.recv, 10_000)
    assert await in_thread(theirs.recv, 10_000) == b""
    theirs.close()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl command is not installed")
@pytest.mark.parametrize(
    ("flag", "command", "ends"),
    [("-tls1_3", b"K\n", "end"), ("-tls1_2", b"R\n", "tls")],
    ids=["key update", "renegotiation"],
)
async def test_a_foreign_client_may_update_keys_and_may_not_renegotiate(
    pki: Pki, flag: str, command: bytes, ends: str
) -> None:
    files = pki.issue()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = subprocess.Popen(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{listener.getsockname()[1]}", flag],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )
        ours, _ = await in_thread(listener.accept)
    endpoint = await start_tls(ours, server_context([(files.cert_file, files.key_file)]), server_side=True)

    def type_it() -> None:
        assert client.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            for line in (b"hello\n", command, b"after\n", b"Q\n"):
                time.sleep(0.2)  # s_client looks for commands at the start of what it reads
                client.stdin.write(line)
        with contextlib.suppress(BrokenPipeError):
            client.stdin.close()

    typing = Background(type_it)
    received = b""
    try:
        while data := await endpoint.receive():
            received += data
            await endpoint.send_all(b"<" + data.strip() + b">")
        how = "end"
    except PeerError as error:
        how = error.code
    endpoint.close()
    await in_thread(typing.result)
    client.stdin = None  # closed already
    out, _ = await in_thread(client.communicate)
    assert how == ends
    assert b"<hello>" in out
    assert (b"<after>" in out) == (ends == "end")
    assert received == (b"hello\nafter\n" if ends == "end" else b"hello\n")
