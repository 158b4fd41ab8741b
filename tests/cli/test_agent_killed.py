"""The agent is killed at every point of its life: nothing is lost, and the next command works."""

from __future__ import annotations

import json
import os
import tomllib
from typing import TYPE_CHECKING

import pytest

from tests.cli.test_agent import kill_agent, use
from tests.peers.process import eventually
from tunnelui.config.route import Route
from tunnelui.config.routes import render_routes

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.program import Program
    from tests.support.connect_proxy import ConnectProxy

# Runs in the agent before its own code: a process that is killed by itself can't be told from one killed by another.
KILLER = """
import os, signal, sys

if sys.orig_argv[-3:] == ["agent", "run", "--detached"]:
    point, flag = os.environ["KILL_AT"], os.environ["KILL_FLAG"]

    def die():
        try:
            os.close(os.open(flag, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
        os.kill(os.getpid(), signal.SIGKILL)

    def patch(owner, name, when, only=lambda *given: True):
        work = getattr(owner, name)
        if when == "after" and __import__("inspect").iscoroutinefunction(work):
            async def replaced(*given, **named):
                result = await work(*given, **named)
                if only(*given):
                    die()
                return result
        else:
            def replaced(*given, **named):
                if when == "before" and only(*given):
                    die()
                result = work(*given, **named)
                if when == "after" and only(*given):
                    die()
                return result
        setattr(owner, name, replaced)

    import pathlib
    import tunnelui.agent.meeting as meeting
    import tunnelui.agent.server as server
    import tunnelui.agent.service as service
    import tunnelui.cli.agent as agent
    import tunnelui.engine.local as local

    def to(name):
        return lambda path, target: str(target).endswith(name)

    {
        "before the lock": lambda: patch(service, "take_lock", "before"),
        "with the lock": lambda: patch(service, "take_lock", "after"),
        "before any route is up": lambda: patch(service._Keeper, "restore", "before"),
        "between two routes": lambda: patch(local.LocalEngine, "start", "after"),
        "before up.json is replaced": lambda: patch(pathlib.Path, "replace", "before", to("up.json")),
        "after up.json is replaced": lambda: patch(pathlib.Path, "replace", "after", to("up.json")),
        "before ports.json is replaced": lambda: patch(pathlib.Path, "replace", "before", to("ports.json")),
        "before the socket is there": lambda: patch(meeting.UnixPlace, "listen", "before"),
        "with a socket and not ready": lambda: patch(meeting.UnixPlace, "listen", "after"),
        "as soon as it is ready": lambda: patch(agent, "_say_ready", "after"),
        "at a hello": lambda: patch(server.AgentServer, "_talk", "before"),
        "at a request": lambda: patch(server.AgentServer, "_carry_out", "before"),
        "before an answer": lambda: patch(server._Watcher, "tell", "before", lambda *given: len(given) > 1),
        "after an answer": lambda: patch(server._Watcher, "tell", "after", lambda *given: len(given) > 1),
    }[point]()
"""
POINTS = [line.split('"')[1] for line in KILLER.splitlines() if ": lambda: patch(" in line]


@pytest.fixture
def started(program: Program, proxy: ConnectProxy, tmp_path: Path) -> tuple[Program, str]:
    """Two routes; one was up when the agent was killed, at the port that is returned. The next agent is killed, too."""
    program.config.mkdir(parents=True)
    routes = [Route(name, proxy.destination(f"{name}.example.com:5432")) for name in ("db", "web")]
    (program.config / "routes.toml").write_text(render_routes(routes))
    local = json.loads(program.run("up", "db", "--json").stdout)["local"]
    kill_agent(program)
    (tmp_path / "killer").mkdir()
    (tmp_path / "killer" / "sitecustomize.py").write_text(KILLER)
    program.env["PYTHONPATH"] = os.pathsep.join([str(tmp_path / "killer"), program.env.get("PYTHONPATH", "")])
    program.env["KILL_FLAG"] = str(tmp_path / "killed")
    return program, local


@pytest.mark.timeout(400)
@pytest.mark.parametrize("point", POINTS)
def test_killed(started: tuple[Program, str], point: str, tmp_path: Path) -> None:
    program, local = started
    program.env["KILL_AT"] = point
    first = program.run("up", "web", timeout=40)
    told = first.stderr.decode()
    assert eventually((tmp_path / "killed").exists), f"the agent never came to this point: {told}"
    assert first.returncode in (0, 1), told
    assert "Traceback" not in told
    if first.returncode:
        assert "agent" in told and len(told.splitlines()) <= 3, told
    # Whatever it was, the same command again does it.
    again = program.run("up", "web")
    assert again.returncode == 0, again.stderr
    with program.agent():
        status = program.status()
        assert {name: one["state"] for name, one in status.items()} == {"db": "ready", "web": "ready"}
        assert status["db"]["local"] == local
        for one in status.values():
            use(one["local"]).close()
        names = {file.name for folder in (program.state, program.config) for file in folder.iterdir()}
        assert {"up.json", "ports.json", "routes.toml"} <= names
        assert json.loads((program.state / "up.json").read_text()) == {"up": ["db", "web"]}
        assert len(tomllib.loads((program.config / "routes.toml").read_text())["routes"]) == 2
