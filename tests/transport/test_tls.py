"""TLS endpoints in both roles: half-close, its trap, cuts and back-pressure."""

from __future__ import annotations

import os
import random
import socket
import ssl
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from tests.support.sockets import Background, read_to_end, tcp_pair
from tests.support.stream_peers import TLSPeer
from tests.transport.conftest import in_thread
from tunnelui.errors import ProxyError, UpstreamError
from tunnelui.transport.endpoint import CHUNK, LONG_CHUNK, WOULD_BLOCK
from tunnelui.transport.tls import TLSEndpoint, client_context, start_tls

if TYPE_CHECKING:
    from tests.support.pki import Pki
    from tests.support.stream_peers import StreamPeer
    from tests.transport.conftest import Wiring

versions = pytest.mark.parametrize("kind", ["tls1.2", "tls1.3"])
roles = pytest.mark.parametrize("server_side", [False, True], ids=["client", "server"])


async def connect(wiring: Wiring, kind: str, *, server_side: bool, **options: Any) -> tuple[TLSEndpoint, StreamPeer]:
    endpoint, peer = await wiring.connect(kind, server_side=server_side, **options)
    assert isinstance(endpoint, TLSEndpoint)
    return endpoint, peer


async def after_tickets(endpoint: TLSEndpoint, peer: StreamPeer) -> None:
    """Nothing is left in the socket, so that records may be handed over past it."""
    await in_thread(peer.sendall, b"hello")
    assert await endpoint.receive() == b"hello"


async def receive_to_end(endpoint: TLSEndpoint) -> bytes:
    data = b""
    while piece := await endpoint.receive():
        data += piece
    return data


@versions
@roles
async def test_reading_goes_on_after_our_end_and_the_peers_end_is_seen_once_and_again(
    wiring: Wiring, kind: str, server_side: bool
) -> None:
    endpoint, peer = await connect(wiring, kind, server_side=server_side)
    await endpoint.send_all(b"question")
    endpoint.send_eof()
    assert await in_thread(read_to_end, peer) == b"question"
    answer = os.urandom(1_000_000)

    def reply() -> None:
        peer.sendall(answer)
        peer.half_close()

    replying = Background(reply)
    assert await receive_to_end(endpoint) == answer
    assert await endpoint.receive() == b""
    await in_thread(replying.result)
    endpoint.close()
    peer.close()


@versions
@roles
async def test_writing_goes_on_after_the_peers_end(wiring: Wiring, kind: str, server_side: bool) -> None:
    endpoint, peer = await connect(wiring, kind, server_side=server_side)
    peer.half_close()
    assert await endpoint.receive() == b""
    data = os.urandom(1_000_000)
    reading = Background(read_to_end, peer)
    await endpoint.send_all(data)
    assert endpoint.send_eof()
    assert await in_thread(reading.result) == data
    endpoint.close()
    peer.close()


@versions
@roles
async def test_records_that_wait_inside_survive_our_end(wiring: Wiring, kind: str, server_side: bool) -> None:
    # APPLICATION_DATA_AFTER_CLOSE_NOTIFY: whole records are in the incoming BIO when close_notify is made.
    endpoint, peer = await connect(wiring, kind, server_side=server_side)
    records = [os.urandom(1000) for _ in range(8)]
    for record in records:
        peer.sendall(record)
    await anyio.sleep(0.05)
    endpoint.unread(b"older ")
    assert await endpoint.receive(6) == b"older "
    start = await endpoint.receive(10)
    assert endpoint.buffered
    endpoint.unread(start)
    endpoint.send_eof()
    assert await in_thread(read_to_end, peer) == b""
    peer.sendall(b"and more")
    peer.half_close()
    assert await receive_to_end(endpoint) == b"".join(records) + b"and more"
    endpoint.close()
    peer.close()


@versions
@pytest.mark.parametrize("room", [CHUNK // 2, CHUNK + 1000, LONG_CHUNK])
async def test_a_long_read_comes_whole_and_in_order_with_its_end(wiring: Wiring, kind: str, room: int) -> None:
    """More than OpenSSL is handed at once, into a buffer that is smaller, a little larger, or larger by far."""
    endpoint, peer = await connect(wiring, kind, server_side=False, buffer=4 * LONG_CHUNK)
    endpoint._full_reads = 1 << 10  # it carries a stream
    data = os.urandom(3 * LONG_CHUNK + 4321)

    def send() -> None:
        peer.sendall(data)
        peer.half_close()

    sending, got, buffer = Background(send), bytearray(), memoryview(bytearray(room))
    with anyio.fail_after(60):
        while size := endpoint.read_into(buffer):
            if size == WOULD_BLOCK:
                await anyio.sleep(0.01)  # so that much comes together
            else:
                got += buffer[:size]
    await in_thread(sending.result)
    assert got == data
    endpoint.close()
    peer.close()


@versions
@pytest.mark.parametrize("room", [20_000, LONG_CHUNK])
@pytest.mark.parametrize("seed", range(5))
async def test_records_of_any_length_cut_anywhere_come_whole_and_in_order(
    wiring: Wiring, kind: str, room: int, seed: int
) -> None:
    endpoint, peer = await connect(wiring, kind, server_side=False)
    await after_tickets(endpoint, peer)
    assert isinstance(peer, TLSPeer)
    chance, data, cipher = random.Random(seed), bytearray(), bytearray()
    for _ in range(60):
        record = chance.randbytes(chance.choice([1, 100, 5000, 1 << 14, 1 << 14]))
        peer.tls.write(record)
        data += record
        cipher += peer._out.read()
    with pytest.raises(ssl.SSLWantReadError):
        peer.tls.unwrap()
    rest, got, buffer = memoryview(cipher + peer._out.read()), bytearray(), memoryview(bytearray(room))
    while rest:
        piece, rest = rest[: (length := chance.choice([1, 5, 3000, 40_000, 100_000, LONG_CHUNK]))], rest[length:]
        size = endpoint._decrypt(buffer, piece)
        while size > 0:
            got += buffer[:size]
            size = endpoint._decrypt(buffer) if endpoint.buffered else WOULD_BLOCK
    assert size == 0, "the end has come, and not before"
    assert got == data
    endpoint.close()
    peer.close()


@versions
async def test_a_long_read_asks_in_vain_for_no_record_but_the_last(wiring: Wiring, kind: str) -> None:
    endpoint, peer = await connect(wiring, kind, server_side=False)
    await after_tickets(endpoint, peer)
    assert isinstance(peer, TLSPeer)
    asked = in_vain = 0
    read = endpoint._read

    def counting(size: int, buffer: memoryview) -> int:
        nonlocal asked, in_vain
        asked += 1
        try:
            return read(size, buffer)
        except ssl.SSLWantReadError:
            in_vain += 1
            raise

    endpoint._read = counting
    for _ in range(16):
        peer.tls.write(bytes(1 << 14))
    cipher = memoryview(peer._out.read())[:-100]
    assert endpoint._decrypt(memoryview(bytearray(LONG_CHUNK)), cipher) == 15 << 14
    assert (asked, in_vain) == (16, 1)
    endpoint.close()
    peer.close()


async def test_what_is_broken_in_a_later_slice_breaks_the_stream(wiring: Wiring) -> None:
    endpoint, peer = await connect(wiring, "tls1.3", server_side=False, buffer=4 * LONG_CHUNK)
    endpoint._full_reads = 1 << 10
    assert isinstance(peer, TLSPeer)
    peer.tls.write(bytes(1 << 14))
    good = peer._out.read()
    endpoint._sock.setblocking(True)  # all of it in one read
    peer.sock.sendall(good + b"\x17\x03\x03\x40\x11" + bytes(0x4011) + bytes(2 * CHUNK))
    await anyio.sleep(0.1)
    with pytest.raises(UpstreamError) as caught:
        endpoint.read_into(memoryview(bytearray(LONG_CHUNK)))
    assert caught.value.code == "tls"
    endpoint.close()
    peer.close()


@versions
@roles
async def test_an_end_that_came_along_with_data_is_kept_for_later(wiring: Wiring, kind: str, server_side: bool) -> None:
    endpoint, peer = await connect(wiring, kind, server_side=server_side)
    peer.sendall(b"last words")
    peer.half_close()
    await anyio.sleep(0.05)
    assert await endpoint.receive() == b"last words"
    assert endpoint.buffered, "no event will announce the end"
    endpoint.send_eof()
    assert await endpoint.receive() == b""
    endpoint.close()
    peer.close()


@versions
@roles
async def test_a_stream_without_close_notify_is_truncated(wiring: Wiring, kind: str, server_side: bool) -> None:
    endpoint, peer = await connect(wiring, kind, server_side=server_side)
    peer.sendall(b"half")
    peer.sock.shutdown(socket.SHUT_WR)
    assert await endpoint.receive() == b"half"
    with pytest.raises(UpstreamError) as caught:
        await endpoint.receive()
    assert caught.value.code == "truncated"
    endpoint.close()
    peer.close()


@versions
async def test_a_reset_is_reported_as_one(wiring: Wiring, kind: str) -> None:
    endpoint, peer = await connect(wiring, kind, server_side=False)
    peer.reset()
    with pytest.raises(UpstreamError) as caught:
        await endpoint.receive()
    assert (caught.value.code, caught.value.stage) == ("reset", "connect")
    with pytest.raises(UpstreamError):
        await endpoint.send_all(b"x")
    endpoint.abort()


@versions
@roles
async def test_a_full_buffer_leaves_the_rest_readable_without_an_event(
    wiring: Wiring, kind: str, server_side: bool
) -> None:
    endpoint, peer = await connect(wiring, kind, server_side=server_side)
    data = os.urandom(3 * CHUNK)
    sending = Background(peer.sendall, data)
    received = await endpoint.receive(1)
    while len(received) < len(data):
        # As a relay does: what is buffered is read before anything is waited for.
        received += await endpoint.receive(997)
    assert received == data
    await in_thread(sending.result)
    assert endpoint.read_into(memoryview(bytearray(10))) == WOULD_BLOCK
    assert not endpoint.buffered
    endpoint.close()
    peer.close()


async def test_what_the_socket_does_not_take_is_kept_and_flushed_in_order(wiring: Wiring) -> None:
    endpoint, peer = await connect(wiring, "tls1.3", server_side=False, buffer=4096)
    blocks = [os.urandom(CHUNK) for _ in range(4)]
    assert not endpoint.write(blocks[0])
    for block in blocks[1:]:
        endpoint.write(block)
    assert endpoint.pending > 3 * CHUNK
    assert not endpoint.send_eof()
    reading = Background(read_to_end, peer)
    with anyio.fail_after(60):
        await endpoint.drain()
    assert endpoint.pending == 0
    assert await in_thread(reading.result) == b"".join(blocks)
    endpoint.close()
    peer.close()


async def test_a_client_that_is_refused_after_the_handshake_learns_it_when_it_reads(pki: Pki) -> None:
    # TLS 1.3: the client is done before the server has looked at its (missing) certificate.
    context = pki.server_context(version=ssl.TLSVersion.TLSv1_3)
    context.verify_mode = ssl.CERT_REQUIRED
    ours, theirs = tcp_pair()
    shaking = Background(lambda: TLSPeer(theirs, context, server_side=True))
    endpoint = await start_tls(ours, client_context(ca_files=[pki.ca_file]), server_hostname="localhost")
    with pytest.raises(ProxyError) as caught:
        await endpoint.receive()
    assert caught.value.code == "tls"
    assert "certificate required" in caught.value.detail
    with pytest.raises(ssl.SSLError):
        await in_thread(shaking.result)
    endpoint.close()
    theirs.close()


@versions
async def test_a_peer_that_begins_handshakes_over_and_over_is_cut_off(
    wiring: Wiring, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A stand-in for refused renegotiations: OpenSSL's answers pile up while the peer takes none of them.
    endpoint, peer = await connect(wiring, kind, server_side=True, buffer=4096)
    monkeypatch.setattr("tunnelui.transport.tls._MAX_PENDING", 2 * CHUNK)
    assert not endpoint.write(bytes(CHUNK))
    endpoint._outgoing.write(bytes(CHUNK // 2))
    peer.sendall(b"x")
    assert await endpoint.receive() == b"x"
    endpoint._outgoing.write(bytes(CHUNK))
    peer.sendall(b"x")
    with pytest.raises(UpstreamError) as caught:
        await endpoint.receive()
    assert caught.value.code == "tls"
    endpoint.abort()
    peer.close()
