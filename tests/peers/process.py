"""Processes that a test starts, watches and ends: each by its own id, none left behind."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from typing import IO, TYPE_CHECKING, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

__all__ = ["Process", "eventually", "free_port", "is_open"]

T = TypeVar("T")

# Ends the process when the test run dies without cleaning up, for instance by SIGKILL.
_GUARD = ("setpriv", "--pdeathsig", "TERM", "--") if shutil.which("setpriv") else ()


def free_port() -> int:
    """Return a loopback port that nobody listens on at this moment."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def is_open(port: int) -> bool:
    """Whether somebody accepts connections on the loopback *port*."""
    with socket.socket() as sock:
        sock.settimeout(1.0)
        return sock.connect_ex(("127.0.0.1", port)) == 0


def eventually(probe: Callable[[], T], timeout: float = 60.0, what: str = "the awaited state") -> T:
    """Call *probe* until it returns something true, and return that; fail after *timeout* seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come within {timeout:g} s; last seen: {value!r}")
        time.sleep(0.02)


class Process:
    """A child process whose output goes to files below *folder*.

    :param name: what the files and the failures call it.
    :param folder: for ``NAME.out`` and ``NAME.err``.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str | os.PathLike[str]],
        folder: Path,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stdin: int | IO[bytes] | None = subprocess.DEVNULL,
        user: str | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self._out = folder / f"{name}.out"
        self._err = folder / f"{name}.err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.popen = subprocess.Popen(
                [*_GUARD, *argv],
                stdin=stdin,
                stdout=out,
                stderr=err,
                env=None if env is None else dict(env),
                cwd=cwd,
                user=user,
                group=user and _group(user),
                extra_groups=[] if user else None,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def stdout(self) -> str:
        return self._out.read_text("utf-8", "replace")

    @property
    def stderr(self) -> str:
        return self._err.read_text("utf-8", "replace")

    @property
    def output(self) -> str:
        return f"{self.stdout}{self.stderr}"

    def wait_for(self, pattern: str, timeout: float = 60.0) -> re.Match[str]:
        """Return the first match of *pattern* in what was printed; fail when the process ends without it."""
        deadline = time.monotonic() + timeout
        while True:
            ended = self.popen.poll() is not None
            match = re.search(pattern, self.output, re.MULTILINE)
            if match:
                return match
            if ended or time.monotonic() > deadline:
                how = f"ended with {self.popen.returncode}" if ended else f"went on for {timeout:g} s"
                raise AssertionError(f"{self.name} {how} and never printed {pattern!r}:\n{self.output[-4000:]}")
            time.sleep(0.02)

    def wait_port(self, port: int, timeout: float = 60.0) -> None:
        """Wait until the loopback *port* accepts connections."""
        deadline = time.monotonic() + timeout
        while not is_open(port):
            if self.popen.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{self.name} does not listen on {port}:\n{self.output[-4000:]}")
            time.sleep(0.02)

    def wait(self, timeout: float = 60.0) -> int:
        """Wait for the process to end by itself and return its exit code."""
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} still runs after {timeout:g} s:\n{self.output[-4000:]}") from None

    def send(self, number: signal.Signals) -> None:
        """Send a signal to this process alone."""
        self.popen.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout: float = 60.0) -> int:
        """End the process, by force when it does not listen, and return its exit code."""
        if self.popen.poll() is None:
            self.popen.send_signal(number)
            try:
                self.popen.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.popen.wait(timeout)

    def kill(self) -> None:
        """End the process and its children at once. Its group holds nothing else: it is a session of its own."""
        try:
            os.killpg(self.popen.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.popen.wait(60)


def _group(user: str) -> int:
    import pwd

    return pwd.getpwnam(user).pw_gid
