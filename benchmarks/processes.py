"""Child processes: started on chosen cores, measured with their descendants, ended by their own id."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = ["Child", "CommandFailed", "Memory", "cpu_seconds", "listens", "memory", "on_cores", "run", "tree"]

_TICK: Final = os.sysconf("SC_CLK_TCK")
# Ends the child when this program is killed.
_GUARD: Final = ("setpriv", "--pdeathsig", "TERM", "--") if shutil.which("setpriv") else ()
_LAST_WORDS: Final = 2000
_POLL: Final = 0.01


class CommandFailed(Exception):
    """A program of the benchmark failed or took too long; the text holds its last words."""


@contextlib.contextmanager
def on_cores(cores: Iterable[int]) -> Iterator[None]:
    """Run this thread on *cores* for a moment, so that a child begins its life there."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(cores))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Child:
    """A long-running program; what it prints goes to files in *folder*, unless *talk* opens pipes to it."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str | Path],
        folder: Path,
        *,
        cores: Iterable[int],
        env: Mapping[str, str] | None = None,
        talk: bool = False,
    ) -> None:
        """:param talk: standard input and output are pipes; the program ends when its input does."""
        self.name = name
        self._log = folder / f"{name}.log"
        with self._log.open("wb") as log, on_cores(cores):
            self._popen = subprocess.Popen(
                [*_GUARD, *argv],
                stdin=subprocess.PIPE if talk else subprocess.DEVNULL,
                stdout=subprocess.PIPE if talk else log,
                stderr=log,
                bufsize=0,
                env=None if env is None else dict(env),
                cwd=folder,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def last_words(self) -> str:
        return self._log.read_text("utf-8", "replace")[-_LAST_WORDS:]

    def wait_listening(self, *ports: int, timeout: float = 30.0) -> None:
        """Wait until all *ports* listen. Nothing is connected: that would be a tunnel already.

        :raises CommandFailed: the program ended, or it took too long.
        """
        deadline = time.monotonic() + timeout
        while not listens(*ports):
            if self._popen.poll() is not None or time.monotonic() > deadline:
                raise CommandFailed(f"{self.name} does not listen\n{self.last_words}")
            time.sleep(_POLL)

    def tell(self, line: str = "") -> None:
        """Send a line.

        :raises CommandFailed: it has ended.
        """
        if self._popen.stdin is None:
            raise ValueError(f"{self.name} was started without talk=True")
        try:
            self._popen.stdin.write(line.encode() + b"\n")
        except BrokenPipeError:
            raise CommandFailed(f"{self.name} ended\n{self.last_words}") from None

    def hear(self, timeout: float = 30.0) -> Any:
        """Return the next line of JSON.

        :raises CommandFailed: it ended instead, or said nothing within *timeout* seconds.
        """
        if self._popen.stdout is None:
            raise ValueError(f"{self.name} was started without talk=True")
        # A line is short and written at once: where something can be read, all of it can.
        if not select.select([self._popen.stdout], [], [], timeout)[0]:
            raise CommandFailed(f"{self.name} said nothing for {timeout:g} s\n{self.last_words}")
        line = self._popen.stdout.readline()
        if not line:
            raise CommandFailed(f"{self.name} ended\n{self.last_words}")
        return json.loads(line)

    def stop(self, timeout: float = 10.0) -> None:
        """End it, by force when it does not listen. It is a session of its own: nothing else is hit."""
        for pipe in (self._popen.stdin, self._popen.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        if self._popen.poll() is None:
            self._popen.send_signal(signal.SIGTERM)
            try:
                self._popen.wait(timeout)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait(timeout)


def run(
    argv: Sequence[str | Path], *, cores: Iterable[int], timeout: float, env: Mapping[str, str] | None = None
) -> Any:
    """Run a program that prints one line of JSON, and return that.

    :raises CommandFailed: it failed, or did not end within *timeout* seconds (then it is ended).
    """
    what = " ".join(str(part) for part in argv)
    with on_cores(cores):
        process = subprocess.Popen([*_GUARD, *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    with process:
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            raise CommandFailed(f"{what}: not done within {timeout:g} s") from None
        finally:
            if process.poll() is None:
                process.kill()
    if process.returncode != 0:
        raise CommandFailed(f"{what}: {err.strip()[-_LAST_WORDS:]}")
    return json.loads(out)


def tree(roots: Iterable[int]) -> list[int]:
    """Return *roots* and all their living descendants."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (fields := _stat(int(entry))):
            children.setdefault(int(fields[1]), []).append(int(entry))
    found: list[int] = []
    queue = list(roots)
    while queue:
        pid = queue.pop()
        if pid not in found:
            found.append(pid)
            queue.extend(children.get(pid, ()))
    return found


def cpu_seconds(roots: Iterable[int]) -> float:
    """Return the CPU time, user and system, that *roots* and their descendants have used, ended children included."""
    total = 0
    for pid in tree(roots):
        if fields := _stat(pid):
            total += sum(int(fields[index]) for index in range(11, 15))  # utime stime cutime cstime
    return total / _TICK


def cpu_of_threads(pid: int) -> float:
    """Return the CPU seconds of the threads that *pid* has now, to the nanosecond; `cpu_seconds` counts in ticks."""
    used = 0
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError):  # it has just ended
            used += int(path.read_text().split()[0])
    return used / 1e9


def _stat(pid: int) -> list[str]:
    """The fields of ``/proc/PID/stat`` from the state on; empty when the process has gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes: ``pss`` of a process tree; ``kernel``: the whole machine's slabs and socket buffers."""

    pss: int
    kernel: int


def memory(roots: Iterable[int]) -> Memory:
    """Read ``smaps_rollup`` of *roots* and their descendants, ``/proc/net/sockstat`` and ``/proc/meminfo``."""
    pss = 0
    for pid in tree(roots):
        with contextlib.suppress(OSError):
            pss += _kib(Path(f"/proc/{pid}/smaps_rollup"), "Pss:")
    sockets = next(line for line in Path("/proc/net/sockstat").read_text().splitlines() if line.startswith("TCP:"))
    words = sockets.split()
    pages = int(words[words.index("mem") + 1])
    return Memory(pss, pages * os.sysconf("SC_PAGE_SIZE") + _kib(Path("/proc/meminfo"), "Slab:"))


def _kib(path: Path, name: str) -> int:
    """Bytes that the line *name* of *path* tells in kB."""
    return sum(int(line.split()[1]) * 1024 for line in path.read_text().splitlines() if line.startswith(name))


def listens(*ports: int) -> bool:
    """Whether somebody listens on every one of these TCP ports."""
    waiting = set(ports)
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A":
                    waiting.discard(int(fields[1].rpartition(":")[2], 16))
    return not waiting
