"""A key held down in the list of routes while hundreds of connections a second come and go on one of them: through a
real tunnel, TLS at both ends, with the agent and the screen as users have them."""

from __future__ import annotations

import json
import subprocess
import time
from contextlib import contextmanager
from functools import partial
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any, Final

from benchmarks.halves.ours import agent, screen_command, server
from benchmarks.lab import ECHO, Target, free_port
from benchmarks.processes import Child, CommandFailed, cpu_of_threads, cpu_seconds
from benchmarks.terminal import HeldKey, screen_on_terminal, until_drawn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from benchmarks.cases.run import Run
    from benchmarks.summary import Better

__all__ = ["CASE", "measure_crowd"]

CASE: Final = "a key held down, 2,000 routes"
_ROUTES: Final = 2000
_SIZE: Final = (36, 120)
_DRAWN: Final = (b"r-0001", b"Log: r-0000", b"Connections ")
_KEYS: Final = 30.0
"""A second, as keyboards repeat them."""
_WORKERS: Final = 40
_SETTLE: Final = 2.0
_DOWN: Final = b"j"
_FEWEST: Final = 10


def measure_crowd(run: Run) -> None:
    """Hold a key down at each pace in turn; each time on a screen of its own, with the same agent and server."""
    python = run.plan.pythons[0]
    port = free_port()
    cores = run.lab.cores
    with (
        server(run.lab, "crowd", cores.pair_load, python) as half,
        agent(run.lab, python, name="crowd-agent", routes=_routes(half.port, port), settings="") as env,
    ):
        pids = {"server": half.pid, "agent": _pid(python, env)}
        run.lab.load("rate", Target(port), cores=cores.pair_load, timeout=run.plan.timeout, workers=4, seconds=1.0)
        for number in range(run.plan.memory_rounds):
            for pace in run.plan.paces:
                peer = f"{pace:g} connections a second" if pace else "no connections"
                run.attempt(peer, partial(_measure, run, peer, number, pace, Target(port), env, pids))


def _measure(
    run: Run, peer: str, number: int, pace: float, target: Target, env: Mapping[str, str], pids: Mapping[str, int]
) -> None:
    def add(metric: str, unit: str, value: float, better: Better = "lower") -> None:
        run.add(CASE, metric, unit, better, peer, number, value)

    began, seconds, cores = time.monotonic(), run.plan.crowd_seconds, run.lab.cores.pair_load
    command = screen_command(run.plan.pythons[0])
    with screen_on_terminal(command, env, run.lab.folder, size=_SIZE, cores=cores) as (pid, terminal):
        until_drawn(terminal, began, _DRAWN)
        with _visits(run, target, pace, _SETTLE + seconds) as visits:
            with HeldKey(terminal, _DOWN, name="r", first=1, a_second=_KEYS, after=_SETTLE) as held:
                time.sleep(_SETTLE)
                before, since = _cpu(pid, pids), time.monotonic()
                time.sleep(seconds)
                used, since = _cpu(pid, pids), time.monotonic() - since
            said = visits()
    if held.unseen or len(held.seconds) < _FEWEST:
        raise CommandFailed(f"{held.unseen} of {held.unseen + len(held.seconds)} keys were never shown")
    add("until a key shows, p50", "ms", median(held.seconds) * 1000)
    add("until a key shows, p99", "ms", quantiles(held.seconds, n=100)[98] * 1000)
    for name in used:
        add(f"CPU, {name}", "ms/s", (used[name] - before[name]) / since * 1000)
    if said:
        if said["failed"]:
            raise CommandFailed(f"{said['failed']} of {said['count']} connections failed")
        add("connections", "1/s", said["count"] / said["seconds"], "higher")
        add("until a connection is open, p50", "ms", said["p50"])
        add("until a connection is open, p99", "ms", said["p99"])


@contextmanager
def _visits(run: Run, target: Target, pace: float, seconds: float) -> Iterator[Callable[[], Any]]:
    """Open and close *pace* connections a second, for *seconds*; give what returns what was reached, at the end."""
    if not pace:
        yield lambda: None
        return
    command = run.lab.load_command("rate", target, workers=_WORKERS, seconds=seconds, pace=pace)
    with Child("crowd-load", command, run.lab.folder, cores=run.lab.cores.pair_load, talk=True) as child:
        yield lambda: child.hear(run.plan.timeout)


def _cpu(screen: int, pids: Mapping[str, int]) -> dict[str, float]:
    """CPU seconds so far of each program."""
    return {"screen": cpu_of_threads(screen)} | {name: cpu_seconds([pid]) for name, pid in pids.items()}


def _pid(python: str, env: Mapping[str, str]) -> int:
    command = [python, "-m", "tunnelui", "agent", "status", "--json"]
    done = subprocess.run(command, env=dict(env), check=True, capture_output=True, timeout=30)
    return int(json.loads(done.stdout)["pid"])


def _routes(proxy: int, local: int) -> str:
    """Return a ``routes.toml``: one route to the endpoint that is up, and many others."""
    busy = f'''[[routes]]
name = "r-0000"
destination = "{ECHO}"
proxy_url = "https://localhost:{proxy}"
listen = "127.0.0.1:{local}"
autostart = true
'''
    others = (
        f'[[routes]]\nname = "r-{number:04}"\ndestination = "host-{number}.example.com:5432"\n'
        for number in range(1, _ROUTES)
    )
    return "\n".join((busy, *others))
