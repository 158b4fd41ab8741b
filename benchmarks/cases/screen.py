"""What the screen costs: the first picture, a look at the engine, a key of the filter, sitting still, a day of news."""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from benchmarks.halves.ours import agent, environment, screen_command
from benchmarks.lab import REPOSITORY
from benchmarks.processes import CommandFailed, cpu_of_threads, cpu_seconds, on_cores
from benchmarks.processes import run as run_command
from benchmarks.summary import OURS
from benchmarks.terminal import emptied, screen_on_terminal, until_drawn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from benchmarks.cases.run import Run

__all__ = [
    "BARE",
    "CHANGED",
    "FEW",
    "FILTER",
    "GROWTH",
    "IDLE",
    "IMPORT",
    "PAINTS",
    "STILL",
    "measure_pictures",
    "measure_screen",
]

_LARGE: Final = (36, 120)
_SMALL: Final = (24, 80)
PAINTS: Final = tuple(
    f"first picture{where}, {columns}x{rows}" for where in ("", " with an agent") for rows, columns in (_LARGE, _SMALL)
)
"""The screen alone on an engine that only tells, and ``tunnelui`` as users start it; each in a large terminal and a
small one."""
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
_DRAWN: Final = (b"NAME", b"route-00000", b" help")
"""Of the first picture: the head of the list, a row, the keys at the bottom."""
_PANES: Final = (*_DRAWN, b"Connections ", b"Log: ")
_BARE_DRAWN: Final = (b"NAME",)
_SETTLE: Final = 3.0


def measure_screen(run: Run) -> None:
    """Alternate between many routes and few; then watch the screen sit still, and a day of news."""
    python = run.plan.pythons[0]
    for number in range(run.plan.memory_rounds):
        for case, word in ((CHANGED, "tick"), (STILL, "still"), (FILTER, "filter")):
            for peer, routes in ((OURS, _MANY), (FEW, 20)):
                run.add(case, "CPU", "ms", "lower", peer, number, _probe(run, python, word, routes))
    with _screen(run, [python, _PROBE, "show", "100", "100"]) as (pid, _, _):
        time.sleep(_SETTLE)
        began, cpu = time.monotonic(), cpu_seconds([pid])
        time.sleep(max(run.plan.idle_seconds, 5.0))
        used = (cpu_seconds([pid]) - cpu) / (time.monotonic() - began)
    run.add(IDLE, "CPU", "%", "lower", OURS, 0, used * 100)
    times = run.plan.sequence
    more = _probe(run, python, "growth", 200, times)
    run.add(GROWTH, f"memory after {times:,}", "MiB more", "lower", OURS, 0, more)


def measure_pictures(run: Run) -> None:
    """Alternate between the screen, with an agent and without, the mere import and a bare application: the time from
    the start of the process to the whole first picture, and the CPU of all its threads until then.
    """
    python = run.plan.pythons[0]
    env = environment(run.lab.folder)
    shown = [python, _PROBE, "show", "20", "0"]
    with agent(run.lab, python, name="screen", routes=_routes(20)) as reached:
        for number in range(-1, run.plan.starts):  # the first one writes byte code
            imported = _import(run, python)
            pictures = [
                _picture(run, command, its_env, size, _PANES if size is _LARGE else _DRAWN)
                for command, its_env in ((shown, env), (screen_command(python), reached))
                for size in (_LARGE, _SMALL)
            ]
            bare = [_picture(run, [python, _BARE_PROBE], env, size, _BARE_DRAWN) for size in (_LARGE, _SMALL)]
            if number < 0:
                continue
            for case, ours, its in zip(PAINTS, pictures, bare * 2, strict=True):
                for peer, (seconds, cpu) in ((OURS, ours), (IMPORT, imported), (BARE, its)):
                    run.add(case, "time", "ms", "lower", peer, number, seconds * 1000)
                    run.add(case, "CPU", "ms", "lower", peer, number, cpu * 1000)


def _routes(count: int) -> str:
    """Return a ``routes.toml`` whose routes come up with the agent, on free ports, and carry nothing."""
    return "".join(
        f"""
[[routes]]
name = "route-{number:05}"
destination = "host-{number}.example.com:5432"
proxy_url = "https://127.0.0.1:9"
tags = ["team-{number % 20}"]
autostart = true
"""
        for number in range(count)
    )


def _picture(
    run: Run, command: Sequence[str], env: Mapping[str, str], size: tuple[int, int], drawn: Sequence[bytes]
) -> tuple[float, float]:
    """Return the seconds until everything in *drawn* was drawn, and the CPU seconds until then."""
    with _screen(run, command, env=env, size=size, drawn=drawn) as (_, seconds, cpu):
        return seconds, cpu


def _probe(run: Run, python: str, word: str, routes: int, count: int = 0) -> float:
    command = [python, _PROBE, word, str(routes), str(count)]
    env = environment(run.lab.folder)
    return float(run_command(command, cores=run.lab.cores.relay, timeout=2 * run.plan.timeout, env=env))


@contextmanager
def _screen(
    run: Run,
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    size: tuple[int, int] = _LARGE,
    drawn: Sequence[bytes] = _DRAWN,
) -> Iterator[tuple[int, float, float]]:
    """Run a screen on a terminal of its own; give its process, and the seconds and the CPU seconds until all of *drawn*
    was drawn.
    """
    env = env or environment(run.lab.folder)
    began = time.monotonic()
    cores = run.lab.cores.relay | run.lab.cores.load
    with screen_on_terminal(command, env, run.lab.folder, size=size, cores=cores) as (pid, terminal):
        seconds = until_drawn(terminal, began, drawn)
        cpu = cpu_of_threads(pid)
        with emptied(terminal):
            yield pid, seconds, cpu


def _import(run: Run, python: str) -> tuple[float, float]:
    """Return the seconds and the CPU seconds of a process that imports Textual's application."""
    with on_cores(run.lab.cores.relay | run.lab.cores.load):
        began = time.monotonic()
        command, env = [python, "-c", "import textual.app"], environment(run.lab.folder)
        with subprocess.Popen(command, env=env, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.read()  # ends with the process; waiting for an exit with a time-out polls, up to 50 ms apart
            seconds = time.monotonic() - began
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise CommandFailed(f"{command} ended with status {process.returncode}")
    return seconds, used.ru_utime + used.ru_stime
