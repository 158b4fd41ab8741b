"""What the screen costs: the first picture, a look at the engine, a key of the filter, sitting still, a day of news."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from benchmarks.halves.ours import environment
from benchmarks.lab import REPOSITORY
from benchmarks.processes import CommandFailed, cpu_seconds, on_cores
from benchmarks.processes import run as run_command
from benchmarks.summary import OURS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.cases.run import Run

__all__ = ["BARE", "CHANGED", "FEW", "FILTER", "GROWTH", "IDLE", "IMPORT", "PAINT", "STILL", "measure_screen"]

PAINT: Final = "first picture of the screen"
CHANGED: Final = "a look at 2,000 routes, 2 changed"
STILL: Final = "a look at 2,000 routes, none changed"
FILTER: Final = "a key of the filter among 2,000 routes"
IDLE: Final = "the screen with 100 live tunnels, idle"
GROWTH: Final = "changes one after the other, 200 routes"
IMPORT: Final = 'python -c "import textual.app"'
BARE: Final = "a bare Textual app: a list and a line"
FEW: Final = "the same among 20 routes"
_PROBE: Final = str(REPOSITORY / "benchmarks" / "screen_probe.py")
_BARE_PROBE: Final = str(REPOSITORY / "benchmarks" / "bare_probe.py")
_MANY: Final = 2000
_SIZE: Final = (36, 120)
_DRAWN: Final = b"NAME"
_SETTLE: Final = 3.0
_PATIENCE: Final = 30.0


def measure_screen(run: Run) -> None:
    """Alternate between the screen, the mere imports and a bare application, then between many routes and few."""
    python = run.plan.pythons[0]
    for number in range(-1, run.plan.starts):  # the first one writes byte code
        with _screen(run, [python, _PROBE, "show", "20", "0"]) as (_, seconds):
            drawn = seconds
        imported = _import(run, python)
        with _screen(run, [python, _BARE_PROBE]) as (_, seconds):
            bare = seconds
        if number >= 0:
            run.add(PAINT, "time", "ms", "lower", OURS, number, drawn * 1000)
            run.add(PAINT, "time", "ms", "lower", IMPORT, number, imported * 1000)
            run.add(PAINT, "time", "ms", "lower", BARE, number, bare * 1000)
    for number in range(run.plan.memory_rounds):
        for case, word in ((CHANGED, "tick"), (STILL, "still"), (FILTER, "filter")):
            for peer, routes in ((OURS, _MANY), (FEW, 20)):
                run.add(case, "CPU", "ms", "lower", peer, number, _probe(run, python, word, routes))
    with _screen(run, [python, _PROBE, "show", "100", "100"]) as (pid, _):
        time.sleep(_SETTLE)
        began, cpu = time.monotonic(), cpu_seconds([pid])
        time.sleep(max(run.plan.idle_seconds, 5.0))
        used = (cpu_seconds([pid]) - cpu) / (time.monotonic() - began)
    run.add(IDLE, "CPU", "%", "lower", OURS, 0, used * 100)
    times = run.plan.sequence
    more = _probe(run, python, "growth", 200, times)
    run.add(GROWTH, f"memory after {times:,}", "MiB more", "lower", OURS, 0, more)


def _probe(run: Run, python: str, word: str, routes: int, count: int = 0) -> float:
    command = [python, _PROBE, word, str(routes), str(count)]
    env = environment(run.lab.folder)
    return float(run_command(command, cores=run.lab.cores.relay, timeout=2 * run.plan.timeout, env=env))


@contextmanager
def _screen(run: Run, command: list[str]) -> Iterator[tuple[int, float]]:
    """Run a screen on a terminal of its own; give its process and the seconds until the list was drawn."""
    own, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", *_SIZE, 0, 0))
    env = environment(run.lab.folder) | {"TERM": "xterm-256color", "LANG": "C.UTF-8"}
    with on_cores(run.lab.cores.relay | run.lab.cores.load):
        began = time.monotonic()
        process = subprocess.Popen(
            command, stdin=its, stdout=its, stderr=its, env=env, cwd=run.lab.folder, start_new_session=True,
        )  # fmt: skip
    os.close(its)
    try:
        with process:
            try:
                seconds = _until_drawn(own, began)
                with _emptied(own):
                    yield process.pid, seconds
            finally:
                process.send_signal(signal.SIGKILL)
    finally:
        os.close(own)


def _until_drawn(terminal: int, began: float) -> float:
    seen = b""
    while time.monotonic() - began < _PATIENCE:
        if select.select([terminal], [], [], 1.0)[0]:
            try:
                seen += os.read(terminal, 65536)
            except OSError:
                break
        if _DRAWN in seen:
            return time.monotonic() - began
    raise CommandFailed(f"the screen drew no list: {seen[-400:]!r}")


@contextmanager
def _emptied(terminal: int) -> Iterator[None]:
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


def _import(run: Run, python: str) -> float:
    with on_cores(run.lab.cores.relay | run.lab.cores.load):
        began = time.monotonic()
        env = environment(run.lab.folder)
        # With a pipe, which ends when the process does: waiting for an exit with a time-out polls, up to 50 ms apart.
        subprocess.run(
            [python, "-c", "import textual.app"], check=True, timeout=_PATIENCE, env=env, stdout=subprocess.PIPE
        )
        return time.monotonic() - began
