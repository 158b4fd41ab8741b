"""Warm connections: what they save, and every way in which one can be dead."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from typing import TYPE_CHECKING

import anyio
import pytest

from tests.support.connect_proxy import ConnectProxy, Peer, Ragged, answer, echo, reset_at_once, say_nothing
from tests.support.engine_bench import Bench, Local, give_token, running
from tunnelui.engine import connector as connector_module
from tunnelui.engine.model import StageTimings, State
from tunnelui.engine.reach import DEADLINES, Deadlines, reach
from tunnelui.engine.warm import WarmPool
from tunnelui.errors import ProxyError
from tunnelui.transport.contexts import client_context
from tunnelui.transport.dial import system_resolver
from tunnelui.transport.socket_options import unacknowledged
from tunnelui.wire.destination import parse_proxy_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.support.pki import Pki
    from tunnelui.engine.reach import Stages
    from tunnelui.transport.endpoint import SocketEndpoint


@pytest.fixture
async def warm(proxy: ConnectProxy, pki: Pki) -> AsyncIterator[Bench]:
    async with running(proxy, pki, warm=1) as ready:
        yield ready


async def use(local: str, text: bytes = b"x") -> None:
    """One local program that sends, reads the echo and leaves."""
    with Local(local) as program:
        await program.send(text)
        assert await program.read_exactly(len(text)) == text
        await program.end()
        assert await program.read_all() == b""


async def until_warm(bench: Bench, accepted: int) -> None:
    """Wait for connection number *accepted* at the proxy, shaken hands on and kept."""
    await bench.until(lambda: bench.proxy.accepted == accepted, f"{accepted} accepted")
    await bench.until(lambda: sum(len(pool) for pool in bench.engine._warm.values()) == 1, "a warm connection")


def timings(bench: Bench) -> StageTimings:
    return bench.tunnel.connections[0].timings


# What it saves.


async def test_the_second_tunnel_dials_nothing(warm: Bench) -> None:
    local = await warm.start()
    await use(local)
    assert timings(warm).tls is not None
    await until_warm(warm, 2)
    await use(local)
    await warm.until_closed(2)
    assert (timings(warm).dns, timings(warm).tcp, timings(warm).tls) == (None, None, None)
    assert timings(warm).connect is not None
    assert warm.tunnel.connections[0].tls == "TLSv1.3"
    await until_warm(warm, 3)
    assert len(warm.proxy.connects) == 2


async def test_a_started_tunnel_that_nobody_uses_dials_nothing(warm: Bench) -> None:
    await warm.start()
    await anyio.sleep(0.3)
    assert warm.proxy.accepted == 0


async def test_it_carries_no_token_until_it_is_used(warm: Bench) -> None:
    await give_token(warm)
    local = await warm.start()
    await use(local)
    await until_warm(warm, 2)
    assert len(warm.proxy.seen) == 1
    await use(local)
    assert [seen.token for seen in warm.proxy.seen] == ["good-token", "good-token"]


async def test_off(proxy: ConnectProxy, pki: Pki) -> None:
    async with running(proxy, pki, warm=0) as bench:
        await use(await bench.start())
        await bench.until_closed(1)
        await anyio.sleep(0.3)
    assert proxy.accepted == 1


async def test_a_plain_proxy_is_kept_warm_too(pki: Pki) -> None:
    with ConnectProxy() as plain:
        async with running(plain, pki, warm=1) as bench:
            local = await bench.start()
            await use(local)
            await until_warm(bench, 2)
            await use(local)
            await bench.until_closed(2)
            assert timings(bench).tcp is None


@pytest.mark.parametrize("end", ["stop", "restart", "close"])
async def test_it_is_closed_with_the_tunnel(warm: Bench, end: str) -> None:
    await use(await warm.start())
    await warm.until_closed(1)
    await until_warm(warm, 2)
    if end == "stop":
        await warm.engine.stop("db")
    elif end == "restart":
        await warm.engine.restart("db")
    else:
        await warm.engine.aclose()
    await warm.until(lambda: warm.proxy.open_connections == 0, "closed")
    await anyio.sleep(0.2)
    assert warm.proxy.accepted == 2


# Dead while it waits.


def end_in_order(peer: Peer) -> None:
    peer.end()
    with contextlib.suppress(Ragged):
        peer.read()


def end_raggedly(peer: Peer) -> None:
    peer.sock.shutdown(socket.SHUT_WR)


def say_408(peer: Peer) -> None:
    answer(408)(peer)


def send_rubbish(peer: Peer) -> None:
    peer.sock.sendall(b"rubbish that is no TLS record")


@pytest.mark.parametrize("dying", [end_in_order, end_raggedly, reset_at_once, say_408, send_rubbish])
async def test_one_that_died_waiting_is_not_used(warm: Bench, dying: Callable[[Peer], None]) -> None:
    warm.proxy.idle.extend([None, dying])
    local = await warm.start()
    await use(local)
    await warm.until(lambda: warm.proxy.accepted == 2)
    await warm.until(lambda: not any(len(pool) for pool in warm.engine._warm.values()), "noticed")
    # It died young: no other is made until the next use.
    await anyio.sleep(0.2)
    assert warm.proxy.accepted == 2
    await use(local)
    assert len(warm.proxy.connects) == 2
    assert warm.kinds("retry", "failed") == []


async def test_a_proxy_that_restarted_is_dialled(warm: Bench) -> None:
    local = await warm.start()
    await use(local)
    await until_warm(warm, 2)
    warm.proxy.stop()
    warm.proxy.start()
    await use(local)
    assert warm.kinds("retry", "failed") == []


# Dead when it is taken: the local program notices nothing.


@pytest.mark.parametrize("dying", [reset_at_once, end_in_order, end_raggedly, answer(408), send_rubbish])
async def test_one_that_dies_when_it_is_taken_costs_a_dial_and_nothing_else(
    warm: Bench, dying: Callable[[Peer], None]
) -> None:
    local = await warm.start()
    await use(local)
    await until_warm(warm, 2)
    warm.proxy.script.append(dying)
    await use(local)
    await warm.until_closed(2)
    assert len(warm.proxy.connects) == 3
    assert timings(warm).tls is not None
    assert warm.kinds("retry", "failed") == []


async def test_one_that_nobody_acknowledges_is_given_up(warm: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed network: loopback can't lose packets, so what the system says of them is made up."""
    monkeypatch.setattr(connector_module, "_SILENCE", 0.1)
    monkeypatch.setattr(connector_module, "unacknowledged", lambda sock: 300)
    local = await warm.start()
    await use(local)
    await until_warm(warm, 2)
    warm.proxy.script.append(say_nothing)
    await use(local)
    assert len(warm.proxy.connects) == 3
    assert warm.kinds("retry", "failed") == []


async def test_a_slow_answer_is_waited_for(proxy: ConnectProxy, pki: Pki, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that reaches a slow service is asked once: CONNECT is not sent twice."""
    monkeypatch.setattr(connector_module, "_SILENCE", 0.05)
    released = threading.Event()

    def slowly(peer: Peer) -> None:
        released.wait(10)
        echo(peer)

    async with running(proxy, pki, warm=1) as bench:
        local = await bench.start()
        await use(local)
        await until_warm(bench, 2)
        proxy.script.append(slowly)
        with Local(local) as program:
            await program.send(b"x")
            await anyio.sleep(0.3)
            released.set()
            assert await program.read() == b"x"
        assert len(proxy.connects) == 2


async def test_a_deadline_is_a_deadline(proxy: ConnectProxy, pki: Pki) -> None:
    deadlines = Deadlines(connect=0.4)
    async with running(proxy, pki, warm=1, deadlines=deadlines) as bench:
        local = await bench.start()
        await use(local)
        await until_warm(bench, 2)
        proxy.default = say_nothing
        with Local(local) as program:
            assert await program.is_reset()
        await bench.until(lambda: bench.of("failed"))
        assert bench.of("failed")[0].data["code"] == "timeout"


async def test_a_call_to_sign_in_is_heard_on_a_warm_connection(warm: Bench) -> None:
    local = await warm.start()
    await use(local)
    await until_warm(warm, 2)
    warm.proxy.tokens = set()
    with Local(local) as program:
        await program.send(b"x")
        await warm.until_state(State.AUTH)
        await warm.until(lambda: warm.of("sign_in"))
        await anyio.to_thread.run_sync(warm.proxy.sign_in, "fresh")
        assert await program.read() == b"x"


async def test_a_refusal_is_heard_on_a_warm_connection(warm: Bench) -> None:
    local = await warm.start()
    await use(local)
    await until_warm(warm, 2)
    warm.proxy.script.append(answer(403))
    with Local(local) as program:
        assert await program.is_reset()
    await warm.until_state(State.DENIED)
    assert len(warm.proxy.connects) == 2


# The pool.


class Pools:
    """Makes pools whose connections lead to a scripted proxy."""

    def __init__(self, proxy: ConnectProxy, pki: Pki, group: anyio.abc.TaskGroup) -> None:
        self.made = 0
        self._proxy = proxy
        self._context = client_context(ca_files=(pki.ca_file,))
        self._group = group

    async def connect(self, stages: Stages) -> SocketEndpoint:
        self.made += 1
        origin = parse_proxy_url(self._proxy.origin)
        return await reach(origin, self._context, stages, deadlines=DEADLINES, resolve=system_resolver)

    def make(self, **options: object) -> WarmPool:
        settings: dict[str, object] = {"size": 1, "pause": 0.0, **options}
        return WarmPool(self.connect, self._group, **settings)  # type: ignore[arg-type]


@pytest.fixture
async def pools(proxy: ConnectProxy, pki: Pki) -> AsyncIterator[Pools]:
    async with anyio.create_task_group() as group:
        yield Pools(proxy, pki, group)
        group.cancel_scope.cancel()


async def until(condition: Callable[[], object]) -> None:
    with anyio.fail_after(60):
        while not condition():
            await anyio.sleep(0.005)


async def test_a_burst_of_uses_makes_as_many_as_the_pool_holds(pools: Pools) -> None:
    pool = pools.make(size=2, pause=0.02)
    for _ in range(20):
        pool.used()
    await until(lambda: len(pool) == 2)
    for _ in range(20):
        pool.used()
    await anyio.sleep(0.1)
    assert (len(pool), pools.made) == (2, 2)
    pool.clear()


async def test_the_oldest_is_taken_first(pools: Pools) -> None:
    pool = pools.make(size=2)
    pool.used()
    await until(lambda: len(pool) == 2)
    first, second = pool.take(), pool.take()
    assert first is not None
    assert second is not None
    assert first.born <= second.born
    assert pool.take() is None
    for one in (first, second):
        one.far.close()
    pool.clear()


async def test_it_is_closed_when_the_proxy_is_no_longer_in_use(pools: Pools, proxy: ConnectProxy) -> None:
    pool = pools.make(lately=0.2)
    pool.used()
    await until(lambda: len(pool) == 1)
    await until(lambda: len(pool) == 0)
    await until(lambda: proxy.open_connections == 0)
    await anyio.sleep(0.1)
    assert pools.made == 1


async def test_uses_keep_it(pools: Pools) -> None:
    pool = pools.make(lately=0.4)
    for _ in range(8):
        pool.used()
        await anyio.sleep(0.1)
    assert pool._expiry is not None
    await until(lambda: pool._expiry is None)
    assert len(pool) == 0


async def test_one_that_lived_long_enough_is_replaced(pools: Pools, proxy: ConnectProxy) -> None:
    proxy.idle.append(end_in_order)
    pool = pools.make(young=0.0)
    pool.used()
    await until(lambda: pools.made == 2)
    await until(lambda: len(pool) == 1)
    pool.clear()


async def test_a_proxy_that_can_not_be_reached_is_not_tried_in_a_loop(
    pools: Pools, proxy: ConnectProxy, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "tunnelui.engine.warm")
    proxy.stop()
    pool = pools.make()
    pool.used()
    await until(lambda: "no warm connection" in caplog.text)
    await anyio.sleep(0.1)
    assert pools.made == 1
    pool.used()
    await until(lambda: pools.made == 2)
    pool.clear()


async def test_a_fault_of_ours_ends_the_filling_and_nothing_else(
    pools: Pools, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(stages: Stages) -> SocketEndpoint:
        raise ZeroDivisionError

    monkeypatch.setattr(pools, "connect", broken)
    pool = pools.make()
    pool.used()
    await until(lambda: "ZeroDivisionError" in caplog.text)
    pool.clear()


@pytest.mark.parametrize("jump", [61.0, -5.0], ids=["the machine slept", "the clock was set back"])
async def test_after_a_jump_of_the_clock_it_is_not_trusted(pools: Pools, proxy: ConnectProxy, jump: float) -> None:
    now = 1000.0
    pool = pools.make(wall_clock=lambda: now)
    pool.used()
    await until(lambda: len(pool) == 1)
    now += jump
    assert pool.take() is None
    await until(lambda: proxy.open_connections == 0)
    pool.clear()


async def test_clearing_stops_the_filling(proxy: ConnectProxy, pki: Pki) -> None:
    async with anyio.create_task_group() as group:
        pools = Pools(proxy, pki, group)
        for turns in range(12):  # wherever the filling stands
            pool = pools.make()
            pool.used()
            for _ in range(turns):
                await anyio.sleep(0)
            pool.clear()
        group.cancel_scope.deadline = anyio.current_time() + 10
    assert not group.cancel_scope.cancelled_caught
    await until(lambda: proxy.open_connections == 0)


async def test_a_pool_can_be_used_again_while_a_cleared_filling_ends(pools: Pools) -> None:
    pool = pools.make()
    pool.used()
    await until(lambda: pools.made == 1)
    pool.clear()
    pool.used()
    await until(lambda: len(pool) == 1)
    assert pools.made == 2
    pool.clear()


async def test_an_error_reaching_the_proxy_is_the_callers_own(proxy: ConnectProxy) -> None:
    origin = parse_proxy_url(proxy.origin)
    proxy.stop()

    class Times:
        timings = StageTimings()
        tls = ""

    with pytest.raises(ProxyError) as caught:
        await reach(origin, None, Times(), deadlines=DEADLINES, resolve=system_resolver)
    assert caught.value.code == "refused"


def test_unacknowledged_counts_what_the_peer_has_not_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        with client, server.accept()[0]:
            assert unacknowledged(client) == 0
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                for _ in range(1000):
                    client.send(bytes(1 << 16))
            assert unacknowledged(client) > 0
    assert unacknowledged(client) == 0
