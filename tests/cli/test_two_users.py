"""Two people on one machine, each with an agent: neither reaches, disturbs or stands in for the other's."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import site
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.program import Program
from tests.peers.parts import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.connect_proxy import ConnectProxy


class User(Program):
    """`Program` as somebody else."""

    def __init__(self, folder: Path, name: str) -> None:
        super().__init__(folder)
        entry = pwd.getpwnam(name)
        self.name, self.uid, self.gid = name, entry.pw_uid, entry.pw_gid
        folder.mkdir(mode=0o700)
        os.chown(folder, self.uid, self.gid)
        self.env |= {"HOME": str(folder), "PYTHONPATH": os.pathsep.join([str(REPOSITORY), *site.getsitepackages()])}
        self.python = ""

    def find_python(self) -> None:
        """Take ours, or the system's where ours is in a folder that is closed to others; skip the test without one."""
        for python in (sys.executable, "/usr/bin/python3"):
            with contextlib.suppress(OSError):
                if self.do([python, "-c", "import tunnelui.agent.client, tomli_w"]).returncode == 0:
                    self.python = python
                    return
        pytest.skip(f"{self.name} can run no Python with what is needed")

    def argv(self, *arguments: str) -> list[str]:
        return [self.python, "-m", "tunnelui", *arguments]

    def run(self, *arguments: str, input: bytes = b"", timeout: float = 60.0) -> subprocess.CompletedProcess[bytes]:
        return self.do(self.argv(*arguments), input=input, timeout=timeout)

    def do(self, argv: list[str], input: bytes = b"", timeout: float = 60.0) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            argv,
            input=input,
            env=self.env,
            cwd="/",
            user=self.uid,
            group=self.gid,
            extra_groups=[],
            capture_output=True,
            timeout=timeout,
            check=False,
        )


@pytest.fixture
def users() -> Iterator[tuple[User, User]]:
    if os.geteuid() != 0:
        pytest.skip("only root can be two users")
    # pytest's own folders are closed to everybody else.
    folder = Path(tempfile.mkdtemp(prefix="tunnelui-users-"))
    folder.chmod(0o755)
    try:
        alice, bob = User(folder / "a", "nobody"), User(folder / "b", "daemon")
        for user in (alice, bob):
            user.find_python()
        yield alice, bob
        for user in (alice, bob):
            user.run("agent", "stop")
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("transport", ["unix", "tcp", ""])
def test_each_has_an_agent_and_neither_reaches_the_others(
    users: tuple[User, User], proxy: ConnectProxy, transport: str
) -> None:
    alice, bob = users
    for user in users:
        if transport:
            user.env["TUNNELUI_AGENT_TRANSPORT"] = transport
        assert user.run("routes", "add", "db", proxy.destination()).returncode == 0
        done = user.run("up", "db")
        assert done.returncode == 0, done.stderr
    assert alice.agent_pid() != bob.agent_pid()
    assert alice.status()["db"]["local"] != bob.status()["db"]["local"]

    # A folder that cannot even be looked into, and one that somebody has opened wide.
    own, bob.env["TUNNELUI_RUNTIME_DIR"] = bob.env["TUNNELUI_RUNTIME_DIR"], str(alice.runtime)
    for wide in (False, True):
        if wide:
            for path in (alice.folder, alice.runtime):
                path.chmod(0o777)
            for path in alice.runtime.iterdir():
                if path.is_file():
                    path.chmod(0o666)
        for command in (["status"], ["up", "db"], ["agent", "stop"]):
            done = bob.run(*command)
            assert done.returncode == 1, done.stdout
            assert (b"belongs to another user" if wide else b"ermission denied") in done.stderr, done.stderr
        if not wide:
            assert_unreachable(alice, bob, transport)
        assert alice.status()["db"]["state"] == "ready"
    bob.env["TUNNELUI_RUNTIME_DIR"] = own
    assert bob.status()["db"]["state"] == "ready"
    assert alice.runtime.stat().st_mode & 0o077 == 0, "closed again by its owner"


def assert_unreachable(alice: User, bob: User, transport: str) -> None:
    """Straight at the socket, with no program of ours between that would be polite."""
    if transport == "tcp":
        port = json.loads((alice.runtime / "agent.json").read_text())["port"]
        with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
            sock.sendall(b'{"hello":{}}\n')
            assert sock.recv(100) == b"", "without a proof there is no answer"
        return
    path = str(alice.runtime / "agent.sock")
    code = f"import socket; socket.socket(socket.AF_UNIX).connect({path!r})"
    assert b"PermissionError" in bob.do([bob.python, "-c", code]).stderr
