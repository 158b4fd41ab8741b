"""One connection after another: bytes, ends, counters, timings."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.connect_proxy import ConnectProxy, answer_at_end, echo, greet_then, render, say_nothing
from tests.support.engine_bench import Local, running
from tunnelui.config.profile import Profile
from tunnelui.config.route import Route
from tunnelui.config.settings import Settings
from tunnelui.engine.model import ConnectionState, State, to_json

if TYPE_CHECKING:
    from tests.support.connect_proxy import Peer
    from tests.support.engine_bench import Bench
    from tests.support.pki import Pki


async def test_bytes_go_there_and_back(bench: Bench) -> None:
    local = await bench.start()
    with Local(local) as program:
        await program.send(b"ping")
        assert await program.read_exactly(4) == b"ping"
        assert bench.tunnel.state is State.LIVE
        assert bench.tunnel.live == 1
        await program.end()
        assert await program.read_all() == b""
    await bench.until_state(State.READY)
    assert (bench.tunnel.bytes_in, bench.tunnel.bytes_out, bench.tunnel.live) == (4, 4, 0)
    (closed,) = bench.tunnel.connections
    assert closed.state is ConnectionState.CLOSED
    assert (closed.bytes_in, closed.bytes_out) == (4, 4)
    assert closed.request_id == "req-200"
    assert closed.tls in ("TLSv1.2", "TLSv1.3")
    assert closed.cause == "both sides ended, local first"


async def test_request_is_a_plain_connect_without_a_token(bench: Bench) -> None:
    with Local(await bench.start()) as program:
        await program.send(b"x")
        await program.read()
    (seen,) = bench.proxy.connects
    assert seen.target == seen.headers["host"] == "db.example.com:5432"
    assert "authorization" not in seen.headers


async def test_every_stage_is_timed(bench: Bench) -> None:
    with Local(await bench.start()) as program:
        await program.send(b"x")
        await program.read()
        (connection,) = bench.tunnel.connections
    timings = connection.timings
    for stage in ("queue", "dns", "tcp", "tls", "connect", "first_byte"):
        seconds = getattr(timings, stage)
        assert seconds is not None, stage
        assert 0 <= seconds < 5, stage
    assert timings.handshake is not None
    assert timings.tls is not None
    assert timings.tls > 0
    assert timings.handshake >= timings.tls


async def test_events_tell_the_story_in_order(bench: Bench) -> None:
    with Local(await bench.start()) as program:
        await program.send(b"abc")
        await program.read_exactly(3)
        await program.end()
        await program.read_all()
    await bench.until_state(State.READY)
    await bench.engine.stop("db")
    await bench.until(lambda: bench.of("stopped"))
    story = [(e.kind, e.message if e.kind == "state" else "") for e in bench.events]
    assert story == [
        ("state", "ready"),
        ("listening", ""),
        ("accepted", ""),
        ("open", ""),
        ("state", "live"),
        ("closed", ""),
        ("state", "ready"),
        ("state", "off"),
        ("stopped", ""),
    ]
    (opened,), (closed,) = bench.of("open"), bench.of("closed")
    assert opened.connection == closed.connection
    assert set(opened.data["timings"]) == {"queue", "dns", "tcp", "tls", "connect"}
    assert set(closed.data["timings"]) == {"queue", "dns", "tcp", "tls", "connect", "first_byte"}
    assert (closed.data["bytes_in"], closed.data["bytes_out"]) == (3, 3)
    assert closed.data["duration"] > 0
    assert to_json(closed)["data"]["cause"] == closed.data["cause"] != ""


async def test_local_end_reaches_a_proxy_that_passes_ends_on(bench: Bench) -> None:
    bench.proxy.default = answer_at_end
    with Local(await bench.start()) as program:
        await program.send(b"x" * 100_000)
        await program.end()
        assert await program.read_all() == b"100000 bytes"


async def test_half_closed_connection_shows_as_such(bench: Bench) -> None:
    release = threading.Event()

    def finish(peer: Peer) -> None:
        release.wait(10)
        peer.end()

    bench.proxy.default = greet_then(finish, b"hi")
    with Local(await bench.start()) as program:
        assert await program.read_exactly(2) == b"hi"
        assert bench.tunnel.connections[0].state is ConnectionState.OPEN
        await program.end()
        await bench.until(lambda: bench.tunnel.connections[0].state is ConnectionState.HALF_CLOSED)
        assert bench.tunnel.state is State.LIVE
        release.set()
        assert await program.read_all() == b""


async def test_local_end_is_not_passed_on_without_the_field_and_lingers(bench: Bench) -> None:
    ended: list[bytes] = []

    def behave(peer: Peer) -> None:
        peer.write(render(200))
        peer.read()
        peer.write(b"answer")
        ended.append(peer.read())

    bench.proxy.default = behave
    with Local(await bench.start()) as program:
        await program.send(b"question")
        await program.end()
        assert await program.read_all() == b"answer"
    await bench.until_state(State.READY)
    (closed,) = bench.of("closed")
    assert closed.data["bytes_in"] == 6
    assert closed.data["duration"] >= 0.5  # the linger time of the bench


async def test_far_end_reaches_the_local_program_while_it_may_go_on(bench: Bench) -> None:
    got: list[bytes] = []

    def finish(peer: Peer) -> None:
        peer.end()
        while data := peer.read():
            got.append(data)

    bench.proxy.default = greet_then(finish, b"hello")
    with Local(await bench.start()) as program:
        await program.send(b"first")
        assert await program.read_all() == b"hello"
        await program.send(b"second")
        await program.end()
        await bench.until(lambda: b"second" in b"".join(got))


async def test_reset_by_the_proxy_is_a_reset_for_the_local_program(bench: Bench) -> None:
    bench.proxy.default = greet_then(lambda peer: peer.reset())
    with Local(await bench.start()) as program:
        assert await program.read_exactly(5) == b"hello"
        await program.send(b"go")
        assert await program.is_reset()
    await bench.until(lambda: bench.of("closed"))
    assert bench.of("closed")[0].level == "warning"
    assert bench.tunnel.state is State.READY


async def test_stream_cut_without_close_notify_is_a_reset_for_the_local_program(bench: Bench) -> None:
    bench.proxy.default = greet_then(lambda peer: peer.sock.shutdown(2))
    with Local(await bench.start()) as program:
        assert await program.read_exactly(5) == b"hello"
        await program.send(b"go")
        assert await program.is_reset()


async def test_reset_by_the_local_program_ends_the_tunnel(bench: Bench) -> None:
    program = Local(await bench.start())
    await program.send(b"x")
    await program.read()
    program.reset()
    await bench.until_state(State.READY)
    assert bench.of("closed")[0].level == "warning"


async def test_bytes_that_follow_the_answer_at_once_are_kept(bench: Bench) -> None:
    bench.proxy.default = greet_then(lambda peer: peer.end(), b"x" * 50_000)
    with Local(await bench.start()) as program:
        assert await program.read_exactly(50_000) == b"x" * 50_000


async def test_bytes_sent_before_the_tunnel_is_open_are_kept(bench: Bench) -> None:
    def slow(peer: Peer) -> None:
        time.sleep(0.3)
        echo(peer)

    bench.proxy.default = slow
    with Local(await bench.start()) as program:
        await program.send(b"early")
        assert await program.read_exactly(5) == b"early"


async def test_plain_http_proxy_works_without_tls(pki: Pki) -> None:
    with ConnectProxy() as proxy:
        async with running(proxy, pki) as bench:
            with Local(await bench.start()) as program:
                await program.send(b"plain")
                assert await program.read_exactly(5) == b"plain"
                (connection,) = bench.tunnel.connections
            assert connection.tls == ""
            assert connection.timings.tls is None
            assert connection.timings.handshake is not None


async def test_proxy_url_of_the_route_wins(proxy: ConnectProxy, pki: Pki) -> None:
    route = Route("db", "db.example.com:5432", proxy_url=proxy.origin)
    async with running(proxy, pki, route) as bench:
        assert (bench.tunnel.proxy, bench.tunnel.target) == (proxy.origin, "db.example.com:5432")
        with Local(await bench.start()) as program:
            await program.send(b"x")
            assert await program.read() == b"x"


async def test_closed_connections_are_remembered_newest_first_and_bounded(bench: Bench) -> None:
    local = await bench.start()
    for n in range(25):
        with Local(local) as program:
            await program.send(b"y" * (n + 1))
            await program.read_exactly(n + 1)
            await program.end()
            await program.read_all()
        await bench.until_closed(n + 1)
    connections = bench.tunnel.connections
    assert [c.bytes_in for c in connections] == list(range(25, 5, -1))
    assert bench.tunnel.bytes_in == sum(range(1, 26))


async def test_version_grows_with_bytes_alone(bench: Bench) -> None:
    with Local(await bench.start()) as program:
        await program.send(b"a")
        await program.read()
        before = bench.engine.snapshot().version
        assert bench.engine.snapshot().version == before
        await program.send(b"bc")
        await program.read_exactly(2)
        assert bench.engine.snapshot().version > before


@pytest.mark.timeout(400)
async def test_50_connections_at_once(bench: Bench) -> None:
    local = await bench.start()
    programs = [Local(local) for _ in range(50)]
    for n, program in enumerate(programs):
        await program.send(b"%03d" % n)
    for n, program in enumerate(programs):
        assert await program.read_exactly(3) == b"%03d" % n
    assert bench.tunnel.live == 50
    for program in programs:
        program.close()
    await bench.until_state(State.READY)


async def test_a_silent_connection_ends_after_the_idle_time_of_its_route(proxy: ConnectProxy, pki: Pki) -> None:
    async with running(proxy, pki, Route("db", proxy.destination(), idle_timeout=1.5)) as bench:
        with Local(await bench.start()) as program:
            await program.send(b"x")
            assert await program.read() == b"x"
            await bench.until_closed(1)
        assert bench.of("closed")[0].data["cause"] == "no byte for 1.5 s"


async def test_a_route_takes_no_more_connections_than_it_says(proxy: ConnectProxy, pki: Pki) -> None:
    async with running(proxy, pki, Route("db", proxy.destination(), max_connections=1)) as bench:
        local = await bench.start()
        with Local(local) as first:
            await first.send(b"x")
            assert await first.read() == b"x"
            with Local(local) as second:
                assert await second.is_reset()
            await first.send(b"y")
            assert await first.read() == b"y"


async def test_a_connect_timeout_bounds_each_stage(proxy: ConnectProxy, pki: Pki) -> None:
    proxy.script.append(say_nothing)
    async with running(proxy, pki, Route("db", proxy.destination(), connect_timeout=0.3)) as bench:
        with Local(await bench.start()) as program:
            await bench.until(lambda: bench.of("failed") or bench.of("retry"))
            await program.end()
    assert "within 0.3 s" in str([*bench.of("failed"), *bench.of("retry")][0].data)


async def test_the_certificate_must_have_the_name_of_the_profile(proxy: ConnectProxy, pki: Pki) -> None:
    def settings(name: str) -> Settings:
        return Settings(
            profiles={"default": Profile(ca_file=pki.ca_file, server_name=name, open_browser=False)}, warm=0
        )

    async with running(proxy, pki, settings=settings("localhost")) as bench:
        with Local(await bench.start()) as program:
            await program.send(b"x")
            assert await program.read() == b"x"
    async with running(proxy, pki, settings=settings("other.example.org")) as bench:
        with Local(await bench.start()) as program:
            assert await program.is_reset()
        await bench.until(lambda: bench.of("failed"))
        assert bench.of("failed")[0].data["code"] == "certificate"


async def test_the_sign_in_asks_for_the_name_of_the_profile_too(proxy: ConnectProxy, pki: Pki) -> None:
    for name, code in (("localhost", ""), ("other.example.org", "login_unreachable")):
        profile = Profile(ca_file=pki.ca_file, server_name=name, open_browser=False)
        async with running(proxy, pki, settings=Settings(profiles={"default": profile}, warm=0)) as bench:
            await bench.engine.sign_in("default", proxy.origin)
            if not code:
                await bench.until(lambda: bench.of("sign_in"))
            else:
                await bench.until(lambda: bench.engine.snapshot().identities[0].problem)
                problem = bench.engine.snapshot().identities[0].problem
                assert problem is not None
                assert problem.code == code
