"""The agent between real programs and real services."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.e2e.harness import DOMAIN, Client, route_to, run_server, sign_in
from tests.peers.parts import require
from tests.peers.process import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from tests.peers.shell import SSHServer
    from tests.support.pki import Pki


@contextmanager
def serve(folder: Path, pki: Pki, name: str, port: int, to: int) -> Iterator[Client]:
    """A server with one route, and a client who is signed in and has saved it. Its agent ends with the block."""
    with run_server(folder / "server", pki, [route_to(name, port, to)]) as server:
        client = Client(folder / "c", server)
        client.paste(sign_in(server))
        done = client.run("routes", "add", name, f"{name}.{DOMAIN}:{port}")
        assert done.returncode == 0, done.stderr
        try:
            yield client
        finally:
            client.run("agent", "stop")


def up(client: Client, name: str) -> tuple[str, str]:
    done = client.run("up", name, "--json")
    assert done.returncode == 0, done.stderr
    host, _, port = str(json.loads(done.stdout)["local"]).rpartition(":")
    return host, port


def state(client: Client, name: str) -> dict[str, Any]:
    found = [json.loads(line) for line in client.run("status", name, "--json").stdout.splitlines()]
    return dict(found[0])


def echo(address: tuple[str, str]) -> socket.socket:
    sock = socket.create_connection((address[0], int(address[1])), timeout=30)
    sock.sendall(b"x")
    assert sock.recv(1) == b"x"
    return sock


def test_mariadb_through_wait_and_up(tmp_path: Path, pki: Pki, mariadb: int) -> None:
    (mysql,) = require("mariadb")
    with serve(tmp_path, pki, "shop", 3306, mariadb) as client:
        waited = client.run("wait", "shop", "--timeout", "20")
        assert waited.returncode == 0, waited.stderr
        host, port = up(client, "shop")
        assert waited.stdout.decode() == f"{host}:{port}\n"
        done = subprocess.run(
            [mysql, "--no-defaults", "-h", host, "-P", port, "-u", "app", "-Ne", "select 6 * 7", "app"],
            env={**os.environ, "MYSQL_PWD": "secret"},
            capture_output=True,
            timeout=20,
            check=False,
        )
        assert done.stdout == b"42\n", done.stderr


def test_ssh_is_handed_to_the_agent(tmp_path: Path, pki: Pki, sshd: SSHServer) -> None:
    (ssh,) = require("ssh")
    host = f"shell.{DOMAIN}"
    data = os.urandom(2_000_000)
    with serve(tmp_path, pki, "shell", 22, sshd.port) as client:
        # The address of the proxy is in the environment of the other programs here, which an agent does not look at.
        proxy = client.env.pop("TUNNELUI_PROXY_URL")
        assert client.run("agent", "start").returncode == 0
        command = f"{shlex.join(client.argv('tcp', '--listen', '-', '--proxy-url', proxy))} %h:%p"
        options = [*sshd.options(host, tmp_path), "-o", f"ProxyCommand={command}", f"{sshd.user}@{host}"]
        done = subprocess.run(
            [ssh, *options, "cat"], input=data, env=client.env, capture_output=True, timeout=40, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout == data


def test_everything_stands_still_and_goes_on(tmp_path: Path, pki: Pki, services: dict[str, int]) -> None:
    """A closed lid, as far as a process sees it: the connection and the port are as they were."""
    with serve(tmp_path, pki, "echo", 7, services["echo"]) as client:
        address = up(client, "echo")
        pid = int(json.loads(client.run("agent", "--json").stdout)["pid"])
        with echo(address) as live:
            os.kill(pid, signal.SIGSTOP)
            live.sendall(b"while asleep")
            time.sleep(9)
            os.kill(pid, signal.SIGCONT)
            assert live.recv(100) == b"while asleep"
            assert eventually(lambda: b"everything stood still for" in client.run("logs").stdout)
            time.sleep(1)
            live.sendall(b"still there")
            assert live.recv(100) == b"still there"
        echo(address).close()


def test_several_commands_see_the_same(tmp_path: Path, pki: Pki, services: dict[str, int]) -> None:
    with serve(tmp_path, pki, "echo", 7, services["echo"]) as client:
        address = up(client, "echo")
        with client.spawn("status", "--watch", "--json") as first, client.spawn("logs", "-f", "--json") as second:
            assert eventually(lambda: '"ready"' in first.stdout)
            with echo(address):
                assert eventually(lambda: '"live"' in first.stdout)
                assert eventually(lambda: '"kind":"open"' in second.stdout)
            client.run("down", "echo")
            assert eventually(lambda: '"kind":"stopped"' in second.stdout)
