"""Several gateways on one port, as processes."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

import anyio
import psutil
import pytest
from anyio import to_thread

from tests.server.gateway.harness import Upstream, connect_head, status
from tests.server.running import Server, alive, read_to_cut, sign_in, tunnel, wait_for, write_config
from tunnelui_server.cli import main

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux spreads connections over sockets")


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as service:
        yield service


@pytest.fixture
def config(tmp_path: Path, upstream: Upstream) -> Path:
    return write_config(tmp_path, upstream, "workers: 2")


@pytest.fixture
def server(config: Path) -> Iterator[Server]:
    made = Server(config)
    yield made
    made.stop()


def at(sock: ssl.SSLSocket, gateways: dict[int, psutil.Process]) -> int:
    """The number of the worker that holds the other end of *sock*."""
    here = sock.getsockname()[1]
    for number, process in gateways.items():
        if any(one.raddr[1:] == (here,) for one in process.net_connections("tcp")):
            return number
    raise AssertionError("nobody holds it")


class Spread:
    """Open tunnels, at least two with each worker."""

    def __init__(self, server: Server, token: str, stack: contextlib.ExitStack) -> None:
        self.by_worker: dict[int, list[ssl.SSLSocket]] = {0: [], 1: []}
        gateways = server.gateways()
        for _ in range(64):
            sock = stack.enter_context(tunnel(server, token))
            self.by_worker[at(sock, gateways)].append(sock)
            if min(map(len, self.by_worker.values())) >= 2:
                return
        raise AssertionError("one worker gets nothing")


async def test_both_serve_and_one_that_crashes_takes_only_its_own_tunnels_along(config: Path, server: Server) -> None:
    token = await sign_in(config)
    before = server.gateways()
    assert set(before) == {0, 1}
    with contextlib.ExitStack() as stack:
        spread = Spread(server, token, stack)
        before[1].kill()
        for sock in spread.by_worker[1]:
            read_to_cut(sock)
        assert all(map(alive, spread.by_worker[0]))
        wait_for(lambda: server.gateways().get(1, before[1]).pid != before[1].pid)
        # It listens again: both get their share.
        wait_for(lambda: len({at(sock, server.gateways()) for sock in _several(server, token)}) == 2)
        assert all(map(alive, spread.by_worker[0]))
        assert server.gateways()[0].pid == before[0].pid
    (said,) = [line for line in server.log() if line.get("plane") == "gateway"]
    assert said["worker"] == 2


def _several(server: Server, token: str) -> Iterator[ssl.SSLSocket]:
    for _ in range(8):
        with contextlib.suppress(OSError), tunnel(server, token) as sock:
            yield sock


async def test_log_lines_name_the_worker(config: Path, server: Server) -> None:
    token = await sign_in(config)
    with contextlib.ExitStack() as stack:
        spread = Spread(server, token, stack)
        expected = {number + 1: len(socks) for number, socks in spread.by_worker.items()}
    decided = Counter(line["worker"] for line in server.log() if line["message"] == "tunnel decided")
    assert decided == expected


async def test_a_revoked_session_is_cut_in_every_worker(config: Path, server: Server) -> None:
    with contextlib.ExitStack() as stack:
        spread = Spread(server, await sign_in(config), stack)
        assert await to_thread.run_sync(main, ["sessions", "revoke", "--config", str(config), "--all"]) == 0
        for socks in spread.by_worker.values():
            for sock in socks:
                read_to_cut(sock)


async def test_a_cap_counts_over_all_workers(tmp_path: Path, upstream: Upstream) -> None:
    config = write_config(tmp_path, upstream, "workers: 2\nmax_tunnels_per_user: 5")
    made = Server(config)
    try:
        token = await sign_in(config)
        with contextlib.ExitStack() as stack:
            gateways = made.gateways()
            held = [stack.enter_context(tunnel(made, token)) for _ in range(5)]
            for _ in range(12):
                sock = stack.enter_context(made.dial())
                sock.sendall(connect_head("echo.example.com:1", token))
                assert status(sock.recv(4096)) == 503
            mine = [sock for sock in held if at(sock, gateways) == 0]
            gateways[0].kill()
            for sock in mine:
                read_to_cut(sock)
            wait_for(lambda: made.gateways().get(0, gateways[0]).pid != gateways[0].pid)
            # What the dead one had counted is free again, and not more than that.
            for _ in mine:
                wait_for(lambda: _opens(made, token, stack))
            assert not _opens(made, token, stack)
    finally:
        made.stop()


def _opens(server: Server, token: str, stack: contextlib.ExitStack) -> bool:
    try:
        sock = stack.enter_context(server.dial())
        sock.sendall(connect_head("echo.example.com:1", token))
        return status(sock.recv(4096)) == 200
    except OSError:
        return False


async def test_all_of_them_stop_and_nothing_is_left(config: Path, server: Server) -> None:
    with contextlib.ExitStack() as stack:
        spread = Spread(server, await sign_in(config), stack)
        everyone = [*server.gateways().values(), *server.children().values()]
        server.process.terminate()
        for socks in spread.by_worker.values():
            for sock in socks:
                read_to_cut(sock)
    assert server.process.wait(60) == 0
    assert not any(process.is_running() for process in everyone)
    assert not list(server.runtime.iterdir())


async def test_a_worker_that_waits_to_be_started_again_stays_away_when_the_server_stops(
    tmp_path: Path, upstream: Upstream
) -> None:
    config = (
        write_config(tmp_path, upstream, "workers: 2").read_text().replace("shutdown_grace: 1s", "shutdown_grace: 4s")
    )
    (tmp_path / "config.yaml").write_text(config)
    made = Server(tmp_path / "config.yaml")
    try:
        with contextlib.ExitStack() as stack:
            spread = Spread(made, await sign_in(made.config), stack)
            # The second crash is followed by a longer pause than the first.
            for _ in range(3):
                before = made.gateways()[1]
                before.kill()
                wait_for(lambda: made.gateways().get(1, before).pid != before.pid)  # noqa: B023
            made.gateways()[1].kill()
            wait_for(lambda: 1 not in made.gateways())
            made.process.terminate()
            await anyio.sleep(2.5)  # longer than the pause, shorter than the grace
            assert alive(spread.by_worker[0][0])
            assert set(made.gateways()) == {0}
            for sock in spread.by_worker[0]:
                sock.close()
        assert made.process.wait(60) == 0
    finally:
        made.stop()


async def test_nobody_else_gets_the_port_while_no_worker_has_it(config: Path, server: Server) -> None:
    token = await sign_in(config)
    before = server.gateways()
    for process in before.values():
        process.suspend()  # so that neither is back before the other is gone
    for process in before.values():
        process.kill()
    wait_for(lambda: not any(process.is_running() and process.status() != "zombie" for process in before.values()))
    for reuse in (False, True):
        with socket.socket() as stranger:
            stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
            with pytest.raises(OSError, match="in use"):
                stranger.bind(("127.0.0.1", server.port))
    wait_for(lambda: all(server.gateways().get(number, old).pid != old.pid for number, old in before.items()))
    with contextlib.ExitStack() as stack:
        wait_for(lambda: _opens(server, token, stack))


def test_children_end_when_the_parent_is_killed(server: Server) -> None:
    children = psutil.Process(server.process.pid).children()
    assert len(children) == 3
    server.process.kill()
    psutil.wait_procs(children, timeout=60)
    assert not any(child.is_running() for child in children)
    assert not list(server.runtime.iterdir())


@pytest.mark.parametrize("shared", [False, True], ids=["its own", "shared"])
@pytest.mark.parametrize("front", ["proxy", "pages"])
def test_a_port_of_somebody_else_is_never_shared(config: Path, shared: bool, front: str) -> None:
    with socket.socket() as taken:
        if shared:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        text = config.read_text()
        if front == "proxy":
            text = text.replace("127.0.0.1:0", f"127.0.0.1:{port}")
        else:
            text += f"authenticate_service_url: http://127.0.0.1:{port}\n"
        config.write_text(text)
        command = [sys.executable, "-m", "tunnelui_server", "run", "--config", str(config)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=25)
    assert done.returncode == 1
    assert f"127.0.0.1:{port} is already in use" in done.stderr
    assert "listening" not in done.stdout


@pytest.mark.parametrize("value", ["0", "65", "-1", "two", "1.5"])
def test_a_number_of_workers_that_is_none(config: Path, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text(config.read_text().replace("workers: 2", f"workers: {value}"))
    assert main(["check", "--config", str(config)]) == 2
    assert f"“{value}” is no number from 1 to 64" in capsys.readouterr().err
