"""What a tunnel promises to the programs at its ends."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import os
import socket
import time
import weakref
from contextlib import ExitStack
from typing import TYPE_CHECKING

import anyio
import pytest

from tests.support.sockets import Background, digest_to_end, no_leaked_descriptors, read_exactly, read_to_end
from tests.transport.conftest import Tunnel, in_thread
from tunnelui.errors import UpstreamError
from tunnelui.transport.endpoint import WOULD_BLOCK, Endpoint, PlainEndpoint
from tunnelui.transport.relay import LONG_TURN, TURN, Relay, RelayCause

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from tests.support.stream_peers import StreamPeer
    from tests.transport.conftest import Wiring

    Tunnels = Callable[..., AbstractAsyncContextManager[Tunnel]]

# Near and far: the client's two sides, the gateway's two sides, and each with the older TLS.
KINDS = [("plain", "plain"), ("plain", "tls1.3"), ("plain", "tls1.2"), ("tls1.3", "plain"), ("tls1.2", "plain")]
every_kind = pytest.mark.parametrize(("near", "far"), KINDS, ids=["-".join(kinds) for kinds in KINDS])


def ending(peer: StreamPeer) -> str:
    """How the stream ends for the peer, whatever comes before: ``end``, ``reset`` or ``cut``."""
    try:
        read_to_end(peer)
    except ConnectionResetError:
        return "reset"
    except ConnectionAbortedError:
        return "cut"
    return "end"


@every_kind
async def test_bytes_pass_both_ways_and_are_counted(tunnels: Tunnels, near: str, far: str) -> None:
    async with tunnels(near, far) as tunnel:
        await in_thread(tunnel.app.sendall, b"question")
        assert await in_thread(read_exactly, tunnel.service, 8) == b"question"
        assert not tunnel.relay.first_byte_at
        before = time.monotonic()
        await in_thread(tunnel.service.sendall, b"an answer")
        assert await in_thread(read_exactly, tunnel.app, 9) == b"an answer"
        assert (tunnel.relay.bytes_out, tunnel.relay.bytes_in) == (8, 9)
        assert tunnel.relay.first_byte_at is not None
        assert before <= tunnel.relay.first_byte_at <= time.monotonic()


async def test_bytes_given_back_to_an_endpoint_go_first(wiring: Wiring) -> None:
    near, app = await wiring.connect("plain")
    far, service = await wiring.connect("plain")
    near.unread(b"early ")
    far.unread(b"banner ")
    await in_thread(app.sendall, b"late")
    await in_thread(service.sendall, b"answer")
    app.half_close()
    service.half_close()
    result = await Relay(near, far).run()
    assert result.cause is RelayCause.FINISHED
    assert await in_thread(read_to_end, service) == b"early late"
    assert await in_thread(read_to_end, app) == b"banner answer"
    app.close()
    service.close()


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize(("near", "far"), [("plain", "tls1.3"), ("tls1.2", "plain")])
async def test_100_mb_both_ways_at_once_arrive_unchanged(tunnels: Tunnels, near: str, far: str) -> None:
    size = 100_000_000
    up, down = os.urandom(size), os.urandom(size)

    def send(peer: StreamPeer, data: bytes) -> None:
        peer.sendall(data)
        peer.half_close()

    async with tunnels(near, far) as tunnel:
        work: list[Background[None]] = [
            Background(send, tunnel.app, up),
            Background(send, tunnel.service, down),
        ]
        received = [Background(digest_to_end, tunnel.service), Background(digest_to_end, tunnel.app)]
        digests = [await in_thread(thread.result, 150) for thread in received]
        for thread in work:
            await in_thread(thread.result)
        result = await tunnel.result()
    assert digests == [hashlib.sha256(data).hexdigest() for data in (up, down)]
    assert result.cause is RelayCause.FINISHED
    assert (tunnel.relay.bytes_out, tunnel.relay.bytes_in) == (size, size)


@every_kind
async def test_single_bytes_arrive_in_order(tunnels: Tunnels, near: str, far: str) -> None:
    message = bytes(range(256)) * 2

    def drip(peer: StreamPeer) -> None:
        for value in message:
            peer.sendall(bytes([value]))

    async with tunnels(near, far) as tunnel:
        for sender, receiver in ((tunnel.app, tunnel.service), (tunnel.service, tunnel.app)):
            dripping = Background(drip, sender)
            assert await in_thread(read_exactly, receiver, len(message)) == message
            await in_thread(dripping.result)


@every_kind
@pytest.mark.parametrize("first", ["app", "service"])
async def test_the_other_direction_runs_on_after_one_has_ended(
    tunnels: Tunnels, near: str, far: str, first: str
) -> None:
    answer = os.urandom(3_000_000)
    async with tunnels(near, far) as tunnel:
        asker, answerer = (tunnel.app, tunnel.service) if first == "app" else (tunnel.service, tunnel.app)
        asker.sendall(b"all of it")
        asker.half_close()
        # The end arrives while the other direction is still open, and only then does the answer begin.
        assert await in_thread(read_to_end, answerer) == b"all of it"
        assert (tunnel.relay.near_eof, tunnel.relay.far_eof) == (first == "app", first == "service")

        def reply() -> None:
            answerer.sendall(answer)
            answerer.half_close()

        replying = Background(reply)
        assert await in_thread(read_to_end, asker) == answer
        await in_thread(replying.result)
        result = await tunnel.result()
    assert result.cause is RelayCause.FINISHED
    assert ("near first" in result.detail) == (first == "app")


@every_kind
@pytest.mark.parametrize("broken", ["app", "service"])
async def test_a_reset_reaches_the_other_side_as_a_reset(tunnels: Tunnels, near: str, far: str, broken: str) -> None:
    async with tunnels(near, far) as tunnel:
        await in_thread(tunnel.app.sendall, b"x")
        await in_thread(read_exactly, tunnel.service, 1)
        victim, witness = (tunnel.app, tunnel.service) if broken == "app" else (tunnel.service, tunnel.app)
        victim.reset()
        assert await in_thread(ending, witness) == "reset"
        result = await tunnel.result()
    assert result.cause is (RelayCause.NEAR_RESET if broken == "app" else RelayCause.FAR_RESET)
    assert result.error is not None
    assert (result.error.code, result.error.stage) == ("reset", "relay")


@pytest.mark.parametrize("kind", ["tls1.2", "tls1.3"])
@pytest.mark.parametrize("cut", ["near", "far"])
async def test_tls_cut_without_close_notify_reaches_the_other_side_as_a_reset(
    tunnels: Tunnels, kind: str, cut: str
) -> None:
    near, far = (kind, "plain") if cut == "near" else ("plain", kind)
    async with tunnels(near, far) as tunnel:
        victim, witness = (tunnel.app, tunnel.service) if cut == "near" else (tunnel.service, tunnel.app)
        await in_thread(victim.sendall, b"half of")
        assert await in_thread(read_exactly, witness, 7) == b"half of"
        victim.sock.shutdown(socket.SHUT_WR)
        assert await in_thread(ending, witness) == "reset"
        result = await tunnel.result()
    assert result.cause is (RelayCause.NEAR_TRUNCATED if cut == "near" else RelayCause.FAR_TRUNCATED)
    assert result.error is not None
    assert result.error.code == "truncated"


@pytest.mark.parametrize("kind", ["tls1.2", "tls1.3"])
async def test_a_reset_is_not_announced_as_an_orderly_end_by_tls(tunnels: Tunnels, kind: str) -> None:
    async with tunnels("plain", kind) as tunnel:
        await in_thread(tunnel.app.sendall, b"x")
        await in_thread(read_exactly, tunnel.service, 1)
        tunnel.app.reset()
        with pytest.raises(ConnectionResetError):
            await in_thread(tunnel.service.recv)


@pytest.mark.parametrize("kind", ["tls1.2", "tls1.3"])
async def test_garbage_in_place_of_tls_ends_as_a_failure_of_that_side(tunnels: Tunnels, kind: str) -> None:
    async with tunnels("plain", kind) as tunnel:
        tunnel.service.sock.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
        assert await in_thread(ending, tunnel.app) == "reset"
        result = await tunnel.result()
    assert result.cause is RelayCause.FAR_FAILED
    assert result.error is not None
    assert result.error.code == "tls"
    assert "bad" in result.detail


@every_kind
async def test_abort_resets_both_sides(tunnels: Tunnels, near: str, far: str) -> None:
    async with tunnels(near, far) as tunnel:
        await in_thread(tunnel.app.sendall, b"x")
        await in_thread(read_exactly, tunnel.service, 1)
        tunnel.relay.abort()
        result = await tunnel.result()
        assert await in_thread(ending, tunnel.app) == "reset"
        assert await in_thread(ending, tunnel.service) == "reset"
    assert result.cause is RelayCause.ABORTED


async def test_abort_before_the_run_closes_both_sides(wiring: Wiring) -> None:
    near, app = await wiring.connect("plain")
    far, service = await wiring.connect("plain")
    relay = Relay(near, far)
    relay.abort()
    assert (await relay.run()).cause is RelayCause.ABORTED
    assert ending(app) == ending(service) == "reset"
    app.close()
    service.close()


@every_kind
async def test_cancellation_resets_both_sides(tunnels: Tunnels, near: str, far: str) -> None:
    async with tunnels(near, far) as tunnel:
        await in_thread(tunnel.app.sendall, b"x")
        await in_thread(read_exactly, tunnel.service, 1)
        tunnel.scope.cancel()
        assert await in_thread(ending, tunnel.app) == "reset"
        assert await in_thread(ending, tunnel.service) == "reset"
    assert tunnel.results == []


class Faulty(PlainEndpoint):
    """An endpoint with a bug."""

    def read_into(self, buffer: memoryview) -> int:
        raise ZeroDivisionError


async def test_a_bug_in_an_endpoint_is_raised_and_leaves_nothing_open(wiring: Wiring) -> None:
    near, app = await wiring.connect("plain")
    far, service = await wiring.connect("plain")
    with pytest.raises(ZeroDivisionError):
        await Relay(Faulty(near.sock), far).run()
    assert ending(app) == ending(service) == "reset"
    app.close()
    service.close()


async def one_of_each_ending(tunnels: Tunnels, near: str, far: str) -> None:
    async with tunnels(near, far) as tunnel:
        tunnel.app.half_close()
        await in_thread(read_to_end, tunnel.service)
        tunnel.service.half_close()
        await tunnel.result()
    async with tunnels(near, far) as tunnel:
        tunnel.service.reset()
        await tunnel.result()
    async with tunnels(near, far) as tunnel:
        tunnel.relay.abort()
        await tunnel.result()
    async with tunnels(near, far, idle_timeout=0.01) as tunnel:
        await tunnel.result()
    async with tunnels(near, far):
        pass  # cancelled


@every_kind
async def test_no_descriptor_and_no_task_is_left_behind(tunnels: Tunnels, near: str, far: str) -> None:
    await in_thread(int)  # the worker thread is there from now on
    tasks = asyncio.all_tasks()
    with no_leaked_descriptors():
        await one_of_each_ending(tunnels, near, far)
        assert asyncio.all_tasks() == tasks


@every_kind
@pytest.mark.parametrize("how", ["end", "reset", "abort"])
async def test_what_a_tunnel_held_is_free_as_soon_as_it_is_over(wiring: Wiring, near: str, far: str, how: str) -> None:
    """Not only once the garbage collector comes by: what OpenSSL holds would pile up until then."""
    near_end, app = await wiring.connect(near, server_side=True)
    far_end, service = await wiring.connect(far)
    relay, over = Relay(near_end, far_end), asyncio.Event()
    held = [weakref.ref(one) for one in (near_end, far_end, relay)]
    gc.disable()
    try:
        relay.start(lambda _: over.set())
        await in_thread(app.sendall, b"there")
        assert await in_thread(read_exactly, service, 5) == b"there"
        if how == "end":
            app.half_close()
            service.half_close()
        elif how == "reset":
            app.reset()
        else:
            relay.abort()
        with anyio.fail_after(10):
            await over.wait()
        assert relay.bytes_out == 5
        del relay, near_end, far_end
        assert [one() for one in held] == [None, None, None]
    finally:
        gc.enable()
    app.close()
    service.close()


class Hog(Endpoint):
    """A source that always has more and a sink that always takes it: the worst neighbour there is."""

    read_fd = write_fd = -1

    def __init__(self) -> None:
        super().__init__(address="hog", error=UpstreamError)
        self.moved = 0

    @property
    def buffered(self) -> bool:
        return True

    def read_into(self, buffer: memoryview) -> int:
        self.moved += len(buffer)
        return len(buffer)

    def write(self, data: memoryview | bytes) -> bool:
        return True

    def flush(self) -> bool:
        return True

    def send_eof(self) -> bool:
        return True

    def close(self) -> None:
        pass

    def abort(self) -> None:
        pass


async def test_a_bulk_stream_does_not_starve_a_ping(tunnels: Tunnels) -> None:
    hog = Hog()
    async with anyio.create_task_group() as group, tunnels("plain", "tls1.3") as tunnel:
        group.start_soon(Relay(hog, Hog()).run)
        await in_thread(tunnel.app.sendall, b"warm")
        assert await in_thread(read_exactly, tunnel.service, 4) == b"warm"
        sent, before = tunnel.relay.bytes_out, hog.moved
        tunnel.app.sendall(b"ping")
        turns = 0
        while tunnel.relay.bytes_out == sent:
            await asyncio.sleep(0)
            turns += 1
            assert turns < 20, "the ping was not carried within 20 rounds of the loop"
        assert 0 < hog.moved - before <= 2 * LONG_TURN * turns, "one event moved too much"
        group.cancel_scope.cancel()


async def test_streams_share_the_passes_of_the_loop() -> None:
    hogs = [Hog() for _ in range(4)]
    async with anyio.create_task_group() as group:
        for hog in hogs:
            group.start_soon(Relay(hog, Hog()).run)
        for _ in range(4):  # until all of them have shown that they carry a stream
            await asyncio.sleep(0)
        before = [hog.moved for hog in hogs]
        passes = 80  # both directions of each are streams: ten turns for every direction
        for _ in range(passes):
            await asyncio.sleep(0)
        moved = [hog.moved - moved for hog, moved in zip(hogs, before, strict=True)]
        assert sum(moved) <= passes * TURN, "more than one turn in a pass"
        assert min(moved) >= 9 * TURN, "somebody was passed over"
        group.cancel_scope.cancel()


class Announced(Hog):
    """A hog with a descriptor: the system announces what there is, until *left* bytes have been read."""

    def __init__(self, sock: socket.socket, left: int) -> None:
        super().__init__()
        self.read_fd = sock.fileno()
        self.left = left
        self.watches = 0

    @property
    def buffered(self) -> bool:
        return False

    def read_into(self, buffer: memoryview) -> int:
        if not self.left:
            return WOULD_BLOCK
        size = min(self.left, len(buffer))
        self.left -= size
        self.moved += size
        return size

    def watch(self, callback: Callable[[], None]) -> None:
        self.watches += 1
        super().watch(callback)


async def test_among_many_streams_a_full_turn_is_followed_by_the_next_without_asking_the_system() -> None:
    turns, (here, there) = 10, socket.socketpair()
    with ExitStack() as stack, here, there:
        there.send(b"x")  # never read: readable all the time
        hogs = [Announced(stack.enter_context(here.dup()), turns * TURN) for _ in range(4)]
        async with anyio.create_task_group() as group:
            for hog in hogs:
                group.start_soon(Relay(hog, Announced(stack.enter_context(here.dup()), 0)).run)
            for _ in range(20 * turns):
                await asyncio.sleep(0)
            assert [hog.left for hog in hogs] == [0] * 4
            assert max(hog.watches for hog in hogs) <= turns // 2, "the system was asked between turns"
            for hog in hogs:
                hog.left = 1
            for _ in range(4 * turns):
                await asyncio.sleep(0)
            assert [hog.left for hog in hogs] == [0] * 4, "nobody waits for what comes next"
            group.cancel_scope.cancel()


class Stubborn(PlainEndpoint):
    """An endpoint whose own output (a ``close_notify``, an answer to a key update) is not taken at once."""

    refusals = 0

    def keep(self, note: bytes) -> None:
        self._out = note
        self.refusals = 3

    def _send(self, data: memoryview | bytes) -> int:
        if self.refusals:
            self.refusals -= 1
            return 0
        return super()._send(data)


async def test_output_that_an_endpoint_makes_by_reading_is_sent_by_the_other_direction(wiring: Wiring) -> None:
    near, app = await wiring.connect("plain")
    far, service = await wiring.connect("plain")

    class Answering(Stubborn):
        def read_into(self, buffer: memoryview) -> int:
            size = super().read_into(buffer)
            if size > 0 and bytes(buffer[:size]) == b"key update":
                self.keep(b"updated")
            return size

    relay = Relay(near, Answering(far.sock))
    async with anyio.create_task_group() as group:
        group.start_soon(relay.run)
        await in_thread(service.sendall, b"key update")
        assert await in_thread(read_exactly, service, 7) == b"updated"
        assert await in_thread(read_exactly, app, 10) == b"key update"
        await in_thread(app.sendall, b"goes on")
        assert await in_thread(read_exactly, service, 7) == b"goes on"
        group.cancel_scope.cancel()
    app.close()
    service.close()


async def test_an_end_that_is_not_taken_at_once_is_sent_before_the_tunnel_closes(wiring: Wiring) -> None:
    near, app = await wiring.connect("plain")
    far, service = await wiring.connect("plain")

    class SlowEnd(Stubborn):
        def send_eof(self) -> bool:
            self.keep(b"close_notify")
            return False

    service.half_close()
    app.half_close()
    result = await Relay(near, SlowEnd(far.sock)).run()
    assert result.cause is RelayCause.FINISHED
    assert await in_thread(read_to_end, service) == b"close_notify"
    app.close()
    service.close()
