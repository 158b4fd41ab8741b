"""What thousands of connections, one after the other, leave behind in the processes that carried them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.halves.registry import Topology
from benchmarks.processes import CommandFailed, memory, tree
from benchmarks.summary import OURS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.cases.run import Run
    from benchmarks.halves.registry import Rig

__all__ = ["CASE", "measure_growth"]

CASE: Final = "connections one after the other, both halves"
_WARM_UP: Final = 1000
_SETTLE: Final = 2.0
_PIECE: Final = 4.0


def measure_growth(run: Run) -> None:
    """Count memory and descriptors after a first thousand, and again after `Plan.sequence` more."""
    peers = [peer for peer in run.peers(Topology.PAIR) if peer.name == OURS]
    with run.rigs(peers) as rigs:
        for rig in rigs.values():
            _open(run, rig, _WARM_UP)
            before = _settled(rig.roots)
            count = _open(run, rig, run.plan.sequence)
            after = _settled(rig.roots)
            run.add(CASE, f"memory after {count:,} more", "MiB more", "lower", OURS, 0, (after[0] - before[0]) / 2**20)
            run.add(CASE, f"descriptors after {count:,} more", "more", "lower", OURS, 0, after[1] - before[1])


def _open(run: Run, rig: Rig, count: int) -> int:
    """Open at least *count* tunnels, one after the other, each with its content checked; return how many it were."""
    opened = 0
    while opened < count:
        cores, timeout = run.lab.cores.load, run.plan.timeout
        said = run.lab.load("rate", rig.target, cores=cores, timeout=timeout, workers=1, seconds=_PIECE)
        if said["failed"] or not said["count"]:
            raise CommandFailed(f"{said['failed']} tunnels failed")
        opened += said["count"]
    return opened


def _settled(roots: Iterable[int]) -> tuple[int, int]:
    """Pss in bytes and the number of descriptors, once the last connection is over."""
    time.sleep(_SETTLE)
    roots = tuple(roots)
    return memory(roots).pss, sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in tree(roots))
