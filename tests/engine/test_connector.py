"""What each answer and each trouble leads to, and what happens to the token: nothing, but for a call to sign in."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import anyio
import pytest

from tests.support.connect_proxy import (
    ConnectProxy,
    answer,
    echo,
    greet_then,
    render,
    reset_at_once,
    say_nothing,
    send_raw,
)
from tests.support.engine_bench import QUICK, Local, give_token, running
from tunnelui.auth.tokens import Token
from tunnelui.config.profile import Profile
from tunnelui.config.route import Route
from tunnelui.config.settings import Settings
from tunnelui.engine.backoff import Backoff, RetryRule
from tunnelui.engine.model import ConnectionState, State
from tunnelui.engine.reach import Deadlines

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.support.connect_proxy import Peer
    from tests.support.engine_bench import Bench
    from tests.support.pki import Pki
    from tunnelui.transport.dial import AddrInfo

ONCE = RetryRule(Backoff(first=0.01, ceiling=0.01), retries=0, window=1.0)
SHORT = Deadlines(dns=1.0, tcp=1.0, tls=1.0, connect=1.0, body=0.5)


async def fail_once(bench: Bench) -> None:
    """Make one connection and see it reset."""
    with Local(bench.tunnel.local or await bench.start()) as program:
        assert await program.is_reset()
    await bench.until(lambda: bench.of("failed"), "a failure")


async def works(bench: Bench) -> None:
    """The next connection is served, and the tunnel is well again."""
    with Local(bench.tunnel.local) as program:
        await program.send(b"again")
        assert await program.read_exactly(5) == b"again"
    await bench.until_state(State.READY)
    assert bench.tunnel.problem is None


ODD = [201, 204, 206, 300, 303, 304, 400, 402, 404, 405, 407, 410, 421, 429, 431, 500, 501, 502, 504, 599]


@pytest.mark.parametrize("status", ODD)
async def test_odd_answers_are_errors_with_status_and_request_id(bench: Bench, status: int) -> None:
    await give_token(bench)
    body = b"" if status in (204, 304) else b"because"
    bench.proxy.script.append(answer(status, body, X_Request_Id="req-7", Content_Type="text/plain"))
    await fail_once(bench)
    (failed,) = bench.of("failed")
    assert (failed.data["code"], failed.data["status"], failed.data["request_id"]) == ("answer", status, "req-7")
    assert str(status) in failed.message
    assert failed.data["hint"] != ""
    assert bench.tunnel.state is State.ERROR
    assert bench.tunnel.problem is not None
    assert bench.tunnel.problem.request_id == "req-7"
    assert await bench.store.load(bench.key) == Token("good-token")
    assert bench.proxy.accepted == 1, "not tried again"
    await works(bench)
    assert bench.proxy.connects[-1].token == "good-token"
    assert bench.proxy.logins == []


async def test_denied_names_identity_and_request_and_keeps_the_token(bench: Bench) -> None:
    await give_token(bench)
    bench.proxy.script.append(
        answer(403, b'{"error": "no such group"}', X_Request_Id="r9", Content_Type="application/json")
    )
    await fail_once(bench)
    assert bench.tunnel.state is State.DENIED
    problem = bench.tunnel.problem
    assert problem is not None
    assert (problem.code, problem.request_id) == ("denied", "r9")
    assert "no such group" in problem.message
    assert "db.example.com:5432" in problem.message
    assert await bench.store.load(bench.key) == Token("good-token")
    assert bench.proxy.accepted == 1
    await works(bench)


async def test_restart_forgets_a_refusal(bench: Bench) -> None:
    bench.proxy.script.append(answer(403))
    await fail_once(bench)
    await bench.engine.restart("db")
    assert (bench.tunnel.state, bench.tunnel.problem, bench.tunnel.connections) == (State.READY, None, ())


async def test_503_is_tried_again_and_the_local_program_notices_nothing(bench: Bench) -> None:
    await give_token(bench)
    bench.proxy.script.extend([answer(503, b"starting", X_Request_Id="r1"), answer(503)])
    with Local(await bench.start()) as program:
        await program.send(b"hello")
        assert await program.read_exactly(5) == b"hello"
    assert len(bench.proxy.connects) == 3
    assert [e.data["code"] for e in bench.of("retry")] == ["unavailable", "unavailable"]
    assert bench.of("retry")[0].data["status"] == 503
    assert bench.of("failed") == []
    assert {seen.token for seen in bench.proxy.connects} == {"good-token"}


async def test_503_that_lasts_ends_in_retry_without_a_time(bench: Bench) -> None:
    await give_token(bench)
    bench.proxy.default = answer(503, b"down", X_Request_Id="r2")
    await fail_once(bench)
    assert len(bench.proxy.connects) == 1 + QUICK.retries
    tunnel = bench.tunnel
    assert (tunnel.state, tunnel.retry_at) == (State.RETRY, None)
    assert tunnel.problem is not None
    assert (tunnel.problem.code, tunnel.problem.request_id) == ("unavailable", "r2")
    assert await bench.store.load(bench.key) == Token("good-token")
    bench.proxy.default = echo
    await works(bench)


async def test_time_of_the_next_try_shows_while_a_connection_is_held(proxy: ConnectProxy, pki: Pki) -> None:
    slow = RetryRule(Backoff(first=1.0, ceiling=1.0, jitter=0.0), retries=1, window=5.0)
    proxy.script.append(answer(503))
    async with running(proxy, pki, retries=slow) as bench:
        with Local(await bench.start()) as program:
            await bench.until_state(State.RETRY)
            retry_at = bench.tunnel.retry_at
            assert retry_at is not None
            assert 0 < retry_at - time.time() <= 1.0
            assert bench.tunnel.connections[0].state is ConnectionState.CONNECTING
            await program.send(b"ok")
            assert await program.read_exactly(2) == b"ok"
            assert bench.tunnel.retry_at is None


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        (reset_at_once, "reset"),
        (lambda peer: peer.end(), "closed"),
        (lambda peer: None, "truncated"),
        (send_raw(b"HTTP/1.1 200 OK\r\nX-Half"), "closed"),
    ],
    ids=["reset", "closed", "cut", "half a head"],
)
async def test_connection_lost_before_the_answer_is_tried_again(
    bench: Bench, behaviour: Callable[[Peer], None], code: str
) -> None:
    await give_token(bench)
    bench.proxy.script.append(behaviour)
    with Local(await bench.start()) as program:
        await program.send(b"ok")
        assert await program.read_exactly(2) == b"ok"
    assert [e.data["code"] for e in bench.of("retry")] == [code]
    assert bench.of("retry")[0].data["stage"] == "connect"
    assert await bench.store.load(bench.key) == Token("good-token")


@pytest.mark.parametrize(
    "raw",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 200 OK\n\n",
        b"\x00" * 100,
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 20_000,
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\n\r\n" * 9,
    ],
    ids=["ssh", "version", "bare LF", "zeros", "huge", "101", "endless 102"],
)
async def test_garbage_is_an_odd_answer_and_not_tried_again(bench: Bench, raw: bytes) -> None:
    await give_token(bench)
    bench.proxy.script.append(send_raw(raw))
    await fail_once(bench)
    assert bench.of("failed")[0].data["code"] == "answer"
    assert bench.tunnel.state is State.ERROR
    assert bench.proxy.accepted == 1
    assert await bench.store.load(bench.key) == Token("good-token")


async def test_interim_answers_are_skipped(bench: Bench) -> None:
    def behave(peer: Peer) -> None:
        peer.write(render(100) + render(103, Link="</x>"))
        time.sleep(0.05)
        peer.write(render(102))
        echo(peer)

    bench.proxy.default = behave
    with Local(await bench.start()) as program:
        await program.send(b"ok")
        assert await program.read_exactly(2) == b"ok"


async def test_silent_proxy_ends_at_the_deadline(proxy: ConnectProxy, pki: Pki) -> None:
    proxy.script.append(say_nothing)
    async with running(proxy, pki, deadlines=SHORT, retries=ONCE) as bench:
        await give_token(bench)
        began = time.monotonic()
        await fail_once(bench)
        assert 0.9 < time.monotonic() - began < 10
        (failed,) = bench.of("failed")
        assert (failed.data["code"], failed.data["stage"]) == ("timeout", "connect")
        assert bench.tunnel.state is State.RETRY
        assert await bench.store.load(bench.key) == Token("good-token")
        await works(bench)


async def test_refusal_with_an_endless_body_does_not_hold_the_connection(proxy: ConnectProxy, pki: Pki) -> None:
    def behave(peer: Peer) -> None:
        peer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain\r\n\r\nfirst line\n")
        say_nothing(peer)

    proxy.script.append(behave)
    async with running(proxy, pki, deadlines=SHORT) as bench:
        began = time.monotonic()
        await fail_once(bench)
        assert time.monotonic() - began < 10
        assert "first line" in bench.of("failed")[0].message


async def test_refusal_that_breaks_in_its_body_still_counts(bench: Bench) -> None:
    def behave(peer: Peer) -> None:
        peer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 5000\r\nContent-Type: text/plain\r\n\r\nsome words")
        peer.reset()

    bench.proxy.script.append(behave)
    await fail_once(bench)
    assert bench.of("failed")[0].data["status"] == 502


async def test_killed_proxy_is_reported_and_recovers_by_itself(bench: Bench) -> None:
    await give_token(bench)
    local = await bench.start()
    with Local(local) as program:
        await program.send(b"x")
        await program.read()
        bench.proxy.stop()
        assert await program.is_reset()
    await bench.until_state(State.READY)
    with Local(local) as program:
        assert await program.is_reset()
    await bench.until(lambda: bench.of("failed"))
    assert bench.of("failed")[0].data["code"] == "refused"
    assert bench.tunnel.state is State.RETRY
    assert len(bench.of("retry")) == QUICK.retries
    bench.proxy.start()
    await works(bench)
    assert bench.proxy.connects[-1].token == "good-token"
    assert bench.proxy.logins == []


async def test_connection_made_during_a_proxy_restart_is_served(proxy: ConnectProxy, pki: Pki) -> None:
    patient = RetryRule(Backoff(first=0.2, ceiling=0.5, jitter=0.0), retries=8, window=10.0)
    async with running(proxy, pki, retries=patient) as bench:
        local = await bench.start()
        proxy.stop()
        with Local(local) as program:
            await program.send(b"held")
            await bench.until_state(State.RETRY)
            proxy.start()
            assert await program.read_exactly(4) == b"held"
        assert bench.of("failed") == []


async def test_name_that_does_not_resolve(proxy: ConnectProxy, pki: Pki) -> None:
    asked: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[AddrInfo]:
        asked.append(host)
        raise OSError(-2, "Name or service not known")

    route = Route("db", "db.example.com:5432", proxy_url=f"https://proxy.example.com:{proxy.port}")
    async with running(proxy, pki, route, resolve=resolve) as bench:
        await fail_once(bench)
        (failed,) = bench.of("failed")
        assert (failed.data["code"], failed.data["stage"]) == ("dns", "dns")
        assert asked == ["proxy.example.com"] * (1 + QUICK.retries)
        assert bench.tunnel.state is State.RETRY


async def test_name_server_that_never_answers(proxy: ConnectProxy, pki: Pki) -> None:
    async def resolve(host: str, port: int) -> Sequence[AddrInfo]:
        await anyio.sleep(60)
        return ()

    route = Route("db", "db.example.com:5432", proxy_url="https://proxy.example.com")
    async with running(proxy, pki, route, resolve=resolve, deadlines=SHORT, retries=ONCE) as bench:
        await fail_once(bench)
        assert bench.of("failed")[0].data["stage"] == "dns"


async def test_black_hole_ends_at_the_deadline_of_tls(pki: Pki) -> None:
    """A listener that takes the connection and says nothing, as a filter in between may do."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as hole, ConnectProxy(pki.server_context()) as proxy:
        route = Route("db", f"tcp+https://127.0.0.1:{hole.getsockname()[1]}/db.example.com:5432")
        async with running(proxy, pki, route, deadlines=SHORT, retries=ONCE) as bench:
            await fail_once(bench)
            (failed,) = bench.of("failed")
            assert (failed.data["code"], failed.data["stage"]) == ("timeout", "tls")
            assert set(failed.data["timings"]) == {"queue", "dns", "tcp"}


async def test_certificate_for_another_name_is_an_error_that_is_not_tried_again(pki: Pki) -> None:
    with ConnectProxy(pki.server_context("other.example.com")) as proxy:
        async with running(proxy, pki) as bench:
            await give_token(bench)
            await fail_once(bench)
            (failed,) = bench.of("failed")
            assert failed.data["code"] == "certificate"
            assert "other.example.com" in failed.message
            assert bench.tunnel.state is State.ERROR
            assert bench.of("retry") == []
            assert await bench.store.load(bench.key) == Token("good-token")
            assert proxy.accepted == 1


async def test_missing_ca_file_is_an_error_that_names_it_and_mends_itself(
    proxy: ConnectProxy, pki: Pki, tmp_path: object
) -> None:
    from pathlib import Path

    path = Path(str(tmp_path)) / "ca.pem"
    settings = Settings(profiles={"default": Profile(ca_file=str(path), open_browser=False)})
    async with running(proxy, pki, settings=settings) as bench:
        await fail_once(bench)
        assert bench.tunnel.state is State.ERROR
        assert str(path) in bench.of("failed")[0].message
        path.write_bytes(Path(pki.ca_file).read_bytes())
        await works(bench)


async def test_cancelled_connection_keeps_the_token(bench: Bench) -> None:
    await give_token(bench)
    bench.proxy.script.append(say_nothing)
    with Local(await bench.start()) as program:
        await bench.until(lambda: bench.proxy.connects)
        await bench.engine.stop("db")
        assert await program.is_reset()
    assert await bench.store.load(bench.key) == Token("good-token")
    assert bench.of("failed") == []


async def test_reset_after_opening_keeps_the_token(bench: Bench) -> None:
    await give_token(bench)
    bench.proxy.script.append(greet_then(lambda peer: peer.reset()))
    with Local(await bench.start()) as program:
        await program.read_exactly(5)
        await program.send(b"x")
        assert await program.is_reset()
    assert await bench.store.load(bench.key) == Token("good-token")
    await works(bench)
