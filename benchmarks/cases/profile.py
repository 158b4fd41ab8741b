"""Where a half's CPU time goes: the kernel, OpenSSL, the interpreter and what is built on it, the rest.

`perf` looks a thousand times a second where each process of the half is. It needs `linux-perf` and the right to look.
"""

from __future__ import annotations

import re
import signal
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from benchmarks.cases.traffic import BULK, RATE, name_of
from benchmarks.halves.half import Missing, program
from benchmarks.halves.registry import ENVOY, Rig, Topology
from benchmarks.processes import Child, CommandFailed, tree
from benchmarks.summary import OURS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.cases.run import Run

__all__ = ["PARTS", "measure_profiles", "parts_of"]

_WORK: Final = ("1 stream up", "1 stream down", RATE)
_PATIENCE: Final = 20.0
# What perf names after the sample's share: a library, a program, or the kernel in brackets.
_LINE: Final = re.compile(r"^\s*(\d+\.\d+)%\s+(\S+)", re.MULTILINE)
_PARTS: Final = {
    "kernel": re.compile(r"\[kernel|\[guest|\[vdso"),
    "OpenSSL": re.compile(r"lib(crypto|ssl)\b"),
    "Python": re.compile(r"libpython|^python|\.cpython-"),
    "C library": re.compile(r"lib(c|m)[.-]|ld-linux"),
}
_REST: Final = "the program itself"
PARTS: Final = (*_PARTS, _REST)
"""The names of all parts."""


@dataclass(frozen=True, slots=True)
class _Cost:
    """CPU *seconds* for each of *unit*, times *factor*."""

    amount: float
    unit: str
    factor: float = 1.0


def measure_profiles(run: Run) -> None:
    """Share the CPU time of each kind of work out, for our halves and Envoy's."""
    try:
        perf = program("perf")
    except Missing as error:
        run.note(f"no profile: {error}")
        return
    for topology in (Topology.CLIENT, Topology.SERVER):
        peers = [peer for peer in run.peers(topology) if peer.name in (OURS, ENVOY)]
        with run.rigs(peers) as rigs:
            for work in _WORK:
                for number in range(run.plan.rounds):
                    for peer, rig in rigs.items():
                        case = f"profile, {name_of(topology, work)}"
                        run.attempt(f"{case}: {peer}", partial(_measure, run, perf, case, work, peer, rig, number))


def _measure(run: Run, perf: str, case: str, work: str, peer: str, rig: Rig, number: int) -> None:
    data = run.lab.folder / "perf.data"
    with run.clock(rig) as clock, _looking(perf, rig, data):
        cost = _new_tunnels(run, rig) if work == RATE else _stream(run, rig, work)
    for part, share in parts_of(_report(perf, data)).items():
        value = clock.cpu * share * cost.factor / cost.amount
        run.add(case, part, cost.unit, "lower", peer, number, value, clock)


def _stream(run: Run, rig: Rig, work: str) -> _Cost:
    _, op = BULK[work]
    command = run.lab.load_command("bulk", rig.target, streams=1, op=op, size=run.plan.size)
    with Child("bulk", command, run.lab.folder, cores=run.lab.cores.load, talk=True) as bulk:
        bulk.hear(run.plan.timeout)
        bulk.tell("go")
        said = bulk.hear(run.plan.timeout)
    return _Cost((said["up"] + said["down"]) / 2**30, "s/GiB")


def _new_tunnels(run: Run, rig: Rig) -> _Cost:
    said = run.lab.load(
        "rate", rig.target, cores=run.lab.cores.load, timeout=run.plan.timeout, workers=8, seconds=run.plan.seconds
    )
    return _Cost(said["count"], "ms/tunnel", 1e3)


@contextmanager
def _looking(perf: str, rig: Rig, data: Path) -> Iterator[None]:
    pids = ",".join(map(str, tree(rig.roots)))
    # The CPU clock: virtual machines often have no counters.
    command = [perf, "record", "-q", "-F", "1000", "-e", "cpu-clock", "-o", str(data), "-p", pids]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as recorder:
        time.sleep(0.3)
        try:
            yield
        finally:
            recorder.send_signal(signal.SIGINT)
            _, words = recorder.communicate(timeout=_PATIENCE)
        if not data.exists():
            raise CommandFailed(f"perf: {words.strip()[-500:]}")


def _report(perf: str, data: Path) -> str:
    command = [perf, "report", "--stdio", "--no-children", "--sort", "dso", "-g", "none", "-i", str(data)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=_PATIENCE).stdout


def parts_of(report: str) -> dict[str, float]:
    """Return the share of each part, from 0 to 1, in what ``perf report --sort dso`` prints."""
    shares = dict.fromkeys(PARTS, 0.0)
    for percent, name in _LINE.findall(report):
        part = next((part for part, pattern in _PARTS.items() if pattern.search(name)), _REST)
        shares[part] += float(percent) / 100
    return shares
