"""git over ssh by ProxyCommand, and over HTTP. `test_matrix.py` has git over ssh by the other ways."""

from __future__ import annotations

import os
import shlex
import sys
from typing import TYPE_CHECKING

import pytest

from tests.e2e.harness import DOMAIN, Client, route_to, run_server, sign_in
from tests.peers.process import Process, eventually, free_port, is_open
from tests.peers.repository import git, make_repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.peers.shell import SSHServer
    from tests.support.pki import Pki

HOST = f"shell.{DOMAIN}"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return make_repository(tmp_path)


@pytest.fixture
def alice(tmp_path: Path, pki: Pki, sshd: SSHServer, repository: Path) -> Iterator[Client]:
    """Signed in, with a route to sshd and one to a web server that has the repository."""
    port = free_port()
    command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port), "-d", str(repository.parent)]
    routes = [route_to("shell", 22, sshd.port), route_to("git", 80, port)]
    with Process("web", command, tmp_path), run_server(tmp_path / "server", pki, routes) as server:
        client = Client(tmp_path / "client", server)
        client.paste(sign_in(server))
        for name, number in (("shell", 22), ("git", 80)):
            assert client.run("routes", "add", name, f"{name}.{DOMAIN}:{number}").returncode == 0
        eventually(lambda: is_open(port))
        yield client
        client.run("agent", "stop")


def test_clone_and_push_through_proxy_command(alice: Client, sshd: SSHServer, repository: Path, tmp_path: Path) -> None:
    proxy = f"ProxyCommand={shlex.join(alice.argv('tcp', '--listen', '-'))} %h:%p"
    ssh = shlex.join(["ssh", *sshd.options(HOST, tmp_path), "-o", proxy])
    environment = {**alice.env, "GIT_SSH_COMMAND": ssh}
    clone = tmp_path / "clone"
    git("clone", "-q", f"ssh://{sshd.user}@{HOST}{repository}", clone, env=environment)
    assert (clone / "data").stat().st_size == 3_000_000
    (clone / "more").write_bytes(os.urandom(1_000_000))
    git("add", "more", cwd=clone)
    git("commit", "-q", "-m", "second", cwd=clone)
    git("push", "-q", cwd=clone, env=environment)
    assert git("log", "--format=%s", "main", cwd=repository).split() == ["second", "first"]


def test_clone_through_the_proxy_by_the_real_name(alice: Client, repository: Path, tmp_path: Path) -> None:
    port = free_port()
    with alice.spawn("proxy", "--listen", f"127.0.0.1:{port}"):
        assert eventually(lambda: is_open(port))
        url = f"http://git.{DOMAIN}/{repository.name}"
        git("-c", f"http.proxy=socks5h://127.0.0.1:{port}", "clone", "-q", url, tmp_path / "clone", env=alice.env)
    assert (tmp_path / "clone" / "data").stat().st_size == 3_000_000
