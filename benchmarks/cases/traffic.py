"""Throughput, CPU for each GiB, ping and new tunnels per second, for each half and end to end.

All peers of a topology are up during all of it and idle while another is measured; the rounds go A B C, A B C, ...
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from benchmarks.halves.registry import AES128, ASYNCSSH, DIRECT, SSH, Rig, Topology
from benchmarks.processes import Child, CommandFailed

if TYPE_CHECKING:
    from benchmarks.cases.run import Run

__all__ = ["BESIDE", "BULK", "IDLE", "KINDS", "RATE", "measure_traffic", "name_of"]

BULK: Final = {"1 stream up": (1, "u"), "1 stream down": (1, "d"), "1 stream both": (1, "b")} | {
    "64 streams up": (64, "u"),
    "64 streams down": (64, "d"),
}
"""Name -> number of streams, and the load generator's op."""
IDLE: Final = "ping idle"
BESIDE: Final = "ping beside 8 streams"
RATE: Final = "new tunnels"
KINDS: Final = ("throughput", "ping", "rate")
_GIB: Final = 2**30
_SETTLE: Final = 0.2
"""Seconds after each measurement, in which its tunnels are closed."""
# One SSH connection carries all their channels: their rate of new ones compares with nothing here.
_NO_RATE: Final = (AES128, SSH, ASYNCSSH, DIRECT)

_Measure = Callable[["Run", str, str, Rig, list[Rig], int], None]


def name_of(topology: Topology, part: str) -> str:
    """Return the name of the case in tables."""
    return f"{topology}, {part}"


def measure_traffic(run: Run, topology: Topology, kinds: frozenset[str]) -> None:
    """Run the cases of *kinds* (out of `KINDS`)."""
    steps: list[tuple[str, _Measure]] = []
    if "throughput" in kinds:
        steps += [(part, partial(_bulk, streams=streams, op=op)) for part, (streams, op) in BULK.items()]
    if "ping" in kinds:
        steps += [(IDLE, _ping), (BESIDE, _ping_beside)]
    if "rate" in kinds:
        steps += [(RATE, _rate)]
    with run.rigs(run.peers(topology)) as rigs:
        for part, measure in steps:
            case = name_of(topology, part)
            for number in range(run.plan.rounds):
                for peer, rig in rigs.items():
                    if part == RATE and peer in _NO_RATE:
                        continue
                    others = [other for other in rigs.values() if other is not rig]
                    run.attempt(f"{case}: {peer}", partial(measure, run, case, peer, rig, others, number))
                    time.sleep(_SETTLE)


def _cores(run: Run, case: str) -> frozenset[int]:
    return run.lab.cores.pair_load if case.startswith(Topology.PAIR) else run.lab.cores.load


def _load(run: Run, case: str, mode: str, rig: Rig, **values: object) -> Any:
    return run.lab.load(mode, rig.target, cores=_cores(run, case), timeout=run.plan.timeout, **values)


def _bulk(run: Run, case: str, peer: str, rig: Rig, others: list[Rig], number: int, *, streams: int, op: str) -> None:
    size = run.plan.size if streams == 1 else run.plan.many_size // streams
    if op == "b":
        size //= 2
    command = run.lab.load_command("bulk", rig.target, streams=streams, op=op, size=size)
    with Child("bulk", command, run.lab.folder, cores=_cores(run, case), talk=True) as bulk:
        bulk.hear(run.plan.timeout)  # all streams are open
        with run.clock(rig, others, bulk.pid) as clock:
            bulk.tell("go")
            said = bulk.hear(run.plan.timeout)
    if not said["complete"]:
        raise CommandFailed("the streams did not end")
    gib = (said["up"] + said["down"]) / _GIB
    run.add(case, "throughput", "GiB/s", "higher", peer, number, gib / said["seconds"], clock)
    if rig.roots:
        run.add(case, "CPU", "s/GiB", "lower", peer, number, clock.cpu / gib, clock)


def _ping(run: Run, case: str, peer: str, rig: Rig, others: list[Rig], number: int) -> None:
    with run.clock(rig, others) as clock:
        said = _load(run, case, "ping", rig, seconds=run.plan.seconds)
    for quantile in ("p50", "p99"):
        run.add(case, quantile, "µs", "lower", peer, number, said[quantile], clock)


def _ping_beside(run: Run, case: str, peer: str, rig: Rig, others: list[Rig], number: int) -> None:
    """Eight streams, each as fast as it goes in both directions, begin before and end after the ping."""
    cores = _cores(run, case)
    seconds = run.plan.seconds + 1.0
    command = run.lab.load_command("bulk", rig.target, streams=8, op="b", seconds=seconds)
    with Child("beside", command, run.lab.folder, cores=cores, talk=True) as bulk:
        bulk.hear(run.plan.timeout)
        with run.clock(rig, others, bulk.pid) as clock:
            bulk.tell("go")
            time.sleep(0.5)
            said = _load(run, case, "ping", rig, seconds=run.plan.seconds)
            moved = bulk.hear(run.plan.timeout)
    for quantile in ("p50", "p99"):
        run.add(case, quantile, "µs", "lower", peer, number, said[quantile], clock)
    # A relay that starves the streams would be quick to answer.
    gib = (moved["up"] + moved["down"]) / _GIB
    run.add(case, "streams", "GiB/s", "higher", peer, number, gib / moved["seconds"], clock)


def _rate(run: Run, case: str, peer: str, rig: Rig, others: list[Rig], number: int) -> None:
    with run.clock(rig, others) as clock:
        said = _load(run, case, "rate", rig, workers=8, seconds=run.plan.seconds)
    if said["failed"]:
        run.note(f"{case}: {peer}: {said['failed']} of {said['failed'] + said['count']} tunnels failed")
    if not said["count"]:
        raise CommandFailed("no tunnel was opened")
    run.add(case, "tunnels", "1/s", "higher", peer, number, said["count"] / said["seconds"], clock)
    run.add(case, "p50", "ms", "lower", peer, number, said["p50"], clock)
    run.add(case, "CPU", "ms/tunnel", "lower", peer, number, clock.cpu * 1e3 / said["count"], clock)
