"""A program in a real terminal: tmux with a server of its own."""

from __future__ import annotations

import re
import secrets
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.peers.parts import require
from tests.peers.process import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["Terminal", "run_terminal"]


class Terminal:
    """One window of *width* by *height* cells."""

    def __init__(self, tmux: Sequence[str], width: int, height: int) -> None:
        self._tmux = tmux
        self.width = width
        self.height = height

    def command(self, *arguments: str) -> str:
        done = subprocess.run([*self._tmux, *arguments], capture_output=True, text=True, timeout=10, check=False)
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
        return self.command("display-message", "-p", "#{pane_dead}").strip() != "0"

    @property
    def exit_code(self) -> int:
        """Waited for: tmux knows that the program is over before it knows how."""
        return int(eventually(lambda: self.command("display-message", "-p", "#{pane_dead_status}").strip(), 5))

    @property
    def pid(self) -> int:
        return int(self.command("display-message", "-p", "#{pane_pid}").strip())

    def wait_for(self, pattern: str, timeout: float = 15.0) -> re.Match[str]:
        """Wait until *pattern* is on the screen; lines are apart by line feeds."""
        try:
            found = eventually(lambda: re.search(pattern, self.text, re.MULTILINE), timeout, repr(pattern))
        except AssertionError:
            raise AssertionError(f"{pattern!r} never came; the screen:\n{self.text}") from None
        assert found is not None
        return found

    def wait_gone(self, pattern: str, timeout: float = 15.0) -> None:
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
    base = [tmux, "-L", f"tunnelui-{secrets.token_hex(4)}", "-f", "/dev/null"]
    start = [*base, "new-session", "-d", "-x", str(width), "-y", str(height)]
    clean = {key: value for key, value in env.items() if key != "TMUX"}
    options = ["set-option", "-g", "default-terminal", "tmux-256color", ";", "set-option", "-g", "remain-on-exit", "on"]
    # The first session starts the server; the options have to be there before the program is.
    subprocess.run([*start, "sleep 600"], env=clean, cwd=folder, check=True, timeout=10)
    terminal = Terminal(base, width, height)
    try:
        terminal.command(*options)
        variables = [part for key, value in clean.items() for part in ("-e", f"{key}={value}")]
        terminal.command("respawn-pane", "-k", *variables, *argv)
        yield terminal
    finally:
        terminal.command("kill-server")
