"""Sleep and other networks. A clock that jumps and an address that goes are played here, and happen slowly in
tests/e2e/network.py.
"""

from __future__ import annotations

import asyncio
import socket
import time
from typing import TYPE_CHECKING

import anyio
import pytest

from tests.support.engine_bench import Local, running
from tunnelui.agent.notifications import words_for
from tunnelui.engine import vigil as vigil_module
from tunnelui.engine.vigil import Vigil, Way, awake_clock, way_of
from tunnelui.transport.socket_options import hurry, prepare, relax, silent_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.support.connect_proxy import ConnectProxy
    from tests.support.engine_bench import Bench
    from tests.support.pki import Pki
    from tunnelui.engine.connection import Connection


def keepalive(sock: socket.socket) -> tuple[int, ...]:
    names = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
    return tuple(sock.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in names)


def test_the_clock_goes_on() -> None:
    before = awake_clock()
    assert 0 <= awake_clock() - before < 5


def test_a_connection_is_hurried_and_relaxed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as sock:
        prepare(sock)
        usual = keepalive(sock)
        hurry(sock)
        assert keepalive(sock) == (1, 1, 5, 0)
        with listener.accept()[0] as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.setblocking(False)
            with pytest.raises(BlockingIOError):
                while True:
                    sock.send(bytes(1 << 20))
            hurry(sock)
            assert keepalive(sock)[3] == 10_000
        relax(sock)
        assert keepalive(sock) == usual
        assert way_of(sock) is None or way_of(sock) == Way("127.0.0.1", "127.0.0.1")
    hurry(sock)  # closed meanwhile
    relax(sock)


def test_what_is_ours_and_whence_packets_go() -> None:
    assert vigil_module._is_ours("127.0.0.1")
    assert not vigil_module._is_ours("203.0.113.9")
    assert vigil_module._source_to("127.0.0.1") == "127.0.0.1"


def connections_of(bench: Bench) -> list[Connection]:
    return [connection for tunnel in bench.engine._tunnels for connection in tunnel.connections]


async def test_after_a_jump_connections_are_asked_and_go_on(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vigil_module, "_RELAX", 0.3)
    now = 0.0
    lost: list[float] = []
    with Local(await bench.start()) as program:
        await program.send(b"x")
        await program.read()
        (connection,) = connections_of(bench)
        sock = connection.far_socket
        assert sock is not None
        usual = keepalive(sock)
        watch = Vigil(lost.append, clock=lambda: now, tick=0.05)
        watch.watch(connection)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch.run)
            await anyio.sleep(0.1)
            assert (lost, keepalive(sock)) == ([], usual)
            now = 3600.0
            await bench.until(lambda: lost)
            assert keepalive(sock)[:3] == (1, 1, 5)
            await bench.until(lambda: keepalive(sock) == usual)
            tasks.cancel_scope.cancel()
        assert 3590 < lost[0] <= 3600
        await program.send(b"y")
        assert await program.read() == b"y"


async def test_an_address_that_is_gone_cuts_its_connections(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    with Local(await bench.start()) as program:
        await program.send(b"x")
        await program.read()
        monkeypatch.setattr(vigil_module, "_is_ours", lambda host: False)
        assert await program.is_reset()
    await bench.until_closed(1)
    assert "has lost its address 127.0.0.1" in bench.of("closed")[0].data["cause"]
    monkeypatch.undo()
    with Local(bench.tunnel.local) as program:
        await program.send(b"y")
        assert await program.read() == b"y"


class Played:
    """A connection whose far side is as silent as `silent` says."""

    def __init__(self, moved_at: float = 0.0) -> None:
        self.far_socket: socket.socket | None = socket.socket()
        self.way: Way | None = Way("127.0.0.1", "127.0.0.1")
        self.moved_at = moved_at
        self.silent = 0.0
        self.asked = 0
        self.cause = ""

    def lose(self, cause: str) -> None:
        self.cause = cause


@pytest.fixture
async def silence(
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[tuple[Vigil, Callable[[float], None], list[Played]]]:
    """A vigil, what looks through its eyes at a moment (seconds from now), and the connections it shall know."""
    played: list[Played] = []

    def silent_for(sock: socket.socket) -> float:
        (one,) = (one for one in played if one.far_socket is sock)
        one.asked += 1
        return one.silent

    monkeypatch.setattr(vigil_module, "silent_for", silent_for)
    vigil = Vigil(lambda lost: None)
    began = asyncio.get_running_loop().time()
    yield vigil, lambda seconds: vigil._look_for_silence(began + seconds), played
    for one in played:
        assert one.far_socket is not None
        one.far_socket.close()


Silence = tuple[Vigil, "Callable[[float], None]", "list[Played]"]


async def test_a_machine_that_answers_nothing_is_given_up(silence: Silence) -> None:
    vigil, look, played = silence
    one = Played(moved_at=asyncio.get_running_loop().time())
    played.append(one)
    vigil.watch(one)
    look(2)
    assert one.asked == 0  # it can't have been silent for 20 seconds
    look(21)
    assert one.asked == 1
    look(23)
    assert one.asked == 1
    one.silent = 0.4  # something is being sent again: from now on it is under suspicion
    look(42)
    one.silent = 19.0
    look(44)
    assert (one.asked, one.cause) == (3, "")
    one.silent = 21.0
    look(46)
    assert "answered nothing" in one.cause


async def test_who_answers_again_is_not_under_suspicion(silence: Silence) -> None:
    vigil, look, played = silence
    one = Played(moved_at=asyncio.get_running_loop().time())
    played.append(one)
    vigil.watch(one)
    one.silent = 15.0
    look(21)
    one.silent = 0.0
    look(23)
    look(25)
    assert (one.asked, one.cause) == (2, "")
    one.silent = 30.0
    vigil.forget(one)
    look(60)
    assert (one.asked, one.cause) == (2, "")


async def test_silence_that_began_before_the_last_minute_is_followed_to_its_end(silence: Silence) -> None:
    vigil, look, played = silence
    one = Played(moved_at=asyncio.get_running_loop().time())
    played.append(one)
    vigil.watch(one)
    one.silent = 1.0
    for moment in range(41, 79, 2):
        look(moment)
    one.silent = 20.1
    look(79)
    assert "answered nothing" in one.cause


async def test_the_system_is_not_asked_about_an_idle_connection(silence: Silence) -> None:
    vigil, look, played = silence
    played += [Played(moved_at=asyncio.get_running_loop().time() - 61) for _ in range(3)]
    for one in played:
        vigil.watch(one)
    for moment in range(0, 100, 2):
        look(moment)
    assert [one.asked for one in played] == [0, 0, 0]


async def test_what_is_over_is_not_kept(silence: Silence) -> None:
    vigil, look, played = silence
    played += [Played(), Played()]
    for one in played:
        vigil.watch(one)
    played[0].silent = 1.0
    look(21)
    for one in played:
        vigil.forget(one)
        vigil.forget(one)
    assert (vigil._looks, vigil._suspects, vigil._by_way) == ({}, set(), {})


async def test_a_silent_machine_resets_the_program(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vigil_module, "_SILENCE", 1.0)
    monkeypatch.setattr(vigil_module, "silent_for", lambda sock: 1.5)
    with Local(await bench.start()) as program:
        await program.send(b"x")
        await program.read()
        assert await program.is_reset()
    await bench.until_closed(1)
    (closed,) = bench.of("closed")
    assert "answered nothing" in closed.data["cause"]
    assert (closed.level, closed.data["lost"]) == ("warning", True)
    assert words_for(closed).startswith("db: the proxy's machine has answered nothing")


async def test_everything_that_carries_bytes_is_watched(bench: Bench) -> None:
    """Routes, proxy mode and what came over standard input: by one vigil, and only while it is open."""
    watched = bench.engine.vigil._looks
    with Local(await bench.start()) as program:
        await program.send(b"x")
        await program.read()
        assert len(watched) == 1
        await bench.engine.start_proxy("127.0.0.1:0")
        with Local(bench.engine.snapshot().proxy_mode.local) as other:
            destination = bench.tunnel.target
            await other.send(f"CONNECT {destination} HTTP/1.1\r\nHost: {destination}\r\n\r\n".encode())
            assert (await other.read()).startswith(b"HTTP/1.1 200")
            assert len(watched) == 2
        await bench.until(lambda: len(watched) == 1)
    await bench.until(lambda: not watched)


def test_who_reads_nothing_is_not_silent() -> None:
    """The system of the other end answers for it; in tests/e2e/network.py nothing does."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as sock:
        peer, _ = listener.accept()
        assert silent_for(sock) == 0.0
        sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                sock.send(bytes(1 << 20))
        time.sleep(1)
        assert silent_for(sock) == 0.0
        peer.close()
    assert silent_for(sock) == 0.0
    one, other = socket.socketpair()
    with one, other:
        assert silent_for(one) == 0.0


async def test_another_way_to_the_proxy_asks_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[socket.socket] = []
    monkeypatch.setattr(vigil_module, "hurry", asked.append)
    with Local(await bench.start()) as program:
        await program.send(b"x")
        await program.read()
        watch = Vigil(lambda lost: None, tick=0.02)
        watch.watch(*connections_of(bench))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch.run)
            await anyio.sleep(0.1)
            assert asked == []
            monkeypatch.setattr(vigil_module, "_source_to", lambda host: "192.0.2.1")
            await bench.until(lambda: asked)
            await anyio.sleep(0.2)
            assert len(asked) == 1
            tasks.cancel_scope.cancel()


async def test_waking_gives_warm_connections_up(proxy: ConnectProxy, pki: Pki) -> None:
    async with running(proxy, pki, warm=1) as bench:
        with Local(await bench.start()) as program:
            await program.send(b"x")
            await program.read()
            (pool,) = bench.engine._warm.values()
            await bench.until(lambda: len(pool) == 1)
            bench.engine._on_wake(60.0)
            assert len(pool) == 0
            await bench.until(lambda: bench.of("note"))
        assert bench.of("note")[0].data == {"code": "woke", "seconds": 60.0}
