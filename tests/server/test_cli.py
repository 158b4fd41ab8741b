"""``tunnelui-server`` as people run it: real processes, both planes, crashes and ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.server.gateway.harness import Upstream, connect_head, status
from tests.server.running import Server, alive, read_to_cut, sign_in, tunnel, wait_for, write_config
from tunnelui_server.cli import main
from tunnelui_server.config import RUNTIME_VARIABLE
from tunnelui_server.identity.passwords import verify_password

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as service:
        yield service


@pytest.fixture
def config(tmp_path: Path, upstream: Upstream) -> Path:
    return write_config(tmp_path, upstream, "workers: 1")


@pytest.fixture
def server(config: Path) -> Iterator[Server]:
    made = Server(config)
    yield made
    made.stop()


PING = b"GET /ping HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"


class TestRun:
    def test_a_plane_that_is_started_again_does_not_meet_a_later_edit(self, config: Path, server: Server) -> None:
        config.write_text("routes: [")
        child = server.children()["control"]
        child.kill()
        wait_for(lambda: server.children().get("control", child).pid != child.pid)
        wait_for(lambda: status(server.ask(PING)) == 200)

    async def test_it_serves_survives_a_crash_and_leaves_nothing_behind(self, config: Path, server: Server) -> None:
        assert server.process.stdout is not None
        assert server.process.stdout.readline() == f"listening on {server.ready['proxy']}\n".encode()
        assert status(server.ask(PING)) == 200
        with tunnel(server, await sign_in(config)) as sock:
            children = server.children()
            assert set(children) == {"gateway", "control"}
            children["control"].kill()
            assert alive(sock)
            wait_for(lambda: server.children().get("control", children["control"]).pid != children["control"].pid)
            wait_for(lambda: status(server.ask(PING)) == 200)
            assert alive(sock)
            assert server.children()["gateway"].pid == children["gateway"].pid
            (folder,) = server.runtime.iterdir()
            assert folder.stat().st_mode & 0o077 == 0
            everyone = list(server.children().values())
            server.process.terminate()
            read_to_cut(sock)
        assert server.process.wait(60) == 0
        assert not list(server.runtime.iterdir())
        assert not any(process.is_running() for process in everyone)
        ended = [line for line in server.log() if line["message"] == "tunnel ended"]
        assert [line["cause"] for line in ended] == ["shutdown"]
        assert any(line.get("plane") == "control" for line in server.log())

    async def test_a_gateway_that_crashes_is_back_on_a_port(self, config: Path, server: Server) -> None:
        gateway = server.children()["gateway"]
        gateway.kill()
        wait_for(lambda: server.children().get("gateway", gateway).pid != gateway.pid)
        assert server.process.poll() is None

    def test_children_end_when_the_parent_is_killed(self, server: Server) -> None:
        children = list(server.children().values())
        assert len(children) == 2
        server.process.kill()
        psutil.wait_procs(children, timeout=60)
        assert not any(child.is_running() for child in children)
        assert not list(server.runtime.iterdir())

    async def test_a_second_signal_does_not_wait(self, config: Path, server: Server) -> None:
        with tunnel(server, await sign_in(config)):
            began = time.monotonic()
            server.process.send_signal(signal.SIGINT)
            time.sleep(0.2)
            server.process.send_signal(signal.SIGINT)
            assert server.process.wait(60) == 0
            assert time.monotonic() - began < 6

    def test_a_request_that_hides_a_connect_opens_nothing(self, server: Server, upstream: Upstream) -> None:
        hidden = connect_head("echo.example.com:1")
        both = b"POST /ping HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        assert status(server.ask(both + hidden)) == 400
        keep = b"GET /ping HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        first, *others = server.ask(keep + hidden).split(b"HTTP/1.1 ")[1:]
        assert first.startswith(b"200")
        # The control plane may close after one answer, or say that it knows no CONNECT; it never opens one.
        assert all(answer[:3] in (b"400", b"404") for answer in others)
        assert upstream.connects == 0
        assert not [line for line in server.log() if line["message"] == "tunnel decided"]

    def test_a_port_that_is_taken_is_told_in_words(self, config: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            config.write_text(config.read_text().replace("127.0.0.1:0", f"127.0.0.1:{port}"))
            command = [sys.executable, "-m", "tunnelui_server", "run", "--config", str(config)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=25)
        assert done.returncode == 1
        assert f"127.0.0.1:{port} is already in use" in done.stderr
        assert "listening" not in done.stdout

    def test_a_wrong_configuration_is_exit_2(self, config: Path, capfd: pytest.CaptureFixture[str]) -> None:
        config.write_text(config.read_text() + "x: 1\n")
        assert main(["run", "--config", str(config)]) == 2
        assert "unknown key “x”" in capfd.readouterr().err


class TestCheck:
    def test_good(self, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
        config.write_text(config.read_text() + "autocert: true\n")
        assert main(["check", "--config", str(config)]) == 0
        out, err = capsys.readouterr()
        assert out == f"{config}: good, 1 route\n"
        assert "warning: these keys have no effect here: autocert" in err
        assert not (config.parent / "state").exists()

    def test_every_error_with_its_hint(self, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
        config.write_text("log_level: loud\nidp_clientid: x\n" + config.read_text())
        assert main(["check", "--config", str(config)]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert f"{config}:1: log_level: “loud” is no level" in err
        assert f"{config}:2: unknown key “idp_clientid”\n  Did you mean “idp_client_id”?" in err
        assert err.endswith("2 errors\n")

    def test_a_file_that_is_not_there(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["check", "--config", str(tmp_path / "x")]) == 2
        assert "No such file" in capsys.readouterr().err


class TestSessions:
    def test_list_and_revoke(self, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
        import anyio

        anyio.run(sign_in, config)
        assert main(["sessions", "list", "--config", str(config), "--json"]) == 0
        (listed,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert listed["email"] == "alice@example.com"
        assert main(["sessions", "revoke", "--config", str(config), "alice@example.com"]) == 0
        assert main(["sessions", "list", "--config", str(config)]) == 0
        assert "nobody is signed in" in capsys.readouterr().out
        assert main(["sessions", "revoke", "--config", str(config), "alice@example.com"]) == 1

    def test_sessions_in_memory_can_not_be_reached(self, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
        config.write_text(config.read_text() + "databroker_storage_type: memory\n")
        assert main(["sessions", "list", "--config", str(config)]) == 2
        assert "inside the running server" in capsys.readouterr().err


def test_hash_password_reads_a_line_and_never_shows_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse\n"))
    assert main(["hash-password"]) == 0
    out, err = capsys.readouterr()
    assert verify_password(out.strip(), "correct horse")
    assert "correct" not in out + err


def test_without_a_command_the_usage_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([])
    assert caught.value.code == 2
    assert "COMMAND" in capsys.readouterr().err


def test_the_data_plane_loads_no_web_framework() -> None:
    code = "import sys, tunnelui_server.gateway; print(*(name.split('.')[0] for name in sys.modules))"
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ).stdout
    assert not {"starlette", "uvicorn", "jinja2", "httpx", "pydantic"} & set(out.split())


@pytest.mark.parametrize("is_ours", [True, False])
def test_a_child_removes_the_folder_that_was_made_for_it_and_no_other(
    config: Path, tmp_path: Path, is_ours: bool
) -> None:
    folder = tmp_path / "runtime"
    folder.mkdir(mode=0o700)
    precious = folder / "precious"
    precious.write_text("thesis")
    environment = {key: value for key, value in os.environ.items() if key != RUNTIME_VARIABLE}
    if is_ours:
        environment[RUNTIME_VARIABLE] = str(folder)
    command = [sys.executable, "-m", "tunnelui_server.child", "gateway", "--config", str(config)]
    # Standard input ends at once, as it does when the parent is gone.
    subprocess.run(
        [*command, "--socket", str(folder / "c.sock")],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=20,
        check=False,
    )
    assert precious.exists() is not is_ours


def test_a_package_that_is_missing_is_told_with_the_way_to_get_it() -> None:
    code = "import sys; sys.modules['yaml'] = None; from tunnelui_server.entry import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("tunnelui-server: the package “yaml”")
    assert "pip install 'tunnelui[server]'" in done.stderr
