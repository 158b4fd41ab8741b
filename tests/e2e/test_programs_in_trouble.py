"""What somebody reads whose curl or psql gets no tunnel, or loses it: the program knows nothing of tunnels, we do."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.e2e.harness import DOMAIN, Client, Server, route_to, run_server, sign_in
from tests.peers.parts import require
from tests.peers.process import Process, eventually, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.pki import Pki

CURL = ("curl", "-sS", "--max-time", "25")
DOWN = f"the service down.{DOMAIN}:5432 is unavailable"
DENIED = f"may not reach billing.{DOMAIN}:5432"


def curl(*words: str) -> int:
    """Run curl and return its exit code."""
    require("curl")
    return subprocess.run([*CURL, *words], capture_output=True, timeout=40, check=False).returncode


def save(client: Client, *names: str) -> None:
    for name in names:
        done = client.run("routes", "add", name, f"{name}.{DOMAIN}:5432")
        assert done.returncode == 0, done.stderr


@pytest.fixture
def proxy(alice: Client) -> Iterator[tuple[int, Process]]:
    """`tunnelui proxy` with routes to a service that is down and to one that is forbidden."""
    save(alice, "down", "billing")
    port = free_port()
    with alice.spawn("proxy", "--listen", f"127.0.0.1:{port}") as process:
        process.wait_port(port)
        yield port, process


@pytest.mark.parametrize(
    ("name", "reason", "hint"),
    [
        ("down", DOWN, "The service behind the proxy is down"),
        ("billing", DENIED, "Ask the administrator"),
    ],
)
def test_curl_through_exec_gets_its_reason_and_one_next_step(alice: Client, name: str, reason: str, hint: str) -> None:
    require("curl")
    save(alice, name)
    text = " ".join((*CURL, "http://$TUNNELUI_HOST:$TUNNELUI_PORT/"))
    done = alice.run("exec", name, "--", "sh", "-c", text)
    assert done.returncode in (52, 56)  # curl's: an empty answer, or a reset
    said = done.stderr.decode()
    assert f"{name}: " in said
    assert reason in said
    assert said.count(hint) == 1


@pytest.mark.parametrize("language", ["socks5h", "http"])
@pytest.mark.parametrize(
    ("target", "reason"),
    [
        (f"down.{DOMAIN}:5432", f"{DOWN} (request "),
        (f"billing.{DOMAIN}:5432", DENIED),
        (f"other.{DOMAIN}:80", f"no route covers other.{DOMAIN}:80"),
    ],
)
def test_curl_through_the_proxy_fails_at_once_and_the_proxy_says_why(
    proxy: tuple[int, Process], language: str, target: str, reason: str
) -> None:
    port, process = proxy
    code = curl("-p", "-x", f"{language}://127.0.0.1:{port}", f"http://{target}/")
    assert code == {"socks5h": 97, "http": 56}[language]  # curl's: refused by the SOCKS proxy, by the HTTP proxy
    assert eventually(lambda: reason in process.stderr)
    assert process.stderr.count(reason) == 1


def test_a_page_that_is_asked_for_without_connect_says_what_to_do(proxy: tuple[int, Process]) -> None:
    require("curl")
    argv = [*CURL, "-x", f"http://127.0.0.1:{proxy[0]}", f"http://down.{DOMAIN}:5432/"]
    page = subprocess.run(argv, capture_output=True, text=True, timeout=40, check=False).stdout
    assert "plain http:// address" in page
    assert "socks5h://" in page


def test_whoever_is_not_signed_in_learns_it_before_a_program_waits(client: Client, server: Server) -> None:
    save(client, "down")
    try:
        done = client.run("up", "down")
        assert f"tunnelui login {server.url}" in done.stderr.decode()
        (state,) = map(json.loads, client.run("up", "down", "--json").stdout.splitlines())
        assert curl("--max-time", "3", f"http://{state['local']}/") == 28  # it waits and says nothing
        said = client.run("status").stderr.decode()
        assert f"Sign-in needed at {server.url}" in said
        waited = client.run("wait", "down", "--timeout", "2")
        assert waited.returncode == 3
        assert "tunnelui login" in waited.stderr.decode()
    finally:
        client.run("agent", "stop")


@pytest.mark.parametrize("how", [("down",), ("routes", "remove")])
def test_psql_loses_its_server_and_whoever_took_it_is_told(
    tmp_path: Path, pki: Pki, postgres: int, how: tuple[str, ...]
) -> None:
    (psql,) = require("psql")
    with run_server(tmp_path / "server", pki, [route_to("db", 5432, postgres)]) as server:
        client = Client(tmp_path / "client", server)
        client.paste(sign_in(server))
        save(client, "db")
        (state,) = map(json.loads, client.run("up", "db", "--json").stdout.splitlines())
        port = str(state["local"].rpartition(":")[2])
        argv = [psql, "-XAt", "-h", "127.0.0.1", "-p", port, "-U", "app", "postgres"]
        try:
            with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as talk:
                assert talk.stdin is not None
                assert talk.stdout is not None
                talk.stdin.write(b"select 'here';\n")
                talk.stdin.flush()
                assert talk.stdout.readline() == b"here\n"
                done = client.run(*how, "db")
                assert done.returncode == 0
                assert done.stderr == b"db: 1 open connection was cut\n"
                out, error = talk.communicate(b"select 'gone';\n", timeout=60)
            assert (out, talk.returncode) == (b"", 2)
            assert b"connection to server was lost" in error
        finally:
            client.run("agent", "stop")
