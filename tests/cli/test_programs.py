"""``status`` knows the commands that run tunnels of their own."""

from __future__ import annotations

import json
import os
import signal
import stat
from typing import TYPE_CHECKING, Any

import pytest

from tests.peers.process import eventually, free_port
from tunnelui.config.runtime_folder import open_folder
from tunnelui.engine import programs
from tunnelui.engine.programs import ProgramTunnel, announced, running_programs

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.program import Program
    from tests.support.connect_proxy import ConnectProxy

TUNNEL = ProgramTunnel("db", "127.0.0.1:1", "db.example.com:1")


def listed(program: Program) -> list[dict[str, Any]]:
    done = program.run("status", "--json")
    assert done.returncode == 0, done.stderr
    return [one for one in map(json.loads, done.stdout.splitlines()) if "program" in one]


def test_exec_proxy_and_tcp_are_listed_while_they_run(program: Program, proxy: ConnectProxy) -> None:
    assert program.run("routes", "add", "db", proxy.destination("db.example.com:5432")).returncode == 0
    assert listed(program) == []
    port = free_port()
    with (
        program.spawn("exec", "db", "--", "sleep", "60") as running,
        program.spawn("proxy", "--listen", f"127.0.0.1:{port}") as serving,
        program.tcp(proxy.destination("other.example.com:1")) as tunnels,
    ):
        assert eventually(lambda: len(listed(program)) == 3)
        found = {one["program"]: one for one in listed(program)}
        assert found["exec"]["runs"] == "sleep"
        assert found["exec"]["pid"] == running.popen.pid
        assert found["exec"]["tunnels"][0]["target"] == "db.example.com:5432"
        assert found["proxy"]["tunnels"][0]["local"] == f"127.0.0.1:{port}"
        assert found["tcp"]["tunnels"][0]["local"] == tunnels.locals[0]
        shown = program.run("status").stdout.decode()
        assert f"exec sleep  {running.popen.pid}" in shown
        assert b"sleep" not in program.run("status", "db").stdout, "only the route that was asked for"
        tunnels.process.popen.send_signal(signal.SIGTERM)
        assert tunnels.process.wait(60) == 0
        serving.popen.kill()
        serving.popen.wait()
        assert [one["program"] for one in listed(program)] == ["exec"]
        running.popen.send_signal(signal.SIGTERM)
        running.wait(60)
    assert listed(program) == []
    assert list((program.runtime / "programs").iterdir()) == []


def test_a_watching_status_tells_them_too(program: Program, proxy: ConnectProxy) -> None:
    with program.agent():
        program.run("agent", "start")
        with program.spawn("status", "--watch", "--json") as watching, program.tcp(proxy.destination()):
            assert eventually(lambda: '"program":"tcp"' in watching.stdout)


def test_what_was_left_behind_is_removed(own_folders: None) -> None:
    with announced("exec", [TUNNEL], runs="/usr/bin/psql"):
        (one,) = running_programs()
        assert (one.program, one.pid, one.runs, one.tunnels) == ("exec", os.getpid(), "psql", (TUNNEL,))
        (path,) = folder_of().iterdir()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        text = path.read_text()
    assert running_programs() == ()
    path.write_text(text)
    assert running_programs() == ()
    assert not path.exists()


def folder_of() -> Path:
    folder = open_folder(create=True)
    assert folder is not None
    return folder / "programs"


@pytest.mark.parametrize("text", ["", "rubbish", "[]", "{}", '{"tunnels": 1}'])
def test_what_can_not_be_read_is_left_out(own_folders: None, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder_of().mkdir()
    (folder_of() / "1.json").write_text(text)
    monkeypatch.setattr(programs, "is_locked", lambda _: True)
    assert running_programs() == ()


def test_a_full_disk_stops_no_command(own_folders: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with announced("exec", [TUNNEL]):
        assert running_programs() == ()
    assert list(folder_of().iterdir()) == []
