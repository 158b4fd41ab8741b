"""The agent as a process, and the commands that reach it."""

from __future__ import annotations

import json
import os
import plistlib
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.cli.program import jwt
from tests.peers.process import eventually, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.program import Program
    from tests.support.connect_proxy import ConnectProxy


@pytest.fixture
def up(program: Program, proxy: ConnectProxy) -> Iterator[Program]:
    """Two saved routes; the agent, if one is started, ends with the test."""
    for name, tag in (("db", "prod"), ("web", "lab")):
        add = program.run("routes", "add", name, proxy.destination(f"{name}.example.com:5432"), "--tag", tag)
        assert add.returncode == 0, add.stderr
    with program.agent():
        yield program


def use(local: str) -> socket.socket:
    host, _, port = local.rpartition(":")
    with ExitStack() as stack:
        sock = stack.enter_context(socket.create_connection((host, int(port)), timeout=30))
        sock.sendall(b"x")
        assert sock.recv(1) == b"x"
        stack.pop_all()
    return sock


def kill_agent(program: Program) -> int:
    pid = program.agent_pid()
    os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: not os.path.exists(f"/proc/{pid}") or is_zombie(pid))
    return pid


def is_zombie(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_tunnel_outlives_the_command_that_opened_it(up: Program) -> None:
    done = up.run("up", "db", "--json")
    assert done.returncode == 0, done.stderr
    (state,) = map(json.loads, done.stdout.splitlines())
    assert (state["name"], state["state"]) == ("db", "ready")
    with use(state["local"]):
        status = up.status()
        assert (status["db"]["state"], status["db"]["live"], status["web"]["state"]) == ("live", 1, "off")
    assert up.run("down", "db").stdout == b"Stopped db\n"
    assert up.status()["db"]["state"] == "off"
    assert b"not up" in up.run("down", "db").stderr


def test_what_is_cut_is_told_to_whoever_stops_it(up: Program) -> None:
    with use(json.loads(up.run("up", "db", "--json").stdout)["local"]):
        assert eventually(lambda: up.status()["db"]["live"] == 1)
        done = up.run("down", "db")
    assert (done.stdout, done.stderr) == (b"Stopped db\n", b"db: 1 open connection was cut\n")
    local = json.loads(up.run("up", "db", "--json").stdout)["local"]
    with use(local), use(local):
        assert eventually(lambda: up.status()["db"]["live"] == 2)
        done = up.run("routes", "remove", "db", "web")
    assert done.stdout == b"Removed db\nRemoved web\n"
    assert done.stderr == b"db: 2 open connections were cut\n"


def test_a_sign_in_that_will_be_needed_is_told_at_once(up: Program, proxy: ConnectProxy) -> None:
    """A program that waits for one says nothing."""
    done = up.run("up", "db")
    assert f"  tunnelui login {proxy.origin}\n" in done.stderr.decode()
    assert up.run("up", "db", "--json").stderr == b""
    assert up.run("login", "--paste", str(proxy.origin), input=b"t\n").returncode == 0
    assert "login" not in up.run("up", "db").stderr.decode()


def test_the_log_has_no_more_of_a_sign_ins_address_than_host_and_path(up: Program, proxy: ConnectProxy) -> None:
    proxy.tokens = set()
    local = json.loads(up.run("up", "db", "--json").stdout)["local"]
    host, _, port = local.rpartition(":")
    with (
        up.spawn("logs", "--follow", "--json") as following,
        up.spawn("logs", "--follow") as reading,
        socket.create_connection((host, int(port)), timeout=30),
    ):
        assert eventually(lambda: '"sign_in"' in following.stdout and "sign in at" in reading.stdout)
        told = [following.stdout, reading.stdout]
    told += [up.run("logs", *flags).stdout.decode() for flags in ([], ["--json"])]
    for text in told:
        assert f"sign in at {proxy.origin}" in text
        assert "redirect=" not in text
    asked = [event for event in map(json.loads, told[-1].splitlines()) if event["kind"] == "sign_in"]
    assert [event["data"]["url"].endswith("?…") for event in asked] == [True]


def test_tags_and_all_choose_routes(up: Program) -> None:
    assert up.run("up", "#lab").returncode == 0
    assert {name: one["state"] for name, one in up.status().items()} == {"db": "off", "web": "ready"}
    assert up.run("up", "--all").returncode == 0
    assert {one["state"] for one in up.status().values()} == {"ready"}
    assert up.run("down", "--all").stdout.decode().splitlines() == ["Stopped db", "Stopped web"]


@pytest.mark.parametrize("command", ["up", "down", "status", "logs", "wait", "exec"])
def test_a_wrong_name_is_told_with_the_nearest(up: Program, command: str) -> None:
    up.run("agent", "start")
    rest = ["--", "true"] if command == "exec" else []
    done = up.run(command, "dbb", *rest)
    assert done.returncode == 2
    assert "did you mean “db”?" in done.stderr.decode()


def test_up_without_a_name_starts_no_agent(program: Program) -> None:
    assert program.run("up").returncode == 2
    assert program.agent_pid() == 0


def test_up_without_a_name_is_refused(up: Program) -> None:
    assert up.run("up").returncode == 2
    assert up.run("up", "#none").returncode == 2


def test_a_busy_port_is_told_with_its_holder(up: Program) -> None:
    port = free_port()
    up.run("routes", "edit", "db", "--listen", f"127.0.0.1:{port}")
    with socket.create_server(("127.0.0.1", port)):
        done = up.run("up", "db")
        assert done.returncode == 1
        assert f"{port} is already in use" in done.stderr.decode()
        assert "tunnelui up db --any-port" in done.stderr.decode()
        done = up.run("up", "db", "--any-port", "--json")
        assert done.returncode == 0, done.stderr
        use(json.loads(done.stdout)["local"]).close()
        up.run("down", "db")
        assert up.run("up", "db").returncode == 1
    assert eventually(lambda: up.status()["db"]["state"] == "ready")


def test_killed_in_any_way_the_routes_come_up_again_on_their_ports(up: Program) -> None:
    up.run("up", "db")
    local = up.status()["db"]["local"]
    old = kill_agent(up)
    assert up.run("agent").returncode == 1
    assert up.status()["db"]["state"] == "off"
    assert up.run("agent", "start").returncode == 0
    assert up.agent_pid() != old
    assert (up.status()["db"]["state"], up.status()["db"]["local"]) == ("ready", local)
    assert up.status()["web"]["state"] == "off"
    use(local).close()
    os.kill(up.agent_pid(), signal.SIGTERM)
    assert eventually(lambda: up.agent_pid() == 0)
    up.run("agent", "start")
    assert (up.status()["db"]["state"], up.status()["db"]["local"]) == ("ready", local)


def test_a_stopped_agent_forgets_what_was_up_but_not_the_ports(up: Program) -> None:
    up.run("up", "db")
    local = up.status()["db"]["local"]
    assert b"has ended" in up.run("agent", "stop").stdout
    assert b"No agent" in up.run("agent", "stop").stderr
    up.run("agent", "start")
    assert up.status()["db"]["state"] == "off"
    up.run("up", "db")
    assert up.status()["db"]["local"] == local


def test_many_commands_at_once_start_one_agent(up: Program) -> None:
    processes = [
        subprocess.Popen(up.argv("up", name), env=up.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for name in ("db", "web") * 4
    ]
    outputs = [process.communicate(timeout=30)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 8, outputs
    assert {one["state"] for one in up.status().values()} == {"ready"}
    with subprocess.Popen(up.argv("agent", "run"), env=up.env, stderr=subprocess.PIPE) as second:
        assert b"runs already" in second.communicate(timeout=60)[1]
        assert second.returncode == 1


def test_another_version_makes_room_without_cutting(up: Program) -> None:
    up.run("up", "db")
    local, old = up.status()["db"]["local"], up.agent_pid()
    with use(local) as live:
        # A program of another version, as far as the agent can tell.
        code = (
            "import anyio\n"
            "import tunnelui.version\n"
            "tunnelui.version.VERSION = '9.9.9'\n"
            "from tunnelui.agent.client import connect\n"
            "from tunnelui.agent.lifecycle import _retire\n"
            "async def main():\n"
            "    channel, hello = await connect()\n"
            "    assert not hello.is_ours\n"
            "    await _retire(channel, hello, None)\n"
            "anyio.run(main)\n"
        )
        done = subprocess.run([sys.executable, "-c", code], env=up.env, capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        assert up.agent_pid() == 0
        assert up.run("agent", "start").returncode == 0
        assert up.agent_pid() != old
        assert up.status()["db"]["local"] == local
        live.sendall(b"still")
        assert live.recv(5) == b"still"
        use(local).close()
        assert os.path.exists(f"/proc/{old}")
    assert eventually(lambda: not os.path.exists(f"/proc/{old}") or is_zombie(old))


def test_routes_edited_by_hand_are_picked_up_and_a_broken_file_is_kept(up: Program, proxy: ConnectProxy) -> None:
    up.run("up", "db")
    file = up.config / "routes.toml"
    text = file.read_text()
    extra = f'\n[[routes]]\nname = "new"\ndestination = "{proxy.destination("new.example.com:1")}"\n'
    file.write_text(text + extra)
    assert eventually(lambda: "new" in up.status())
    assert up.status()["db"]["state"] == "ready"
    file.write_text(text + "\n[[routes]\n")
    assert eventually(lambda: b"routes.toml" in up.run("logs").stdout)
    assert (up.status()["db"]["state"], "new" in up.status()) == ("ready", True)
    line = next(line for line in up.run("logs").stdout.decode().splitlines() if "routes.toml" in line)
    assert f"routes.toml:{len(text.splitlines()) + 2}" in line
    assert file.read_text() == text + "\n[[routes]\n"
    said = up.run("status")
    assert said.returncode == 0 and b"The routes are those of before" in said.stderr
    file.write_text(text.replace('name = "db"', 'name = "base"'))
    assert eventually(lambda: sorted(up.status()) == ["base", "web"])


def test_logs_tell_what_happened(up: Program) -> None:
    up.run("up", "db")
    use(up.status()["db"]["local"]).close()
    assert eventually(lambda: b"closed" in up.run("logs", "db", "--json").stdout)
    events = [json.loads(line) for line in up.run("logs", "db", "--json").stdout.splitlines()]
    assert {event["route"] for event in events} == {"db"}
    assert b" db: listens on" in up.run("logs", "db").stdout  # its name once
    assert b"db" not in up.run("logs", "web").stdout
    with up.spawn("logs", "-f") as following:
        assert eventually(lambda: "listens on" in following.stdout)
        up.run("down", "db")
        assert eventually(lambda: "stopped listening" in following.stdout)
        following.popen.send_signal(signal.SIGINT)
        assert following.popen.wait(60) == 0
    assert up.run("agent").returncode == 0


def test_status_watches(up: Program) -> None:
    up.run("agent", "start")
    with up.spawn("status", "--watch", "--json") as watching:
        assert eventually(lambda: '"state":"off"' in watching.stdout)
        up.run("up", "db")
        assert eventually(lambda: '"state":"ready"' in watching.stdout)


@pytest.mark.parametrize("command", [["logs", "-f"], ["status", "--watch", "--json"]], ids=" ".join)
def test_what_goes_on_telling_ends_with_its_reader(up: Program, command: list[str]) -> None:
    assert up.run("up", "db").returncode == 0
    with subprocess.Popen(up.argv(*command), env=up.env, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.stdout.close()
        try:
            assert process.wait(60) == 0
        finally:
            process.kill()


def test_wait_means_that_a_tunnel_was_opened(up: Program, proxy: ConnectProxy) -> None:
    done = up.run("wait", "db", "--timeout", "10", "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["timings"]["connect"] > 0
    assert len(proxy.connects) == 1
    use(answer["local"]).close()


def test_wait_gives_up_with_the_reason(up: Program) -> None:
    up.run("routes", "edit", "web", "--destination", f"tcp+http://127.0.0.1:{free_port()}/web.example.com:80")
    began = time.monotonic()
    done = up.run("wait", "web", "--timeout", "1.5")
    assert done.returncode == 5
    assert b"refused" in done.stderr
    assert time.monotonic() - began < 15


def test_exec_gives_address_and_exit_status(up: Program, tmp_path: Path) -> None:
    script = (
        "import os, socket, sys\n"
        "sock = socket.create_connection((os.environ['TUNNELUI_HOST'], int(os.environ['TUNNELUI_PORT'])))\n"
        "sock.sendall(b'hello'); assert sock.recv(5) == b'hello'\n"
        "print(os.environ['TUNNELUI_URL'], os.environ['TUNNELUI_URL_WEB'], *sys.argv[1:])\n"
        "sys.exit(7)\n"
    )
    done = up.run("exec", "db", "web", "--", sys.executable, "-c", script, "-h", "--json")
    assert done.returncode == 7, done.stderr
    url, web, *rest = done.stdout.decode().split()
    assert url.startswith("postgresql://127.0.0.1:")
    assert web != url
    assert rest == ["-h", "--json"]
    assert up.run("exec", "db", "--", "no-such-program").returncode == 127
    assert up.run("exec", "db", "--", "/etc/passwd").returncode == 126
    assert up.run("exec", "db", "--", "sh", "-c", "kill -TERM $$").returncode == 128 + signal.SIGTERM
    assert up.run("exec", "--", "true").returncode == 2
    assert up.run("exec", "db").returncode == 2
    assert up.run("agent").returncode == 1


def test_exec_says_which_routes_have_no_variables_of_their_own(program: Program, proxy: ConnectProxy) -> None:
    for name in ("db-1", "db.1", "日本"):
        program.run("routes", "add", name, proxy.destination())
    done = program.run("exec", "db-1", "db.1", "日本", "--", "true")
    assert done.returncode == 0
    assert "db.1: TUNNELUI_HOST_DB_1 and so on are those of db-1." in done.stderr.decode()
    assert "日本: no variables can be named after it" in done.stderr.decode()
    assert program.run("exec", "日本", "--", "true").stderr == b""


def test_exec_takes_a_destination_too(program: Program, proxy: ConnectProxy) -> None:
    done = program.run("exec", proxy.destination(), "--", "sh", "-c", "echo $TUNNELUI_PORT")
    assert done.returncode == 0, done.stderr
    assert int(done.stdout)


def test_without_an_agent_nothing_is_up(program: Program) -> None:
    assert b"No agent runs" in program.run("status").stderr
    assert program.run("status").returncode == 0
    assert program.run("down", "--all").returncode == 0
    done = program.run("logs")
    assert done.returncode == 1
    assert b"no agent" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives folders away")
def test_a_foreign_runtime_folder_is_refused(program: Program) -> None:
    program.runtime.mkdir(parents=True)
    os.chown(program.runtime, 12345, 12345)
    done = program.run("agent", "start")
    assert done.returncode == 1
    assert b"belongs to another user" in done.stderr


def test_an_agent_that_can_not_begin_says_why(up: Program) -> None:
    (up.config / "routes.toml").write_text("[[routes]]\nname = 1\n")
    done = up.run("up", "db")
    assert done.returncode == 2
    assert b"routes.toml:1" in done.stderr
    up.write_config("colour = 1\n")
    done = up.run("agent", "start")
    assert b"config.toml:1" in done.stderr


def test_units_run_this_program(program: Program) -> None:
    done = program.run("agent", "unit")
    if sys.platform == "darwin":
        assert plistlib.loads(done.stdout)["ProgramArguments"][-2:] == ["agent", "run"]
    else:
        assert b"agent run\n" in done.stdout
        assert b"ExecStart=/" in done.stdout


def test_signing_in_and_out_elsewhere_reaches_the_agent(up: Program, proxy: ConnectProxy) -> None:
    token = jwt(email="alice@example.com")
    proxy.tokens = {token}
    up.run("agent", "start")
    up.sign_in(proxy, token)
    assert b"as alice@example.com" in up.run("status").stderr
    assert up.run("wait", "db").returncode == 0
    done = up.run("logout", proxy.origin)
    assert b"Signed out" in done.stdout
    assert b"alice" not in up.run("status").stderr


def test_who_waits_for_a_sign_in_is_served_by_one_elsewhere(up: Program, proxy: ConnectProxy) -> None:
    token = jwt(email="alice@example.com")
    proxy.tokens = {token}
    up.run("up", "db")
    host, _, port = up.status()["db"]["local"].rpartition(":")
    with socket.create_connection((host, int(port)), timeout=30) as waiting:
        assert eventually(lambda: up.status()["db"]["state"] == "auth")
        assert eventually(lambda: up.status()["db"]["sign_in"]["url"])
        assert f"{proxy.origin}/sign-in?redirect=" in up.status()["db"]["sign_in"]["url"]
        waiting.sendall(b"hello")
        up.sign_in(proxy, token)
        assert waiting.recv(5) == b"hello"
    assert up.status()["db"]["sign_in"] is None
