"""Memory of idle tunnels, and the CPU that they cost by being there. Every measurement is of a fresh process."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Final

from benchmarks.halves.registry import HAPROXY, Peer, Rig, Topology
from benchmarks.processes import Child, CommandFailed, memory

if TYPE_CHECKING:
    from benchmarks.cases.run import Run

__all__ = ["measure_idle", "name_of"]

_SETTLE: Final = 1.0
_FIRST: Final = 16


def name_of(topology: Topology, count: int) -> str:
    """Return the name of the case in tables."""
    return f"{topology}, {count:,} idle"


def measure_idle(run: Run, topology: Topology) -> None:
    """Hold each number of the plan open through each peer of *topology*."""
    for count in run.plan.idle:
        for number in range(run.plan.memory_rounds):
            for peer in run.peers(topology):
                if peer.name == HAPROXY and count > 4000:
                    continue  # its own cap on descriptors
                what = f"{name_of(topology, count)}: {peer.name}"
                run.attempt(what, partial(_measure, run, topology, peer, count, number))


def _measure(run: Run, topology: Topology, peer: Peer, count: int, number: int) -> None:
    with run.rigs([peer]) as rigs:
        for rig in rigs.values():
            _hold(run, name_of(topology, count), peer.name, rig, count, number)


def _hold(run: Run, case: str, peer: str, rig: Rig, count: int, number: int) -> None:
    plan = run.plan
    # A few tunnels first, so that what each worker makes once is not counted for each tunnel.
    first = run.lab.load_command("hold", rig.target, count=_FIRST)
    with Child(f"first-{count}-{number}", first, run.lab.folder, cores=run.lab.cores.load, talk=True) as opener:
        opener.hear(plan.timeout)
    time.sleep(_SETTLE)
    before = memory(rig.roots)
    command = run.lab.load_command("hold", rig.target, count=count)
    with Child(f"hold-{count}-{number}", command, run.lab.folder, cores=run.lab.cores.load, talk=True) as holder:
        if holder.hear(plan.timeout)["held"] != count:
            raise CommandFailed("not all tunnels were opened")
        time.sleep(_SETTLE)
        after = memory(rig.roots)
        with run.clock(rig) as clock:
            time.sleep(plan.idle_seconds)
        holder.tell("are they all alive?")
        if holder.hear(plan.timeout)["alive"] != count:
            raise CommandFailed("not all tunnels are alive")
    run.add(case, "memory", "KiB/tunnel", "lower", peer, number, (after.pss - before.pss) / 1024 / count, clock)
    # The load generator's own connection and the endpoint's are in this: it compares, and does not measure, one relay.
    kernel = (after.kernel - before.kernel) / 1024 / count
    run.add(case, "kernel, all ends", "KiB/tunnel", "lower", peer, number, kernel, clock)
    run.add(case, "process", "MiB", "lower", peer, number, before.pss / 2**20, clock)
    run.add(case, "CPU", "ms/s", "lower", peer, number, clock.cpu * 1e3 / clock.seconds, clock)
