"""Environment variables: those of the agent, those of a command, and the one profile that they are meant for."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

from tests.cli.program import jwt
from tests.cli.test_agent import use
from tunnelui.agent.variables import NAMES, environment_digest, fingerprints, other_variables
from tunnelui.cli.options import Parser, add_identity_flags, add_proxy_flags

if TYPE_CHECKING:
    import pytest

    from tests.cli.program import Program
    from tests.support.connect_proxy import ConnectProxy

ROBOT = jwt(sub="robot")


def test_every_flag_of_proxy_and_identity_is_among_them() -> None:
    parser = Parser("x")
    add_proxy_flags(parser)
    add_identity_flags(parser)
    ours = {name for name in NAMES if name.startswith("TUNNELUI_")}
    assert {flag.variable for flag in parser._flags} | {"TUNNELUI_CLIENT_CERT_PASSWORD"} == ours


def test_a_difference_is_seen_and_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNNELUI_SERVICE_ACCOUNT", "secret")
    monkeypatch.setenv("TUNNELUI_JSON", "true")
    theirs, digest = fingerprints("salt"), environment_digest()
    assert "TUNNELUI_JSON" not in theirs
    assert "secret" not in str(theirs)
    assert theirs != fingerprints("other salt")
    assert other_variables("salt", theirs) == ()
    monkeypatch.setenv("TUNNELUI_SERVICE_ACCOUNT", "another")
    monkeypatch.setenv("TUNNELUI_PROXY_URL", "https://p.example.com")
    monkeypatch.delenv("TUNNELUI_JSON")
    assert other_variables("salt", theirs) == ("TUNNELUI_PROXY_URL", "TUNNELUI_SERVICE_ACCOUNT")
    assert environment_digest() != digest
    monkeypatch.setenv("TUNNELUI_SERVICE_ACCOUNT", "secret")
    monkeypatch.setenv("TUNNELUI_PROXY_URL", "")
    assert environment_digest() == digest, "an empty variable is none"


def test_relative_paths_are_those_of_the_folder_that_a_command_was_given_in(program: Program) -> None:
    folder = program.folder / "work"
    folder.mkdir(parents=True)
    for name in ("CONFIG", "STATE", "RUNTIME"):
        program.env[f"TUNNELUI_{name}_DIR"] = f"../{name.lower() if name != 'RUNTIME' else 'run'}"
    program.env["TUNNELUI_ALTERNATE_CA_PATH"] = "ca.pem"
    done = subprocess.run(program.argv("agent", "start"), cwd=folder, env=program.env, capture_output=True, timeout=30)
    assert done.returncode == 0, done.stderr
    done = subprocess.run(program.argv("agent", "--json"), cwd=folder, env=program.env, capture_output=True, timeout=30)
    assert json.loads(done.stdout)["other_variables"] == []
    program.env |= {
        f"TUNNELUI_{name}_DIR": str(getattr(program, name.lower())) for name in ("CONFIG", "STATE", "RUNTIME")
    }
    assert program.env["TUNNELUI_RUNTIME_DIR"] == str(program.folder / "run")
    # Elsewhere, the same word is another file.
    assert json.loads(program.run("agent", "--json").stdout)["other_variables"] == ["TUNNELUI_ALTERNATE_CA_PATH"]


def test_commands_say_which_ones_the_agent_does_not_share(program: Program, proxy: ConnectProxy) -> None:
    assert program.run("routes", "add", "db", proxy.destination("db.example.com:5432")).returncode == 0
    with program.agent():
        done = program.run("up", "db", "--json")
        assert done.stderr == b""
        local = json.loads(done.stdout)["local"]
        program.env["TUNNELUI_SERVICE_ACCOUNT"] = ROBOT
        for command in (["up", "db"], ["wait", "db"], ["status"], ["agent"]):
            done = program.run(*command)
            told = done.stderr.decode()
            assert done.returncode == 0, told
            assert "another TUNNELUI_SERVICE_ACCOUNT than is set here" in told, command
            assert "tunnelui agent restart" in told
            assert ROBOT not in told
        assert json.loads(program.run("agent", "--json").stdout)["other_variables"] == ["TUNNELUI_SERVICE_ACCOUNT"]
        assert b"another" not in program.run("down", "no-such").stderr
        pid = program.agent_pid()
        with use(local) as live:
            done = program.run("agent", "restart")
            assert (done.returncode, done.stderr) == (0, b"")
            live.sendall(b"still")
            assert live.recv(5) == b"still"
            assert program.agent_pid() != pid
            assert program.status()["db"]["local"] == local
            assert b"another" not in program.run("status").stderr
            proxy.tokens = {ROBOT}
            use(local).close()
        assert proxy.connects[-1].token == ROBOT


def test_a_service_account_in_a_variable_goes_to_one_profile(program: Program, proxy: ConnectProxy) -> None:
    """Routes of another profile ask for a sign-in instead of showing the token to their proxy."""
    program.write_config(f'[profiles.corp]\nproxy_url = "{proxy.origin}"\n')
    for name, profile in (("own", "corp"), ("other", "default")):
        done = program.run("routes", "add", name, proxy.destination(f"{name}.example.com:1"), "--profile", profile)
        assert done.returncode == 0, done.stderr
    proxy.tokens = {ROBOT}
    program.env |= {"TUNNELUI_SERVICE_ACCOUNT": ROBOT, "TUNNELUI_PROFILE": "corp", "TUNNELUI_NO_BROWSER": "true"}
    with program.agent():
        assert program.run("wait", "own").returncode == 0
        done = program.run("wait", "other", "--timeout", "2")
        assert done.returncode == 3, done.stderr
        assert {one.token for one in proxy.connects if one.target == "other.example.com:1"} <= {None, ""}
    assert ROBOT in {one.token for one in proxy.connects}
    whoami = [json.loads(line) for line in program.run("whoami", "--json").stdout.splitlines()]
    assert {one["profile"]: one["status"] for one in whoami} == {"corp": "service account", "default": "signed out"}


def test_what_exec_sets_is_none_of_them(program: Program, proxy: ConnectProxy) -> None:
    with program.agent():
        program.run("agent", "start")
        inner = " ".join(program.argv("status"))
        done = program.run("exec", proxy.destination(), "--", "sh", "-c", f"test $TUNNELUI_PORT && {inner}")
        assert done.returncode == 0
        assert b"another" not in done.stderr
    assert os.environ.get("TUNNELUI_PORT") is None
