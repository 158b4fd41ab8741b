"""`tunnelui` as a process, with folders of its own."""

from __future__ import annotations

import base64
import json
import os
import pty
import select
import subprocess
import sys
import termios
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.peers.process import Process, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.connect_proxy import ConnectProxy

__all__ = ["Program", "Tunnels", "jwt", "login_url_in"]


def jwt(**claims: Any) -> str:
    """An unsigned token; what is in it is shown and nothing else."""
    parts = (json.dumps(part).encode() for part in ({"alg": "none"}, claims))
    head, body = (base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
    return f"{head}.{body}.c2lnbmF0dXJl"


def login_url_in(text: str) -> str | None:
    return next((word for word in text.split() if "/sign-in?redirect=" in word), None)


class Program:
    """Runs `python -m tunnelui`. ``env`` may be changed before a run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "config"
        self.state = folder / "state"
        self.runtime = folder / "run"
        self.env = {
            **{key: value for key, value in os.environ.items() if not key.startswith("TUNNELUI_")},
            "TUNNELUI_CONFIG_DIR": str(self.config),
            "TUNNELUI_STATE_DIR": str(self.state),
            "TUNNELUI_RUNTIME_DIR": str(self.runtime),
            "TUNNELUI_TOKEN_STORE": "file",
            "BROWSER": "/bin/false",
            "PYTHONUNBUFFERED": "1",
        }
        self._count = 0

    def argv(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "tunnelui", *arguments]

    def run(self, *arguments: str, input: bytes = b"", timeout: float = 60.0) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            self.argv(*arguments), input=input, env=self.env, capture_output=True, timeout=timeout, check=False
        )

    def spawn(self, *arguments: str, stdin: int = subprocess.DEVNULL) -> Process:
        self._count += 1
        return Process(f"tunnelui-{self._count}", self.argv(*arguments), self.folder, env=self.env, stdin=stdin)

    @contextmanager
    def tcp(self, *arguments: str, listeners: int = 1) -> Iterator[Tunnels]:
        """Run ``tunnelui tcp`` until the block ends; *listeners* addresses are waited for."""
        with self.spawn("tcp", *arguments) as process:
            tunnels = Tunnels(process)
            eventually(lambda: len(tunnels.locals) == listeners or process.popen.poll() is not None)
            assert len(tunnels.locals) == listeners, process.output
            yield tunnels

    @contextmanager
    def terminal(self, *arguments: str, size: tuple[int, int] | None = (24, 80)) -> Iterator[Terminal]:
        """Run a command on a terminal of its own, which is its standard input, output and error.

        :param size: lines and columns; ``None`` for a terminal that knows none.
        """
        main, side = pty.openpty()
        if size:
            termios.tcsetwinsize(side, size)
        os.set_blocking(main, False)
        terminal: Terminal | None = None
        try:
            with subprocess.Popen(
                self.argv(*arguments), env=self.env, stdin=side, stdout=side, stderr=side, start_new_session=True
            ) as process:
                terminal = Terminal(process, main, side)
                try:
                    yield terminal
                finally:
                    process.kill()
        finally:
            if terminal is None or not terminal.is_gone:
                os.close(main)
            os.close(side)

    def agent_pid(self) -> int:
        """The process id of the agent that runs; 0 without one."""
        done = self.run("agent", "--json")
        status = json.loads(done.stdout)
        return int(status["pid"]) if status["running"] else 0

    @contextmanager
    def agent(self) -> Iterator[None]:
        """End in order, at the latest with the block, whatever agent was started in it."""
        try:
            yield
        finally:
            self.run("agent", "stop")

    def status(self) -> dict[str, dict[str, Any]]:
        """What ``tunnelui status --json`` says, by the names of the routes."""
        done = self.run("status", "--json")
        assert done.returncode == 0, done.stderr
        return {one["name"]: one for one in map(json.loads, done.stdout.splitlines()) if "name" in one}

    def tokens(self) -> list[str]:
        """What the ``file`` store holds."""
        return [json.loads(file.read_text())["token"] for file in sorted((self.state / "tokens").glob("*.json"))]

    def write_config(self, text: str) -> Path:
        self.config.mkdir(parents=True, exist_ok=True)
        file = self.config / "config.toml"
        file.write_text(text)
        return file

    def sign_in(self, proxy: ConnectProxy, token: str) -> None:
        """Put *token* into the store."""
        done = self.run("login", "--paste", proxy.origin, input=f"{token}\n".encode())
        assert done.returncode == 0, done.stderr
        assert token in self.tokens()


class Tunnels:
    """A running `tunnelui tcp`, with or without ``--json``."""

    def __init__(self, process: Process) -> None:
        self.process = process

    @property
    def events(self) -> list[dict[str, Any]]:
        """Every complete line of standard output, which must all be JSON."""
        return [json.loads(line) for line in self.process.stdout.split("\n")[:-1]]

    @property
    def locals(self) -> list[str]:
        lines = self.process.stdout.split("\n")[:-1]
        if lines and lines[0].startswith("{"):
            return [event["data"]["local"] for event in self.events if event["kind"] == "listening"]
        return lines

    @property
    def port(self) -> int:
        return int(self.locals[0].rpartition(":")[2])

    def kinds(self, connection: int | None = None) -> list[str]:
        return [event["kind"] for event in self.events if connection is None or event["connection"] == connection]


class Terminal:
    """A command on a pseudo terminal."""

    def __init__(self, process: subprocess.Popen[bytes], main: int, side: int) -> None:
        self.process = process
        self.side = side
        self.shown = ""
        self.is_gone = False
        self._main = main

    def type(self, text: str) -> None:
        data = text.encode()
        while data:
            select.select([], [self._main], [], 5)
            data = data[os.write(self._main, data[:1000]) :]
            self.read()

    def hang_up(self) -> None:
        """Take the terminal away, as closing its window does."""
        os.close(self._main)
        self.is_gone = True

    def read(self, timeout: float = 0.0) -> str:
        while select.select([self._main], [], [], timeout)[0]:
            try:
                self.shown += os.read(self._main, 65536).decode("utf-8", "replace")
            except OSError:
                break
            timeout = 0.0
        return self.shown

    def wait_for(self, text: str, timeout: float = 60.0) -> None:
        deadline = time.monotonic() + timeout
        while text not in self.read(0.05):
            assert self.process.poll() is None or text in self.read(0.2), f"ended without {text!r}: {self.shown}"
            assert time.monotonic() < deadline, f"no {text!r} in {self.shown}"

    def wait(self, timeout: float = 60.0) -> int:
        """Read until the command has ended; return its exit code."""
        deadline = time.monotonic() + timeout
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"still runs: {self.shown}"
            self.read(0.05)
        self.read(0.05)
        return int(self.process.returncode)
