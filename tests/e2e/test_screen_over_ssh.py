"""The screen on another machine, as far as a loopback can be one: OpenSSH's sshd, a pseudo-terminal of its own."""

from __future__ import annotations

import re
import shlex
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.e2e.harness import ALICE, DOMAIN, Client, Server, password_of
from tests.e2e.on_screen import select, sign_in_address, start
from tests.e2e.terminal import Terminal, run_terminal
from tests.e2e.visitor import visit
from tests.peers.parts import require
from tests.peers.process import eventually, is_open

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.peers.shell import SSHServer

COMMAND = """sh -c 'echo "at {host}:{port} on $(tty) of $SSH_TTY"; read line; echo "got $line"; exit 3'"""
pytestmark = pytest.mark.timeout(400)


class FarMachine:
    """Where `tunnelui` runs: a desktop with a browser that nobody sits at, and an ssh server.

    :ivar opened: what that browser was asked to open; not there if it never was.
    """

    def __init__(self, folder: Path, server: Server, sshd: SSHServer) -> None:
        (ssh,) = require("ssh")
        self.folder = folder
        self.opened = folder / "opened"
        self.client = Client(folder / "client", server, store="memory")
        self.client.config.mkdir(parents=True)
        for name in ("TUNNELUI_PROXY_URL", "BROWSER", "SSH_CONNECTION", "SSH_TTY"):
            self.client.env.pop(name, None)
        (self.client.config / "config.toml").write_text(
            f'[profiles.default]\nproxy_url = "{server.url}"\nca_file = "{server.ca_file}"\n'
        )
        self.client.env["PATH"] = f"{folder / 'bin'}:{self.client.env['PATH']}"
        self.client.env["DISPLAY"] = ":0"
        for name in ("xdg-open", "www-browser", "w3m"):
            self._program(folder / "bin" / name, f'echo "$0 $1" >> {self.opened}')
        self._pid = folder / "pid"
        kept = {key: value for key, value in self.client.env.items() if key.startswith("TUNNELUI_")}
        kept |= {key: self.client.env[key] for key in ("HOME", "PATH", "DISPLAY")}
        variables = "\n".join(f"export {key}={shlex.quote(value)}" for key, value in kept.items())
        program = f'{variables}\necho $$ > {self._pid}\nexec {shlex.join(self.client.argv())} "$@"'
        self.program = self._program(folder / "bin" / "tunnelui", program)
        options = sshd.options("far.example.com", folder)
        self._ssh = [ssh, *options, "-tt", "-p", str(sshd.port), f"{sshd.user}@127.0.0.1"]

    def _program(self, path: Path, script: str) -> Path:
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    @property
    def process(self) -> psutil.Process:
        """The screen's."""
        return psutil.Process(int(eventually(lambda: self._pid.exists() and self._pid.read_text())))

    @contextmanager
    def session(self, command: str, **variables: str) -> Iterator[Terminal]:
        """Run *command* there, in a terminal here of 80x24 cells; *variables* are the terminal's."""
        env = self.client.env | {"COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"} | variables
        with run_terminal([*self._ssh, command], self.folder, env, width=80, height=24) as terminal:
            terminal.command("set", "-g", "set-clipboard", "on")
            yield terminal


@pytest.fixture
def far(tmp_path: Path, server: Server, sshd: SSHServer) -> Iterator[FarMachine]:
    """A far machine with two saved routes, nobody signed in. Its agent ends with the test."""
    machine = FarMachine(tmp_path, server, sshd)
    for name, port in (("down", 5432), ("echo", 7)):
        more = ("--command", COMMAND) if name == "echo" else ()
        done = machine.client.run("routes", "add", name, f"{name}.{DOMAIN}:{port}", *more)
        assert done.returncode == 0, done.stderr
    yield machine
    machine.client.run("agent", "stop")


def has_ended(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE  # sshd collects it, or init
    except psutil.NoSuchProcess:
        return True


def test_a_session_from_the_first_key_to_the_cut(far: FarMachine, server: Server) -> None:
    shell = "PS1='far> ' HISTFILE= exec bash --norc --noprofile -i"
    with far.session(shell) as terminal:
        terminal.wait_for("^far>")
        terminal.type(f"{far.program}\r")
        terminal.wait_for("echo +off")

        # Keys, the mouse, another size.
        row = next(number for number, line in enumerate(terminal.lines, 1) if "echo " in line)
        terminal.click(20, row)
        terminal.wait_for(r"^▌\S echo")
        port = start(terminal, "echo")
        terminal.command("resize-window", "-x", "120", "-y", "36")
        terminal.wait_for(r"┤ Log: echo ├")
        terminal.command("resize-window", "-x", "80", "-y", "24")
        terminal.wait_gone(r"┤ Log: echo ├")

        # To the clipboard of the terminal here.
        terminal.keys("y")
        terminal.wait_for(rf"Copied the local address by the terminal: 127\.0\.0\.1:{port}")
        eventually(lambda: terminal.command("show-buffer") == f"127.0.0.1:{port}")

        # No browser opens where nobody sits; the address comes here, and the answer goes there.
        with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
            sock.sendall(b"hello")
            terminal.wait_for("echo +auth")
            terminal.keys("i")
            url = sign_in_address(terminal)
            terminal.wait_for(r"started over ssh, so no browser is opened here")
            terminal.keys("b")
            terminal.wait_for(r"▌ .*y copies it")
            terminal.keys("y")
            eventually(lambda: terminal.command("show-buffer") == url, 10, "the whole address in the buffer")
            assert not far.opened.exists(), far.opened.read_text()
            answer = visit(url, name=ALICE, password=password_of(ALICE), ca_file=server.ca_file, deliver=False)
            terminal.command("set-buffer", answer)
            terminal.command("paste-buffer", "-p")
            terminal.wait_for("Answer +•+")
            assert "pomerium_jwt" not in terminal.text
            terminal.keys("Enter")
            assert sock.recv(5) == b"hello", "the connection that was held is served"
        terminal.wait_for("echo +ready")

        # Another program on this terminal, the shell, and back.
        select(terminal, "echo")
        terminal.keys("o")
        seen = terminal.wait_for(rf"^at 127\.0\.0\.1:{port} on (\S+) of (\S+)")
        assert seen[1] == seen[2]
        terminal.type("a line\r")
        terminal.wait_for("^got a line")
        terminal.keys("Enter")
        terminal.wait_for(r"^▌\S echo +ready")
        terminal.keys("C-z")
        terminal.wait_for("Stopped")
        terminal.type("fg\r")
        terminal.wait_for(r"^▌\S echo +ready")

        # The connection is cut: the screen ends, the tunnel stays.
        screen = far.process
        terminal.process.kill()
        eventually(lambda: has_ended(screen), 10, "the end of the screen")
        with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
            sock.sendall(b"still here")
            assert sock.recv(10) == b"still here"


@pytest.mark.parametrize(
    ("term", "locale", "bar", "colours"),
    [
        ("nobody-knows-it", "C", ">", r"\x1b\[(?:1;)?36m"),  # its own 16
        ("alacritty", "C.UTF-8", "▌", r"\x1b\[38;2;"),  # all of them, though COLORTERM has stayed behind
    ],
    ids=["unknown", "alacritty"],
)
def test_whatever_terminal_is_here_the_far_side_draws_and_cut_it_takes_its_tunnels_along(
    far: FarMachine, term: str, locale: str, bar: str, colours: str
) -> None:
    with far.session(f"TERM={term} LC_ALL={locale} exec {far.program} --in-process") as terminal:
        terminal.wait_for("echo +off")
        terminal.keys("j")
        terminal.wait_for(rf"^{bar}\S echo")
        terminal.keys("Space")
        port = int(terminal.wait_for(r"echo +ready .*127\.0\.0\.1:(\d+)")[1])
        painted = terminal.command("capture-pane", "-p", "-e")
        assert re.search(colours, painted), painted
        assert terminal.text.isascii() == (bar == ">")
        screen = far.process
        terminal.process.kill()
        eventually(lambda: has_ended(screen), 10, "the end of the screen")
        assert not is_open(port)
