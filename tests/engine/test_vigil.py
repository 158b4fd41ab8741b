"""Sleep and other networks. A clock that jumps and an address that goes are played here, and happen slowly in
tests/e2e/network.py.
"""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import anyio
import pytest

from tests.support.engine_bench import Local, running
from tunnelui.engine import vigil as vigil_module
from tunnelui.engine.vigil import Vigil, Way, awake_clock, way_of
from tunnelui.transport.socket_options import hurry, prepare, relax, silent_for

if TYPE_CHECKING:
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
    return [connection for tunnel in bench.engine._tunnels.values() for connection in tunnel.connections]


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
        watch = Vigil(lambda: connections_of(bench), lost.append, clock=lambda: now, tick=0.05)
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


async def test_a_machine_that_answers_nothing_is_given_up(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    with Local(await bench.start()) as program:
        await program.send(b"x")
        await program.read()
        monkeypatch.setattr(vigil_module, "silent_for", lambda sock: 19.0)
        await anyio.sleep(2.5)
        await program.send(b"y")
        assert await program.read() == b"y"
        monkeypatch.setattr(vigil_module, "silent_for", lambda sock: 21.0)
        assert await program.is_reset()
    await bench.until_closed(1)
    assert "answered nothing" in bench.of("closed")[0].data["cause"]


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
        watch = Vigil(lambda: connections_of(bench), lambda lost: None, tick=0.02)
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
