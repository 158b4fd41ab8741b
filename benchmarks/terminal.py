"""The screen on a terminal of its own: started, emptied, typed into, and watched."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Self

from benchmarks.processes import CommandFailed, on_cores

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["HeldKey", "emptied", "screen_on_terminal", "until_drawn"]

_PATIENCE: Final = 30.0
_ESCAPES: Final = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-Z\\-_]")
_KEPT: Final = 400


@contextmanager
def screen_on_terminal(
    command: Sequence[str], env: Mapping[str, str], folder: Path, *, size: tuple[int, int], cores: Iterable[int]
) -> Iterator[tuple[int, int]]:
    """Run *command* on a terminal of *size* (rows, columns); give its process and our end of the terminal."""
    own, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    env = {**env, "TERM": "xterm-256color", "LANG": "C.UTF-8"}
    with on_cores(cores):
        process = subprocess.Popen(
            command, stdin=its, stdout=its, stderr=its, env=env, cwd=folder, start_new_session=True
        )
    os.close(its)
    try:
        with process:
            try:
                yield process.pid, own
            finally:
                process.send_signal(signal.SIGKILL)
    finally:
        os.close(own)


def until_drawn(terminal: int, began: float, drawn: Sequence[bytes]) -> float:
    """Wait until all of *drawn* has been drawn; return the seconds since *began*.

    :raises CommandFailed: it did not come.
    """
    seen = b""
    while time.monotonic() - began < _PATIENCE:
        if select.select([terminal], [], [], 1.0)[0]:
            try:
                seen += os.read(terminal, 65536)
            except OSError:
                break
        if all(part in seen for part in drawn):
            return time.monotonic() - began
    raise CommandFailed(f"the screen is not whole: {seen[-_KEPT:]!r}")


@contextmanager
def emptied(terminal: int) -> Iterator[None]:
    """Take what is drawn off the terminal, so that the screen never waits for it: by a child, which ends with it."""
    pid = os.fork()
    if not pid:
        try:
            while os.read(terminal, 65536):
                pass
        finally:
            os._exit(0)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


class HeldKey:
    """A key of the list held down on *terminal*: how long each press takes until the row that it leads to is told.

    The screen tells the selected route in the title of its log, ``Log: NAME-NUMBER``; the number grows by one with each
    press of *key*, and where the screen skips some, the later one shows the earlier. To be entered; a thread of its own
    presses and reads, until the end of the block.
    """

    def __init__(
        self, terminal: int, key: bytes, *, name: str, first: int, a_second: float, after: float = 0.0
    ) -> None:
        """
        :param first: the number that the first press leads to.
        :param after: how many seconds after entering it is pressed for the first time.
        """
        self.seconds: list[float] = []
        """Of each press that was shown, in their order."""
        self.drawn = 0
        """Bytes that the screen has drawn meanwhile."""
        self._terminal = terminal
        self._key = key
        self._title = re.compile(rb"Log: " + name.encode() + rb"-(\d+)")
        self._next = first
        self._after = after
        self._every = 1 / a_second
        self._pressed: list[tuple[int, float]] = []
        self._rest = b""
        self._over = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._thread.join()

    @property
    def unseen(self) -> int:
        """How many presses were not shown by the end, a second after the last one."""
        return len(self._pressed)

    def _run(self) -> None:
        due = time.monotonic() + self._after
        end = float("inf")
        while time.monotonic() < end:
            now = time.monotonic()
            if self._over and end == float("inf"):
                end = now + 1.0
            if now >= due and not self._over:
                os.write(self._terminal, self._key)
                self._pressed.append((self._next, now))
                self._next += 1
                due = max(due + self._every, now)
            if select.select([self._terminal], [], [], max(0.0, min(due - now, self._every)))[0]:
                self._read()

    def _read(self) -> None:
        data = os.read(self._terminal, 1 << 16)
        self.drawn += len(data)
        text = _ESCAPES.sub(b"", self._rest + data)
        self._rest = (self._rest + data)[-_KEPT:]
        now = time.monotonic()
        for found in self._title.finditer(text):
            shown = int(found[1])
            if len(found[1]) < 4:
                continue  # cut off by the end of what was read
            while self._pressed and self._pressed[0][0] <= shown:
                self.seconds.append(now - self._pressed.pop(0)[1])
