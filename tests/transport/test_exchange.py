"""One head over an endpoint: in pieces, with data behind it, too late, cut short or wrong."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import anyio
import pytest

from tests.support.sockets import Background
from tests.transport.conftest import in_thread
from tunnelui.errors import UpstreamError
from tunnelui.transport.exchange import read_request_head, read_response_head
from tunnelui.wire.head import MAX_HEAD, HeadError

if TYPE_CHECKING:
    from tests.support.stream_peers import StreamPeer
    from tests.transport.conftest import Wiring

CONNECT = b"CONNECT db.example.com:5432 HTTP/1.1\r\nHost: db.example.com:5432\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nHalf-Close: ?1\r\n\r\n"


@pytest.mark.parametrize("kind", ["plain", "tls1.2", "tls1.3"])
async def test_what_follows_a_request_head_is_left_for_the_relay(wiring: Wiring, kind: str) -> None:
    endpoint, peer = await wiring.connect(kind, server_side=True)
    await in_thread(peer.sendall, CONNECT + b"early data")
    head = await read_request_head(endpoint, timeout=60)
    assert head.is_connect
    assert head.target == "db.example.com:5432"
    await in_thread(peer.sendall, b", later data")
    peer.half_close()
    rest = b""
    while piece := await endpoint.receive():
        rest += piece
    assert rest == b"early data, later data"
    endpoint.close()
    peer.close()


@pytest.mark.parametrize("kind", ["plain", "tls1.3"])
async def test_a_response_head_may_come_byte_by_byte(wiring: Wiring, kind: str) -> None:
    endpoint, peer = await wiring.connect(kind)

    def drip() -> None:
        for value in OK + b"SSH-2.0-x\r\n":
            peer.sendall(bytes([value]))

    dripping = Background(drip)
    head = await read_response_head(endpoint, timeout=60)
    assert (head.status, head.headers.get("half-close")) == (200, "?1")
    await in_thread(dripping.result)
    assert await endpoint.receive(1) == b"S"
    endpoint.close()
    peer.close()


async def test_the_time_is_for_the_whole_head_and_not_for_each_byte(wiring: Wiring) -> None:
    endpoint, peer = await wiring.connect("plain")
    stop = anyio.Event()

    async def drip() -> None:
        for value in CONNECT:
            if stop.is_set():
                return
            peer.sendall(bytes([value]))
            await anyio.sleep(0.05)

    async with anyio.create_task_group() as group:
        group.start_soon(drip)
        started = time.monotonic()
        with pytest.raises(UpstreamError) as caught:
            await read_request_head(endpoint, timeout=0.3)
        stop.set()
    assert 0.25 < time.monotonic() - started < 20
    assert caught.value.code == "timeout"
    assert "0.3 s" in caught.value.detail
    endpoint.close()
    peer.close()


async def give(peer: StreamPeer, data: bytes) -> None:
    await in_thread(peer.sendall, data)
    peer.half_close()


@pytest.mark.parametrize(("sent", "detail"), [(b"", "before a head"), (CONNECT[:20], "in the middle of a head")])
async def test_an_end_before_the_head_is_complete_is_told(wiring: Wiring, sent: bytes, detail: str) -> None:
    endpoint, peer = await wiring.connect("plain")
    await give(peer, sent)
    with pytest.raises(UpstreamError) as caught:
        await read_request_head(endpoint, timeout=60)
    assert (caught.value.code, caught.value.detail) == ("closed", detail)
    endpoint.close()
    peer.close()


async def test_a_head_cut_by_a_reset_is_a_reset(wiring: Wiring) -> None:
    endpoint, peer = await wiring.connect("tls1.3")
    peer.reset()
    with pytest.raises(UpstreamError) as caught:
        await read_response_head(endpoint, timeout=60)
    assert caught.value.code == "reset"
    endpoint.close()


async def test_bytes_that_are_no_head_are_an_error_of_the_grammar(wiring: Wiring) -> None:
    endpoint, peer = await wiring.connect("plain")
    await give(peer, b"SSH-2.0-OpenSSH_9.9\r\n")
    with pytest.raises(HeadError):
        await read_request_head(endpoint, timeout=60)
    endpoint.close()
    peer.close()


async def test_an_endless_head_is_refused_at_its_limit(wiring: Wiring) -> None:
    endpoint, peer = await wiring.connect("plain")
    await give(peer, CONNECT[:-2] + b"X-Long: " + b"a" * (2 * MAX_HEAD))
    with pytest.raises(HeadError):
        await read_request_head(endpoint, timeout=60)
    endpoint.abort()
    peer.close()
