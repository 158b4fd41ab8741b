"""``--json`` of every command: one object a line, each with the version of the schema first."""

from __future__ import annotations

import importlib
import json
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.program import jwt, login_url_in
from tests.peers.process import eventually, free_port
from tunnelui.cli.main import COMMANDS, _module
from tunnelui.cli.options import Parser
from tunnelui.cli.output import SCHEMA

if TYPE_CHECKING:
    from tests.cli.program import Program
    from tests.support.connect_proxy import ConnectProxy

ALICE = jwt(email="alice@example.com", exp=4_000_000_000)
WITH_AGENT = [
    ("agent", "start"),
    ("up", "db"),
    ("status",),
    ("wait", "db"),
    ("logs",),
    ("agent", "status"),
    ("agent", "restart"),
    ("down", "db"),
    ("whoami",),
    ("routes",),
    ("routes", "show", "db"),
    ("diagnose", "db"),
    ("logout",),
    ("agent", "stop"),
    ("agent", "stop"),
]
ALONE = {"login", "profiles", "tcp", "proxy", "exec", "demo", "routes_discover"}
"""Commands that tests of their own look at; ``demo --check`` and ``routes discover`` are in tests/e2e."""


def objects(text: str | bytes) -> list[dict[str, Any]]:
    """Every line of *text*, each of which must be an object that begins with the version."""
    found = [json.loads(line) for line in text.splitlines()]
    assert found
    for one in found:
        assert next(iter(one)) == "v"
        assert one["v"] == SCHEMA
    return found


def test_no_command_with_json_is_forgotten() -> None:
    offering = set()
    for name in [*COMMANDS, "routes discover"]:
        words = name.split()
        module = _module(words[0], words)
        parser = Parser(name)
        importlib.import_module(module).add_arguments(parser)
        if "--json" in parser.format_help():
            offering.add(module.rpartition(".")[2])
    assert offering == {command[0] for command in WITH_AGENT} | ALONE


def test_commands_that_end(program: Program, proxy: ConnectProxy) -> None:
    assert program.run("routes", "add", "db", proxy.destination("db.example.com:5432")).returncode == 0
    program.sign_in(proxy, ALICE)
    proxy.tokens = {ALICE}
    for command in WITH_AGENT:
        done = program.run(*command, "--json")
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        objects(done.stdout)
    program.run("agent", "stop")
    objects(program.run("status", "--json").stdout)
    objects(program.run("agent", "--json").stdout)


def test_commands_that_go_on(program: Program, proxy: ConnectProxy) -> None:
    assert program.run("routes", "add", "db", proxy.destination("db.example.com:5432")).returncode == 0
    program.run("agent", "start")
    with (
        program.spawn("status", "--watch", "--json") as watching,
        program.spawn("logs", "-f", "--json") as following,
        program.spawn("proxy", "--json", "--listen", f"127.0.0.1:{free_port()}") as serving,
        program.tcp("--json", proxy.destination()) as tunnels,
    ):
        assert eventually(lambda: '"off"' in watching.stdout)
        assert eventually(lambda: '"listening"' in serving.stdout)
        program.run("up", "db")
        assert eventually(lambda: '"ready"' in watching.stdout and '"listening"' in following.stdout)
        for process in (watching, following, serving, tunnels.process):
            process.popen.send_signal(signal.SIGINT)
            assert process.wait(60) == 0, process.output
            objects(process.stdout)


def test_what_exec_tells_leaves_the_output_to_the_program(program: Program, proxy: ConnectProxy) -> None:
    script = (
        "echo $TUNNELUI_PORT; python3 -c \"import socket; socket.create_connection(('127.0.0.1', $TUNNELUI_PORT))\""
    )
    done = program.run("exec", "--json", proxy.destination(), "--", "sh", "-c", script)
    assert done.returncode == 0, done.stderr
    kinds = [event["kind"] for event in objects(done.stderr)]
    assert {"listening", "accepted"} <= set(kinds)
    assert int(done.stdout)


def test_a_tunnel_over_standard_output(program: Program, proxy: ConnectProxy) -> None:
    done = program.run("tcp", "--json", "--listen", "-", proxy.destination(), input=b"sent")
    assert (done.returncode, done.stdout) == (0, b"sent")
    assert [event["kind"] for event in objects(done.stderr)] == ["open", "closed"]


@pytest.mark.parametrize("way", ["browser", "paste"])
def test_a_sign_in(program: Program, proxy: ConnectProxy, way: str) -> None:
    if way == "paste":
        done = program.run("login", "--json", "--paste", proxy.origin, input=ALICE.encode())
        assert done.returncode == 0, done.stderr
        text = done.stdout.decode()
    else:
        with program.spawn("login", "--json", "--no-browser", proxy.origin) as process:
            assert eventually(lambda: process.stdout.endswith("\n"))
            (asked,) = objects(process.stdout)
            assert login_url_in(asked["data"]["url"]) == asked["data"]["url"]
            assert asked["message"] == f"sign in at {asked['data']['url'].partition('?')[0]}?…"
            assert asked["data"]["deadline_at"] > asked["at"]
            assert proxy.sign_in(ALICE) == 200
            assert process.wait(60) == 0
            text = process.stdout
    assert ALICE not in text
    last = objects(text)[-1]
    assert (last["kind"], last["data"]["name"], last["data"]["store"]) == ("signed_in", "alice@example.com", "file")
    assert (last["data"]["proxy"], last["data"]["expires_at"]) == (proxy.origin, 4_000_000_000)


def test_a_reader_can_rely_on_lines(program: Program, proxy: ConnectProxy) -> None:
    """Even what a name holds does not break a line."""
    name = "日本 “x”"
    assert program.run("routes", "add", name, proxy.destination()).returncode == 0
    with subprocess.Popen(
        program.argv("routes", "--json"), env=program.env, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        assert [one["name"] for one in objects(process.stdout.read())] == [name]
