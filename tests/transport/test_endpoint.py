"""Plain endpoints: reading, writing, ends, and what is left when they close."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import time

import anyio
import pytest

from tests.support.sockets import Background, no_leaked_descriptors, read_exactly, read_to_end, reset, tcp_pair
from tests.transport.conftest import in_thread
from tunnelui.errors import PeerError, ProxyError, UpstreamError
from tunnelui.transport.endpoint import CHUNK, LONG_CHUNK, WOULD_BLOCK, PlainEndpoint


async def test_receive_waits_for_bytes_and_for_the_end() -> None:
    ours, theirs = tcp_pair()
    endpoint = PlainEndpoint(ours)
    async with anyio.create_task_group() as group:

        async def later() -> None:
            await anyio.sleep(0.05)
            theirs.sendall(b"hello")

        group.start_soon(later)
        assert await endpoint.receive() == b"hello"
    theirs.shutdown(socket.SHUT_WR)
    assert await endpoint.receive() == b""
    endpoint.close()
    theirs.close()


async def test_receive_keeps_to_its_limit_and_loses_nothing() -> None:
    ours, theirs = tcp_pair()
    endpoint = PlainEndpoint(ours)
    theirs.sendall(b"abcdef")
    assert await endpoint.receive(4) == b"abcd"
    endpoint.unread(b"cd")
    endpoint.unread(b"ab")
    assert (endpoint.buffered, endpoint.pending) == (True, 0)
    assert await endpoint.receive(3) == b"abc"
    assert await endpoint.receive(3) == b"d"
    assert (endpoint.buffered, endpoint.pending) == (False, 0)
    assert await endpoint.receive() == b"ef"
    endpoint.close()
    theirs.close()


async def test_send_all_waits_until_everything_is_taken() -> None:
    ours, theirs = tcp_pair(buffer=4096)
    endpoint = PlainEndpoint(ours)
    data = os.urandom(1_000_000)
    reading = Background(read_to_end, theirs)
    await endpoint.send_all(data)
    assert endpoint.pending == 0
    endpoint.send_eof()
    assert await in_thread(reading.result) == data
    endpoint.close()
    theirs.close()


async def test_what_the_socket_does_not_take_is_copied_and_kept_in_order() -> None:
    ours, theirs = tcp_pair(buffer=4096)
    endpoint = PlainEndpoint(ours)
    buffer = bytearray(b"a" * CHUNK)
    assert not endpoint.write(memoryview(buffer))
    buffer[:] = b"!" * CHUNK
    kept = endpoint.pending
    assert 0 < kept < CHUNK
    assert not endpoint.write(b"z" * 10)
    assert 0 < endpoint.pending <= kept + 10
    reading = Background(read_exactly, theirs, CHUNK + 10)
    await endpoint.drain()
    assert await in_thread(reading.result) == b"a" * CHUNK + b"z" * 10
    endpoint.close()
    theirs.close()


async def test_reading_goes_on_after_our_end() -> None:
    ours, theirs = tcp_pair()
    endpoint = PlainEndpoint(ours)
    assert endpoint.send_eof()
    assert theirs.recv(1) == b""
    theirs.sendall(b"answer")
    assert await endpoint.receive() == b"answer"
    endpoint.close()
    theirs.close()


async def test_nothing_there_would_block() -> None:
    ours, theirs = tcp_pair()
    endpoint = PlainEndpoint(ours)
    assert endpoint.read_into(memoryview(bytearray(1))) == WOULD_BLOCK
    endpoint.close()
    theirs.close()


async def test_a_reset_names_the_address_the_stage_and_the_reason() -> None:
    ours, theirs = tcp_pair()
    endpoint = PlainEndpoint(ours, address="db.example.com:5432", error=UpstreamError)
    endpoint.stage = "first_byte"
    reset(theirs)
    with pytest.raises(UpstreamError) as caught:
        await endpoint.receive()
    error = caught.value
    assert (error.code, error.address, error.stage) == ("reset", "db.example.com:5432", "first_byte")
    assert error.detail == os.strerror(errno.ECONNRESET)
    with pytest.raises(UpstreamError) as caught:
        endpoint.write(b"x")
    assert caught.value.code == "reset"
    with pytest.raises(UpstreamError) as caught:
        endpoint.send_eof()
    assert caught.value.code == "reset"
    endpoint.close()


async def test_a_closed_endpoint_fails_in_its_own_class_and_closes_again() -> None:
    ours, theirs = tcp_pair()
    endpoint = PlainEndpoint(ours)
    endpoint.close()
    endpoint.close()
    endpoint.abort()
    with pytest.raises(ProxyError) as caught:
        await endpoint.receive()
    assert caught.value.code == "closed"
    theirs.close()


async def test_closing_ends_in_order_and_aborting_resets() -> None:
    ours, theirs = tcp_pair()
    PlainEndpoint(ours).close()
    assert theirs.recv(1) == b""
    theirs.close()
    ours, theirs = tcp_pair()
    PlainEndpoint(ours).abort()
    with pytest.raises(ConnectionResetError):
        theirs.recv(1)
    theirs.close()


async def test_a_unix_socket_can_be_aborted_too() -> None:
    ours, theirs = socket.socketpair()
    PlainEndpoint(ours).abort()
    assert theirs.recv(1) == b""
    theirs.close()


async def test_closing_wakes_who_waits_and_frees_the_descriptors_number() -> None:
    ours, theirs = tcp_pair()
    endpoint = PlainEndpoint(ours)
    number = ours.fileno()
    other, peer = socket.socketpair()
    failed = []

    async def wait() -> None:
        try:
            await endpoint.receive()
        except PeerError as error:
            failed.append(error.code)

    async with anyio.create_task_group() as group:
        group.start_soon(wait)
        await anyio.sleep(0.02)
        endpoint.close()
        # The same number for another socket, at once: the loop must not confuse the two.
        os.dup2(other.fileno(), number)
        second = PlainEndpoint(socket.socket(fileno=number))
        reading = asyncio.create_task(second.receive())
        await anyio.sleep(0.02)
        peer.send(b"for the second")
        with anyio.fail_after(60):
            assert await reading == b"for the second"
    assert failed == ["closed"]
    second.close()
    for sock in (other, peer, theirs):
        sock.close()


async def test_a_cancelled_wait_leaves_the_loop_clean() -> None:
    ours, theirs = tcp_pair()
    endpoint = PlainEndpoint(ours)
    with anyio.move_on_after(0.02):
        await endpoint.receive()
    assert not asyncio.get_running_loop().remove_reader(ours.fileno())
    endpoint.close()
    theirs.close()


async def test_finish_delivers_the_answer_although_the_peer_has_sent_more() -> None:
    # Closing with unread bytes would reset the connection and may take the answer along.
    with no_leaked_descriptors():
        ours, theirs = tcp_pair()
        endpoint = PlainEndpoint(ours)
        theirs.sendall(b"request, and then early data that nobody wants")
        assert await endpoint.receive(7) == b"request"
        await endpoint.send_all(b"refused")

        def peer() -> bytes:
            answer = read_to_end(theirs)
            theirs.sendall(b"still talking")
            theirs.close()
            return answer

        talking = Background(peer)
        await endpoint.finish()
        assert await in_thread(talking.result) == b"refused"


async def test_finish_waits_no_longer_than_it_was_told() -> None:
    ours, theirs = tcp_pair()
    started = time.monotonic()
    await PlainEndpoint(ours).finish(timeout=0.2)
    assert 0.15 < time.monotonic() - started < 8
    assert ours.fileno() == -1
    reset(theirs)


async def test_finish_takes_trouble_lightly_and_endless_talk_not_at_all() -> None:
    ours, theirs = tcp_pair()
    reset(theirs)
    await PlainEndpoint(ours).finish()
    assert ours.fileno() == -1

    ours, theirs = tcp_pair()

    def talk() -> None:
        while True:
            theirs.sendall(bytes(65536))

    talking = Background(talk)
    started = time.monotonic()
    await PlainEndpoint(ours).finish(timeout=10)
    assert time.monotonic() - started < 5
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        await in_thread(talking.result)
    theirs.close()


async def test_no_wait_is_longer_than_the_innermost_limit() -> None:
    ours, theirs = tcp_pair()
    endpoint = PlainEndpoint(ours)
    began = time.monotonic()
    with endpoint.within(30):
        with pytest.raises(TimeoutError), endpoint.within(0.1):
            await endpoint.receive()
        assert 0.1 <= time.monotonic() - began < 20
        with pytest.raises(TimeoutError), endpoint.within(0.1), endpoint.within(30):
            await endpoint.receive()
        theirs.sendall(b"in time")
        assert await endpoint.receive() == b"in time"
    theirs.sendall(b"late")
    await anyio.sleep(0.05)
    with endpoint.within(-1):  # what is there is taken, and no wait begins after the limit
        assert await endpoint.receive() == b"late"
        with pytest.raises(TimeoutError):
            await endpoint.receive()
    theirs.sendall(b"no limit")
    assert await endpoint.receive() == b"no limit"
    endpoint.close()
    theirs.close()


async def test_a_slow_drip_does_not_outlast_the_limit() -> None:
    ours, theirs = tcp_pair()
    endpoint = PlainEndpoint(ours)
    began = time.monotonic()

    async def drip() -> None:
        while True:
            theirs.send(b".")
            await anyio.sleep(0.02)

    async with anyio.create_task_group() as group:
        group.start_soon(drip)
        with pytest.raises(TimeoutError), endpoint.within(0.3):
            while True:
                await endpoint.receive(1)
        group.cancel_scope.cancel()
    assert 0.3 <= time.monotonic() - began < 20
    endpoint.close()
    theirs.close()


async def test_a_watch_is_kept_from_one_wait_to_the_next_and_never_spins() -> None:
    ours, theirs = tcp_pair()
    endpoint, loop = PlainEndpoint(ours), asyncio.get_running_loop()
    theirs.sendall(b"1")
    assert await endpoint.receive() == b"1"  # without a wait
    reading = asyncio.ensure_future(endpoint.receive())
    await asyncio.sleep(0)
    theirs.sendall(b"2")
    assert await reading == b"2"
    looks = 0
    look = endpoint._on_readable

    def count() -> None:
        nonlocal looks
        looks += 1
        look()

    endpoint.watch(count)
    theirs.sendall(b"3")  # for nobody: heard once
    await anyio.sleep(0.05)
    assert looks == 1
    assert not loop.remove_reader(ours.fileno())
    with anyio.fail_after(60):
        assert await endpoint.receive() == b"3"
    theirs.shutdown(socket.SHUT_WR)
    with anyio.fail_after(60):
        assert await endpoint.receive() == b""
    endpoint.close()
    theirs.close()


async def test_what_came_in_the_moment_of_a_cancellation_is_read_by_the_next() -> None:
    ours, theirs = tcp_pair()
    endpoint = PlainEndpoint(ours)
    reading = asyncio.ensure_future(endpoint.receive())
    await asyncio.sleep(0)
    theirs.sendall(b"precious")
    endpoint._on_readable()  # as the loop does; who waits has not gone on yet
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    with anyio.fail_after(60):
        assert await endpoint.receive() == b"precious"
    endpoint.close()
    theirs.close()


async def test_one_wait_costs_one_read() -> None:
    ours, theirs = tcp_pair()
    endpoint, reads = PlainEndpoint(ours), 0
    recv = endpoint._recv

    def count(buffer: memoryview, limit: int) -> int:
        nonlocal reads
        reads += 1
        return recv(buffer, limit)

    endpoint._recv = count  # type: ignore[method-assign]
    theirs.sendall(b"0")
    assert await endpoint.receive() == b"0"
    for number in range(1, 11):
        reading = asyncio.ensure_future(endpoint.receive())
        await anyio.sleep(0.002)
        theirs.sendall(b"%d" % number)
        assert await reading == b"%d" % number
    assert reads == 11
    endpoint.close()
    theirs.close()


async def test_one_who_watches_takes_the_place_of_the_one_before() -> None:
    ours, theirs = tcp_pair()
    endpoint, calls = PlainEndpoint(ours), list[str]()

    def second() -> None:
        calls.append("second")
        endpoint.unwatch()

    endpoint.watch(lambda: calls.append("first"))
    endpoint.watch(second)
    theirs.sendall(b"x")
    await anyio.sleep(0.05)
    endpoint.unwatch()
    assert calls == ["second"]
    assert await endpoint.receive() == b"x"
    endpoint.close()
    theirs.close()


async def test_an_inner_limit_that_was_left_does_not_end_the_outer_one() -> None:
    ours, theirs = tcp_pair()
    endpoint, loop = PlainEndpoint(ours), asyncio.get_running_loop()
    with endpoint.within(0.4):
        with endpoint.within(0.1):
            reading = asyncio.ensure_future(endpoint.receive())
            await asyncio.sleep(0)
            theirs.sendall(b"x")
            assert await reading == b"x"
        began = loop.time()
        with pytest.raises(TimeoutError):  # the timer of the inner one comes on the way
            await endpoint.receive()
        assert 0.2 < loop.time() - began < 20
    assert endpoint._timer is None
    endpoint.close()
    theirs.close()


def timer_of(endpoint: PlainEndpoint) -> asyncio.TimerHandle | None:
    return endpoint._timer


async def test_the_timer_of_a_limit_that_was_left_ends_nothing_and_serves_the_next_one() -> None:
    ours, theirs = tcp_pair()
    endpoint, loop = PlainEndpoint(ours), asyncio.get_running_loop()

    async def read_a_byte() -> None:
        reading = asyncio.ensure_future(endpoint.receive())
        await asyncio.sleep(0)
        theirs.sendall(b"x")
        assert await reading == b"x"

    with endpoint.within(0.1):
        await read_a_byte()
    timer = timer_of(endpoint)
    assert timer is not None
    with endpoint.within(60):
        await read_a_byte()
    assert timer_of(endpoint) is timer, "a later limit needs no timer of its own"
    reading = asyncio.ensure_future(endpoint.receive())
    while timer_of(endpoint) is not None:
        await asyncio.sleep(0.01)
    assert not reading.done(), "it waits for as long as it takes"
    theirs.sendall(b"y")
    assert await reading == b"y"
    began = loop.time()
    with endpoint.within(0.1), pytest.raises(TimeoutError):
        await endpoint.receive()
    assert 0.05 < loop.time() - began < 20
    endpoint.close()
    theirs.close()


async def test_whoever_watches_from_then_on_needs_no_timer() -> None:
    ours, theirs = tcp_pair()
    endpoint = PlainEndpoint(ours)
    with endpoint.within(60):
        reading = asyncio.ensure_future(endpoint.receive())
        await asyncio.sleep(0)
        theirs.sendall(b"x")
        assert await reading == b"x"
    assert timer_of(endpoint) is not None
    endpoint.watch(lambda: None)
    assert timer_of(endpoint) is None
    endpoint.close()
    theirs.close()


async def test_closing_forgets_the_limit() -> None:
    ours, theirs = tcp_pair()
    endpoint = PlainEndpoint(ours)
    with endpoint.within(60):
        waiting = asyncio.ensure_future(endpoint.receive())
        await asyncio.sleep(0)
        endpoint.close()
        with pytest.raises(PeerError):
            await waiting
        assert endpoint._timer is None
    theirs.close()


async def test_only_what_carries_a_stream_reads_much_at_once() -> None:
    ours, theirs = tcp_pair()
    for side, option in ((ours, socket.SO_RCVBUF), (theirs, socket.SO_SNDBUF)):
        side.setsockopt(socket.SOL_SOCKET, option, 4 * LONG_CHUNK)
    endpoint, buffer = PlainEndpoint(ours), memoryview(bytearray(LONG_CHUNK))
    theirs.setblocking(False)
    sizes: list[int] = []

    def fill() -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                theirs.send(bytes(LONG_CHUNK))

    for _ in range(40):
        fill()
        await anyio.sleep(0.005)
        sizes.append(endpoint.read_into(buffer))
    assert max(sizes[:16]) == CHUNK
    assert max(sizes) > CHUNK, "a stream was not noticed"
    endpoint.close()
    theirs.close()
