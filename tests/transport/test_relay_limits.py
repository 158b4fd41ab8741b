"""A tunnel's bounds: memory while a peer stalls, time while nobody speaks, and many tunnels at once."""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from tests.support.hand_clock import HandClock
from tests.support.sockets import (
    Background,
    digest_to_end,
    no_leaked_descriptors,
    raise_descriptor_limit,
    read_exactly,
    read_to_end,
)
from tests.transport.conftest import Tunnel, in_thread, open_tunnel
from tests.transport.test_relay import KINDS, ending
from tunnelui.transport.endpoint import CHUNK
from tunnelui.transport.relay import Relay, RelayCause

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from tests.support.stream_peers import StreamPeer
    from tests.transport.conftest import Wiring

    Tunnels = Callable[..., AbstractAsyncContextManager[Tunnel]]

SMALL = 32 * 1024  # kernel buffers


@pytest.mark.parametrize(("near", "far"), KINDS)
@pytest.mark.parametrize("stalled", ["app", "service"])
async def test_a_stalled_reader_stops_the_sender_and_loses_nothing(
    tunnels: Tunnels, near: str, far: str, stalled: str
) -> None:
    data = os.urandom(4_000_000)
    sent = 0

    def send(peer: StreamPeer) -> None:
        nonlocal sent
        for at in range(0, len(data), 16384):
            peer.sendall(data[at : at + 16384])
            sent = at
        peer.half_close()

    async with tunnels(near, far, buffer=SMALL) as tunnel:
        reader, sender = (tunnel.app, tunnel.service) if stalled == "app" else (tunnel.service, tunnel.app)
        sending = Background(send, sender)
        stood, kept = -1, 0
        while sent > stood or not kept:
            stood = sent
            await anyio.sleep(0.1)
            kept = max(kept, tunnel.near.pending + tunnel.far.pending)
        # The sender stands still, held by small kernel buffers and by no more than a chunk (and its records) of ours.
        assert kept <= CHUNK + 8 * 64
        assert sent < len(data) // 2
        assert await in_thread(digest_to_end, reader) == hashlib.sha256(data).hexdigest()
        await in_thread(sending.result)
        moved = tunnel.relay.bytes_in if stalled == "app" else tunnel.relay.bytes_out
        assert moved == len(data)


async def test_the_other_direction_runs_while_one_is_stalled(tunnels: Tunnels) -> None:
    async with tunnels("plain", "tls1.3", buffer=SMALL) as tunnel:
        flood = Background(tunnel.service.sendall, bytes(4_000_000))
        await anyio.sleep(0.2)
        assert not flood.done
        for number in range(20):
            message = b"%04d" % number
            await in_thread(tunnel.app.sendall, message)
            assert await in_thread(read_exactly, tunnel.service, 4) == message
        assert await in_thread(read_exactly, tunnel.app, 4_000_000) == bytes(4_000_000)
        await in_thread(flood.result)


async def test_a_reset_by_a_stalled_reader_frees_the_sender(tunnels: Tunnels) -> None:
    async with tunnels("plain", "tls1.3", buffer=SMALL) as tunnel:
        flood = Background(tunnel.service.sendall, bytes(4_000_000))
        await anyio.sleep(0.2)
        tunnel.app.reset()
        assert (await tunnel.result()).cause is RelayCause.NEAR_RESET
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            await in_thread(flood.result)


@pytest.mark.parametrize("far", ["plain", "tls1.2", "tls1.3"])
async def test_without_half_close_the_end_is_kept_back_until_the_answer_is_complete(tunnels: Tunnels, far: str) -> None:
    async with tunnels("plain", far, half_close_far=False) as tunnel:
        tunnel.app.sendall(b"question")
        tunnel.app.half_close()
        assert await in_thread(read_exactly, tunnel.service, 8) == b"question"
        tunnel.service.sock.settimeout(0.2)
        with pytest.raises(TimeoutError):
            await in_thread(tunnel.service.recv)
        assert tunnel.relay.near_eof
        tunnel.service.sock.settimeout(30)
        await in_thread(tunnel.service.sendall, b"answer")
        tunnel.service.half_close()
        assert await in_thread(read_to_end, tunnel.app) == b"answer"
        # The far side learns of the end when the tunnel closes, and in order.
        assert await in_thread(ending, tunnel.service) == "end"
        assert (await tunnel.result()).cause is RelayCause.FINISHED


@pytest.mark.parametrize("far", ["plain", "tls1.3"])
async def test_without_half_close_a_silent_far_side_is_given_up_after_the_linger_time(
    tunnels: Tunnels, far: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with tunnels("plain", far, half_close_far=False, linger=10.0) as tunnel:
        clock = HandClock(monkeypatch)
        tunnel.app.half_close()
        for _ in range(4):  # each byte begins the time anew
            await clock.forward(9.0)
            await in_thread(tunnel.service.sendall, b"x")
            assert await in_thread(read_exactly, tunnel.app, 1) == b"x"
        await clock.forward(9.9)
        assert not tunnel.relay.closed
        await clock.forward(0.2)
        result = await tunnel.result()
        assert await in_thread(read_to_end, tunnel.app) == b""
        assert await in_thread(ending, tunnel.service) == "end"
    assert result.cause is RelayCause.LINGER


async def test_linger_never_passes_undelivered_bytes_off_as_a_complete_answer(tunnels: Tunnels) -> None:
    async with tunnels("plain", "tls1.3", half_close_far=False, linger=0.3, buffer=SMALL) as tunnel:
        tunnel.app.half_close()
        flood = Background(ending_of_send, tunnel.service, bytes(4_000_000))
        assert (await tunnel.result()).cause is RelayCause.LINGER
        assert await in_thread(ending, tunnel.app) == "reset"
        assert await in_thread(flood.result) == "reset"


def ending_of_send(peer: StreamPeer, data: bytes) -> str:
    try:
        peer.sendall(data)
    except (ConnectionResetError, BrokenPipeError):
        return "reset"
    return "sent"


async def test_a_far_end_that_is_not_passed_on_lingers_as_well(tunnels: Tunnels) -> None:
    async with tunnels("tls1.3", "plain", half_close_near=False, linger=0.3) as tunnel:
        tunnel.service.half_close()
        await in_thread(tunnel.app.sendall, b"last words")
        assert await in_thread(read_to_end, tunnel.service) == b"last words"
        assert await in_thread(ending, tunnel.app) == "end"
        assert (await tunnel.result()).cause is RelayCause.LINGER


async def test_where_ends_are_passed_on_silence_has_no_limit(tunnels: Tunnels) -> None:
    async with tunnels("plain", "tls1.3", linger=0.1) as tunnel:
        tunnel.app.half_close()
        assert await in_thread(read_to_end, tunnel.service) == b""
        await anyio.sleep(0.4)
        await in_thread(tunnel.service.sendall, b"at last")
        assert await in_thread(read_exactly, tunnel.app, 7) == b"at last"


@pytest.mark.parametrize(("near", "far"), [("plain", "tls1.3"), ("tls1.2", "plain")])
async def test_a_silent_tunnel_is_cut_after_the_idle_time(
    tunnels: Tunnels, near: str, far: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with tunnels(near, far, idle_timeout=10.0) as tunnel:
        clock = HandClock(monkeypatch)
        for sender, reader in 2 * ((tunnel.app, tunnel.service), (tunnel.service, tunnel.app)):
            await clock.forward(9.0)
            await in_thread(sender.sendall, b"x")
            assert await in_thread(read_exactly, reader, 1) == b"x"
        await clock.forward(9.9)
        assert not tunnel.relay.closed
        await clock.forward(0.2)
        result = await tunnel.result()
        assert await in_thread(ending, tunnel.app) == "reset"
        assert await in_thread(ending, tunnel.service) == "reset"
    assert result.cause is RelayCause.IDLE


async def test_a_reader_that_drains_slowly_is_not_idle(wiring: Wiring, monkeypatch: pytest.MonkeyPatch) -> None:
    near, app = await wiring.connect("plain", buffer=4096)
    far, service = await wiring.connect("plain")
    far.unread(bytes(CHUNK))  # one read; from then on only the reader's progress counts
    relay = Relay(near, far, idle_timeout=10.0)
    clock = HandClock(monkeypatch)
    async with anyio.create_task_group() as group:
        group.start_soon(relay.run)
        await anyio.wait_all_tasks_blocked()
        for _ in range(4):
            kept = near.pending
            while near.pending == kept:
                assert await in_thread(app.recv, 1024)
            await clock.forward(9.0)
            assert near.pending
            assert not relay.closed
        for _ in range(4):  # what the system took meanwhile was progress, too
            await clock.forward(10.1)
        assert relay.closed
        group.cancel_scope.cancel()
    app.close()
    service.close()


async def test_an_idle_tunnel_sets_no_timer_and_wakes_nobody(tunnels: Tunnels, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    calls: list[Any] = []
    for name in ("call_at", "call_soon"):
        original = getattr(loop, name)

        def spy(*args: Any, original: Any = original, **kwargs: Any) -> Any:
            calls.append(next(arg for arg in args if callable(arg)))
            return original(*args, **kwargs)

        monkeypatch.setattr(loop, name, spy)
    async with tunnels("plain", "tls1.3") as tunnel:
        await in_thread(tunnel.app.sendall, b"x")
        await in_thread(read_exactly, tunnel.service, 1)
        await anyio.sleep(0.05)
        calls.clear()
        await anyio.sleep(0.2)
        assert not [call for call in calls if "relay" in (getattr(call, "__module__", "") or "")]


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("far", ["plain", "tls1.3"])
async def test_1000_tunnels_on_one_loop(wiring: Wiring, far: str) -> None:
    count = 1000
    raise_descriptor_limit(4 * count + 200)
    threads = threading.active_count()
    with no_leaked_descriptors():
        async with anyio.create_task_group() as group:
            opened: list[Tunnel] = []
            close = anyio.Event()

            async def keep(number: int) -> None:
                async with open_tunnel(wiring, "plain", far) as tunnel:
                    opened.append(tunnel)
                    await close.wait()

            for number in range(count):
                group.start_soon(keep, number)
                while number - len(opened) >= 8:  # handshakes a few at a time
                    await anyio.sleep(0.001)
            while len(opened) < count:
                await anyio.sleep(0.01)

            def talk() -> int:
                for number, tunnel in enumerate(opened):
                    tunnel.app.sendall(b"question %04d" % number)
                for number, tunnel in enumerate(opened):
                    assert read_exactly(tunnel.service, 13) == b"question %04d" % number
                    tunnel.service.sendall(b"answer %04d" % number)
                return sum(read_exactly(t.app, 11) == b"answer %04d" % n for n, t in enumerate(opened))

            for _ in range(3):
                assert await in_thread(talk) == count
            assert all(tunnel.relay.bytes_in == 33 and tunnel.relay.bytes_out == 39 for tunnel in opened)
            assert threading.active_count() <= threads + 20
            close.set()
