"""A program in a real terminal: tmux with a server of its own."""

from __future__ import annotations

import re
import secrets
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil

from tests.peers.parts import require
from tests.peers.process import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["Terminal", "run_terminal"]


class Terminal:
    """One window of *width* by *height* cells."""

    def __init__(self, tmux: Sequence[str], width: int, height: int, status: Path) -> None:
        self._tmux = tmux
        self._status = status
        self.width = width
        self.height = height

    def command(self, *arguments: str) -> str:
        done = subprocess.run([*self._tmux, *arguments], capture_output=True, text=True, timeout=60, check=False)
        return done.stdout

    def keys(self, *names: str) -> None:
        """Press keys, by tmux's names for them."""
        self.command("send-keys", *names)

    def type(self, text: str) -> None:
        self.command("send-keys", "-l", text)

    def click(self, column: int, row: int) -> None:
        """Press and release the left button, cells counted from 1, as a terminal reports it (SGR mode)."""
        for end in ("M", "m"):
            self.command("send-keys", "-l", f"\x1b[<0;{column};{row}{end}")

    @property
    def text(self) -> str:
        """What is on the screen."""
        return self.command("capture-pane", "-p")

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @property
    def title(self) -> str:
        return self.command("display-message", "-p", "#{pane_title}").strip()

    @property
    def is_over(self) -> bool:
        """Whether the program has ended. tmux is not asked: it misses the end of a child now and then."""
        return self._status.exists() and self._status.read_text() != ""

    @property
    def exit_code(self) -> int:
        """The shell's: 128 and the number, where a signal ended the program."""
        return int(self._status.read_text())

    @property
    def process(self) -> psutil.Process:
        """The program itself, without the shell around it."""
        shell = psutil.Process(int(self.command("display-message", "-p", "#{pane_pid}")))
        return eventually(shell.children)[0]

    def wait_for(self, pattern: str, timeout: float = 60.0) -> re.Match[str]:
        """Wait until *pattern* is on the screen; lines are apart by line feeds."""
        try:
            found = eventually(lambda: re.search(pattern, self.text, re.MULTILINE), timeout, repr(pattern))
        except AssertionError:
            raise AssertionError(f"{pattern!r} never came; the screen:\n{self.text}") from None
        assert found is not None
        return found

    def wait_gone(self, pattern: str, timeout: float = 60.0) -> None:
        """Wait until *pattern* is on the screen no more."""
        try:
            eventually(lambda: not re.search(pattern, self.text, re.MULTILINE), timeout, repr(pattern))
        except AssertionError:
            raise AssertionError(f"{pattern!r} stayed; the screen:\n{self.text}") from None


@contextmanager
def run_terminal(
    argv: Sequence[str], folder: Path, env: Mapping[str, str], *, width: int, height: int
) -> Iterator[Terminal]:
    """Run *argv* in a terminal; its window stays when the program ends, until the block does."""
    (tmux,) = require("tmux")
    options = folder / "tmux.conf"
    options.write_text("set -g default-terminal tmux-256color\nset -g remain-on-exit on\nset -g status off\n")
    base = [tmux, "-L", f"tunnelui-{secrets.token_hex(4)}", "-f", str(options)]
    # A terminal knows its size; what readline has put into our environment would be another one's.
    clean = {key: value for key, value in env.items() if key not in ("TMUX", "COLUMNS", "LINES")}
    variables = [part for key, value in clean.items() for part in ("-e", f"{key}={value}")]
    start = [*base, "new-session", "-d", "-x", str(width), "-y", str(height), *variables, "--"]
    status = folder / "exit-status"
    status.unlink(missing_ok=True)
    start += ["sh", "-c", '"$@"; echo $? >"$0"', str(status), *argv]
    subprocess.run(start, env=clean, cwd=folder, check=True, timeout=60)
    terminal = Terminal(base, width, height, status)
    try:
        yield terminal
    finally:
        terminal.command("kill-server")
