"""Starting, stopping, ports."""

from __future__ import annotations

import os
import socket
import stat
from typing import TYPE_CHECKING

import anyio
import pytest

from tests.support.connect_proxy import say_nothing
from tests.support.engine_bench import Local, running
from tunnelui.config.route import Route
from tunnelui.engine.backoff import Backoff
from tunnelui.engine.model import State
from tunnelui.errors import LocalError
from tunnelui.transport import listen

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.connect_proxy import ConnectProxy
    from tests.support.engine_bench import Bench
    from tests.support.pki import Pki

EAGER = Backoff(first=0.1, ceiling=0.1, jitter=0.0)


async def test_start_listens_and_stop_frees_the_port(bench: Bench) -> None:
    assert (bench.tunnel.state, bench.tunnel.local) == (State.OFF, "")
    local = await bench.start()
    assert bench.tunnel.started_at is not None
    await bench.engine.start("db")
    assert bench.tunnel.local == local
    await bench.engine.stop("db")
    stopped = bench.tunnel
    assert (stopped.state, stopped.started_at) == (State.OFF, None)
    with pytest.raises(ConnectionRefusedError):
        Local(local)
    await bench.engine.stop("db")
    assert len(bench.of("stopped")) == 1
    assert len(bench.of("listening")) == 1
    facts = bench.of("listening")[0].data
    assert facts == {
        "local": local,
        "destination": bench.proxy.destination(),
        "proxy": bench.proxy.origin,
        "target": "db.example.com:5432",
    }


async def test_free_port_is_remembered_over_stop_and_start(bench: Bench) -> None:
    local = await bench.start()
    await bench.engine.stop("db")
    assert bench.tunnel.local == local
    assert await bench.start() == local


async def test_another_free_port_is_taken_when_the_remembered_one_is_gone(bench: Bench) -> None:
    local = await bench.start()
    await bench.engine.stop("db")
    with socket.create_server(("127.0.0.1", int(local.rpartition(":")[2]))):
        other = await bench.start()
    assert other != local


async def test_restart_keeps_listening_without_a_gap_and_cuts_connections(bench: Bench) -> None:
    local = await bench.start()
    with Local(local) as program:
        await program.send(b"x")
        await program.read()
        await bench.engine.restart("db")
        assert await program.is_reset()
    assert (bench.tunnel.state, bench.tunnel.local) == (State.READY, local)
    assert (bench.tunnel.bytes_in, bench.tunnel.connections) == (0, ())
    assert len(bench.of("listening")) == 1
    with Local(local) as program:
        await program.send(b"y")
        assert await program.read() == b"y"


async def test_restart_of_a_stopped_tunnel_starts_it(bench: Bench) -> None:
    await bench.engine.restart("db")
    assert bench.tunnel.state is State.READY


async def test_busy_port_is_taken_once_it_is_free(proxy: ConnectProxy, pki: Pki) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        async with running(proxy, pki, Route("db", proxy.destination(), address), port_backoff=EAGER) as bench:
            await bench.engine.start("db")
            tunnel = bench.tunnel
            assert (tunnel.state, tunnel.local) == (State.PORT_BUSY, address)
            assert tunnel.problem is not None
            assert tunnel.problem.code == "port_busy"
            assert address in tunnel.problem.message
            await bench.until(lambda: bench.tunnel.retry_at is not None)
            other.close()
            await bench.until_state(State.READY)
            assert bench.tunnel.problem is None
            with Local(address) as program:
                await program.send(b"x")
                assert await program.read() == b"x"
            assert [e.data["state"] for e in bench.of("state")][:2] == ["port busy", "ready"]


async def test_restart_tries_a_busy_port_at_once(proxy: ConnectProxy, pki: Pki) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        async with running(proxy, pki, Route("db", proxy.destination(), address)) as bench:
            await bench.engine.start("db")
            assert bench.tunnel.state is State.PORT_BUSY
            other.close()
            await bench.engine.restart("db")
            assert (bench.tunnel.state, bench.tunnel.retry_at) == (State.READY, None)


async def test_stop_ends_the_tries_for_a_busy_port(proxy: ConnectProxy, pki: Pki) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        route = Route("db", proxy.destination(), f"127.0.0.1:{port}")
        async with running(proxy, pki, route, port_backoff=EAGER) as bench:
            await bench.engine.start("db")
            await bench.engine.stop("db")
            other.close()
            await anyio.sleep(0.3)
            assert bench.tunnel.state is State.OFF
            socket.create_server(("127.0.0.1", port)).close()


async def test_address_of_another_machine_is_an_error(proxy: ConnectProxy, pki: Pki) -> None:
    async with running(proxy, pki, Route("db", proxy.destination(), "192.0.2.1:5432")) as bench:
        await bench.engine.start("db")
        assert bench.tunnel.state is State.ERROR
        assert bench.tunnel.problem is not None
        assert "192.0.2.1:5432" in bench.tunnel.problem.message


@pytest.mark.parametrize(
    ("destination", "listen_at"),
    [("no port at all", ""), ("udp+https://a:1", ""), ("db:5432", "-"), ("db:5432", "nonsense")],
)
async def test_route_that_makes_no_sense_is_an_error_with_a_problem(
    proxy: ConnectProxy, pki: Pki, destination: str, listen_at: str
) -> None:
    async with running(proxy, pki, Route("db", destination, listen_at)) as bench:
        await bench.engine.start("db")
        assert bench.tunnel.state is State.ERROR
        assert bench.tunnel.problem is not None
        await bench.until(lambda: bench.of("failed"))
        await bench.engine.restart("db")
        assert bench.tunnel.state is State.ERROR
        await bench.engine.stop("db")
        await bench.until_state(State.OFF)


async def test_unknown_profile_is_an_error(proxy: ConnectProxy, pki: Pki) -> None:
    async with running(proxy, pki, Route("db", proxy.destination(), profile="nobody")) as bench:
        assert (bench.tunnel.proxy, bench.tunnel.target) == ("", "")
        await bench.engine.start("db")
        assert bench.tunnel.problem is not None
        assert "nobody" in bench.tunnel.problem.message


async def test_unix_socket(proxy: ConnectProxy, pki: Pki, tmp_path: Path) -> None:
    path = tmp_path / "db.sock"
    async with running(proxy, pki, Route("db", proxy.destination(), f"unix:{path}")) as bench:
        assert bench.tunnel.local == f"unix:{path}"
        await bench.engine.start("db")
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(30)
            await anyio.to_thread.run_sync(sock.connect, str(path))
            await anyio.to_thread.run_sync(sock.sendall, b"x")
            assert await anyio.to_thread.run_sync(sock.recv, 10) == b"x"
            assert bench.tunnel.connections[0].peer == ""
        await bench.engine.stop("db")
        assert not path.exists()


async def test_connections_beyond_the_limit_are_reset(proxy: ConnectProxy, pki: Pki) -> None:
    async with running(proxy, pki, max_connections=2) as bench:
        local = await bench.start()
        with Local(local) as one, Local(local) as two:
            for program in (one, two):
                await program.send(b"x")
                await program.read()
            with Local(local) as three:
                assert await three.is_reset()
            await bench.until(lambda: bench.of("note"))
            assert bench.tunnel.live == 2
        await bench.until_state(State.READY)
        with Local(local) as again:
            await again.send(b"x")
            assert await again.read() == b"x"


async def test_stop_cuts_open_connections_with_a_reset(bench: Bench) -> None:
    with Local(await bench.start()) as program:
        await program.send(b"x")
        await program.read()
        await bench.engine.stop("db")
        assert bench.tunnel.state is State.OFF
        assert await program.is_reset()
    await bench.until(lambda: bench.of("closed"))
    assert bench.of("closed")[0].data["cause"] == "stopped"
    assert bench.tunnel.bytes_in == 1


async def test_drain_lets_an_open_connection_finish(bench: Bench) -> None:
    local = await bench.start()
    with Local(local) as program:
        await program.send(b"x")
        await program.read()
        async with anyio.create_task_group() as group:
            group.start_soon(bench.engine.drain, 10.0)
            await bench.until(lambda: bench.of("stopped"))
            assert bench.tunnel.state is State.LIVE
            with pytest.raises(ConnectionRefusedError):
                Local(local)
            await program.send(b"still here")
            assert await program.read_exactly(10) == b"still here"
            await program.end()
            assert await program.read_all() == b""
    assert bench.tunnel.state is State.OFF


async def test_drain_cuts_what_outlives_the_grace(bench: Bench) -> None:
    with Local(await bench.start()) as program:
        await program.send(b"x")
        await program.read()
        with anyio.fail_after(60):
            await bench.engine.drain(0.3)
        assert await program.is_reset()


async def test_second_drain_cuts_at_once(bench: Bench) -> None:
    with Local(await bench.start()) as program:
        await program.send(b"x")
        await program.read()
        with anyio.fail_after(60):
            async with anyio.create_task_group() as group:
                group.start_soon(bench.engine.drain, 60.0)
                await bench.until(lambda: bench.of("stopped"))
                await bench.engine.drain(60.0)
        assert await program.is_reset()


async def test_drain_does_not_wait_for_what_is_not_open_yet(bench: Bench) -> None:
    bench.proxy.default = say_nothing
    with Local(await bench.start()) as program:
        await bench.until(lambda: bench.proxy.connects)
        with anyio.fail_after(60):
            await bench.engine.drain(60.0)
        assert await program.is_reset()


async def test_tunnel_started_again_during_its_grace_is_left_alone(bench: Bench) -> None:
    local = await bench.start()
    with Local(local) as old:
        await old.send(b"x")
        await old.read()
        async with anyio.create_task_group() as group:
            group.start_soon(bench.engine.stop, "db", 0.5)
            await bench.until(lambda: bench.of("stopped"))
            await bench.engine.start("db")
            new = Local(bench.tunnel.local)
            await new.send(b"y")
            assert await new.read() == b"y"
        assert await old.is_reset()
        await new.send(b"z")
        assert await new.read() == b"z"
        new.close()
    await bench.until_state(State.READY)


async def test_broken_listener_is_an_error_that_a_restart_mends(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    local = await bench.start()
    monkeypatch.setattr(listen, "_EXHAUSTED", frozenset())
    real_accept = socket.socket.accept

    def accept(self: socket.socket) -> tuple[socket.socket, object]:
        if self.getsockname()[1] == int(local.rpartition(":")[2]):
            raise OSError(9, "Bad file descriptor")
        return real_accept(self)

    monkeypatch.setattr(socket.socket, "accept", accept)
    with pytest.raises((ConnectionError, TimeoutError)), Local(local) as program:
        await program.read()
    await bench.until_state(State.ERROR)
    assert bench.tunnel.problem is not None
    assert bench.tunnel.problem.code == LocalError.default_code
    monkeypatch.undo()
    await bench.engine.restart("db")
    assert bench.tunnel.state is State.READY
