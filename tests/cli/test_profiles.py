"""``tunnelui profiles``: an agent gets the password of a client certificate, and nothing else keeps it unasked."""

from __future__ import annotations

import contextlib
import json
import shlex
import socket
import ssl
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.cli.program import jwt
from tests.peers.parts import require
from tests.peers.process import eventually
from tests.support.connect_proxy import ConnectProxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.program import Program
    from tests.support.pki import Pki

ALICE = jwt(email="alice@example.com", exp=4_000_000_000)
PASSWORD = "s3cret pass"
NEEDED = "a password is needed"


@pytest.fixture
def strict(pki: Pki) -> Iterator[ConnectProxy]:
    context = pki.server_context()
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(pki.ca_file)
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # a refusal is part of the handshake there
    with ConnectProxy(context) as proxy:
        yield proxy


@pytest.fixture(params=["pkcs12", "pem"])
def locked(request: pytest.FixtureRequest, program: Program, strict: ConnectProxy, pki: Pki, tmp_path: Path) -> Program:
    """A program whose profile ``corp`` has a certificate with a password, and a route through it."""
    if request.param == "pkcs12":
        lines = f'client_cert = "{pki.issue_pkcs12("me.example.com", PASSWORD)}"\n'
    else:
        files = pki.issue("me.example.com")
        key = tmp_path / "key.pem"
        subprocess.run(
            ["openssl", "pkey", "-in", files.key_file, "-aes256", "-passout", "stdin", "-out", str(key)],
            input=PASSWORD.encode(),
            check=True,
        )
        lines = f'client_cert = "{files.cert_file}"\nclient_key = "{key}"\n'
    program.write_config(f'[profiles.corp]\nproxy_url = "{strict.origin}"\nca_file = "{pki.ca_file}"\n{lines}')
    assert program.run("routes", "add", "db", "db.example.com:5432", "--profile", "corp").returncode == 0
    return program


def files_with(program: Program, text: str) -> list[Path]:
    return [file for file in program.folder.rglob("*") if file.is_file() and text.encode() in file.read_bytes()]


def password_of(program: Program) -> str:
    done = program.run("profiles", "--json")
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [next(iter(one)) for one in found] == ["v"] * len(found)
    return next(str(one["password"]) for one in found if one["name"] == "corp")


def test_an_agent_is_told_the_password_and_no_file_has_it(locked: Program) -> None:
    with locked.agent():
        done = locked.run("wait", "db", "--timeout", "5")
        told = done.stderr.decode()
        assert done.returncode == 2
        assert NEEDED in told and "tunnelui profiles unlock corp" in told
        host, _, port = locked.status()["db"]["local"].rpartition(":")
        with socket.create_connection((host, int(port)), 10) as local, contextlib.suppress(ConnectionResetError):
            assert local.recv(1) == b""
        problem = locked.status()["db"]["problem"]
        assert problem["code"] == "client_certificate_locked"
        assert "tunnelui profiles unlock corp" in problem["hint"]
        assert password_of(locked) == "needed"

        done = locked.run("profiles", "unlock", "corp", input=b"wrong\n")
        assert (done.returncode, b"the password is wrong" in done.stderr) == (1, True)
        done = locked.run("profiles", "unlock", "corp", input=f"{PASSWORD}\n".encode())
        assert done.returncode == 0, done.stderr
        assert b"the agent has it until it ends" in done.stdout
        assert PASSWORD.encode() not in done.stdout + done.stderr
        assert locked.status()["db"]["state"] == "ready"  # no longer in trouble

        done = locked.run("wait", "db", "--timeout", "10")
        assert done.returncode == 0, done.stderr
        assert not files_with(locked, PASSWORD)
        assert locked.run("agent", "restart").returncode == 0
        done = locked.run("wait", "db", "--timeout", "5")
        assert (done.returncode, NEEDED in done.stderr.decode()) == (2, True)


def test_somebody_at_a_terminal_is_asked(locked: Program) -> None:
    with locked.agent():
        assert locked.run("agent", "start").returncode == 0
        with locked.terminal("profiles", "unlock", "corp") as terminal:
            terminal.wait_for("Password of ")
            terminal.type("wrong\n")
            assert eventually(lambda: terminal.read(0.05).count("Password of ") == 2)
            terminal.type(f"{PASSWORD}\n")
            terminal.wait_for("the agent has it until it ends")
            assert terminal.wait() == 0
        assert PASSWORD not in terminal.shown
        assert locked.run("wait", "db", "--timeout", "10").returncode == 0


def test_without_an_agent_and_a_place_to_keep_it_the_next_step_is_told(locked: Program) -> None:
    done = locked.run("profiles", "unlock", "corp", input=f"{PASSWORD}\n".encode())
    assert done.returncode == 1
    assert b"tunnelui agent start" in done.stderr and b"--keyring" in done.stderr
    locked.env["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"
    done = locked.run("profiles", "unlock", "corp", "--keyring", input=f"{PASSWORD}\n".encode())
    assert (done.returncode, b"keyring is switched off" in done.stderr) == (1, True)


def test_the_keyring_keeps_it_on_request(locked: Program) -> None:
    (dbus,) = require("dbus-run-session")
    require("gnome-keyring-daemon")

    def command(*arguments: str) -> str:
        return shlex.join(locked.argv(*arguments))

    script = (
        "set -e; eval \"$(printf 'password\\n' | gnome-keyring-daemon --unlock --components=secrets)\" >/dev/null; "
        f"printf '%s\\n' \"$TEST_PASSWORD\" | {command('profiles', 'unlock', 'corp', '--keyring')}; "
        f"{command('wait', 'db', '--timeout', '10', '--json')}; {command('agent', 'restart')}; "
        f"{command('wait', 'db', '--timeout', '10', '--json')}; {command('profiles', '--json')}; "
        f"{command('agent', 'stop')}; {command('profiles', 'lock', 'corp')}; {command('profiles', '--json')}; "
        f'{command("wait", "db", "--timeout", "5")} || echo "ended with $?"; {command("agent", "stop")}'
    )
    environment = {**locked.env, "TEST_PASSWORD": PASSWORD}
    done = subprocess.run(
        [dbus, "--", "sh", "-c", script], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    objects = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [one["password"] for one in objects if one["name"] == "corp"] == ["in the keyring", "needed"]
    assert len([one for one in objects if one["name"] == "db"]) == 2
    assert "ended with 2" in done.stdout
    assert PASSWORD not in done.stdout + done.stderr
    assert not files_with(locked, PASSWORD)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("unlock", "nope"), "there is no profile “nope”"),
        (("unlock",), "“default” has no client certificate"),
        (("unlok",), "“unlok” is not one of list, unlock, lock; did you mean “unlock”?"),
        (("lock", "--keyring"), "--keyring belongs to unlock"),
        (("list", "corp"), "list takes no name"),
    ],
)
def test_wrong_usage(program: Program, arguments: tuple[str, ...], words: str) -> None:
    done = program.run("profiles", *arguments)
    assert done.returncode == 2
    assert words in done.stderr.decode()


def test_a_certificate_without_a_password_and_a_profile_without_one(program: Program, pki: Pki) -> None:
    program.write_config(f'[profiles.corp]\nclient_cert = "{pki.issue_pkcs12("me.example.com")}"\n')
    done = program.run("profiles", "unlock", "corp")
    assert (done.returncode, b"needs no password" in done.stderr) == (0, True)
    rows = [line.split() for line in program.run("profiles").stdout.decode().splitlines()]
    assert rows[0] == ["PROFILE", "PROXY", "CERTIFICATE", "PASSWORD"]
    assert {row[0]: row[-1] for row in rows[1:]} == {"default": "-", "corp": "none"}
