"""A proxy that asks for a client certificate, and one in a PKCS#12 file."""

from __future__ import annotations

import signal
import ssl
from typing import TYPE_CHECKING

import pytest

from tests.cli.program import jwt
from tests.peers.process import eventually
from tests.support.connect_proxy import ConnectProxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.program import Program
    from tests.support.pki import Pki

ALICE = jwt(email="alice@example.com", exp=4_000_000_000)
PASSWORD = "s3cret pass"


@pytest.fixture
def strict(pki: Pki) -> Iterator[ConnectProxy]:
    context = pki.server_context()
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(pki.ca_file)
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # a refusal is part of the handshake there
    with ConnectProxy(context) as proxy:
        yield proxy


@pytest.fixture
def configured(program: Program, strict: ConnectProxy, pki: Pki) -> Program:
    path = pki.issue_pkcs12("me.example.com", PASSWORD)
    program.write_config(
        f'[profiles.default]\nproxy_url = "{strict.origin}"\nca_file = "{pki.ca_file}"\nclient_cert = "{path}"\n'
    )
    return program


def add_password_file(program: Program, tmp_path: Path, mode: int = 0o600) -> Path:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    file.chmod(mode)
    config = program.config / "config.toml"
    config.write_text(f'{config.read_text()}client_cert_password_file = "{file}"\n')
    return file


def talk(program: Program, *flags: str) -> tuple[int, bytes, str]:
    done = program.run("tcp", "--listen", "-", *flags, "db.example.com:5432", input=b"sent")
    assert PASSWORD.encode() not in done.stderr
    return done.returncode, done.stdout, done.stderr.decode()


def test_the_password_is_in_a_file(configured: Program, tmp_path: Path) -> None:
    code, _, told = talk(configured)
    assert code == 2
    assert "a password is needed" in told and "client_cert_password_file" in told
    file = add_password_file(configured, tmp_path)
    assert talk(configured)[:2] == (0, b"sent")
    file.chmod(0o644)
    code, _, told = talk(configured)
    assert code == 2 and f"chmod 600 {file}" in told


def test_the_password_is_in_a_variable_or_named_by_a_flag(configured: Program, tmp_path: Path) -> None:
    file = tmp_path / "elsewhere"
    file.write_text(PASSWORD)
    file.chmod(0o600)
    assert talk(configured, "--client-cert-password-file", str(file))[:2] == (0, b"sent")
    configured.env["TUNNELUI_CLIENT_CERT_PASSWORD"] = PASSWORD
    assert talk(configured)[:2] == (0, b"sent")
    configured.env["TUNNELUI_CLIENT_CERT_PASSWORD"] = "wrong"
    code, _, told = talk(configured)
    assert code == 2 and "the password is wrong" in told


def test_somebody_at_a_terminal_is_asked(configured: Program, strict: ConnectProxy) -> None:
    with configured.terminal("tcp", "db.example.com:5432") as terminal:
        terminal.wait_for("Password of ")
        terminal.type("wrong\n")
        assert eventually(lambda: terminal.read(0.05).count("Password of ") == 2)
        terminal.type(f"{PASSWORD}\n")
        terminal.wait_for("leads to db.example.com:5432")
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.wait() == 0
    assert PASSWORD not in terminal.shown


def test_the_agent_takes_it_from_the_file_and_says_what_is_missing(configured: Program, tmp_path: Path) -> None:
    assert configured.run("routes", "add", "db", "db.example.com:5432").returncode == 0
    with configured.agent():
        done = configured.run("wait", "db", "--timeout", "5")
        assert done.returncode == 2
        assert b"client_cert_password_file" in done.stderr
        add_password_file(configured, tmp_path)
        done = configured.run("wait", "db", "--timeout", "10")
        assert done.returncode == 0, done.stderr


def test_after_a_restart_it_is_said_who_has_to_be_unlocked_again(configured: Program, tmp_path: Path) -> None:
    with configured.agent():
        assert configured.run("agent", "start").returncode == 0
        assert configured.run("profiles", "unlock", input=f"{PASSWORD}\n".encode()).returncode == 0
        done = configured.run("agent", "restart")
        assert done.returncode == 0, done.stderr
        assert b"tunnelui profiles unlock default" in done.stderr
        add_password_file(configured, tmp_path)
        assert b"unlock" not in configured.run("agent", "restart").stderr


def test_a_sign_in_shows_it_too(configured: Program, strict: ConnectProxy, tmp_path: Path) -> None:
    add_password_file(configured, tmp_path)
    found = configured.run("diagnose", "db.example.com:5432").stdout.decode()
    assert "fail  tls" not in found
    assert "ok    proxy" in found, found
