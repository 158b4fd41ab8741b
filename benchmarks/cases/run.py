"""One run: its settings, its results, and the one way in which everything is measured."""

from __future__ import annotations

import os
import resource
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.halves.half import Missing
from benchmarks.halves.registry import OtherHalf, Peer, Rig, Topology, peers_of
from benchmarks.processes import CommandFailed, cpu_seconds
from benchmarks.summary import Better, Results, Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from benchmarks.lab import Lab

__all__ = ["Clock", "Plan", "Run"]

_TICK: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is done. Sizes in bytes, times in seconds.

    ``size``: one stream; ``many_size``: 64 streams together. ``idle``: the numbers of idle tunnels, ``idle_seconds``
    how long they are watched. ``sessions`` and ``routes``: what the look-ups look among. ``sequence``: connections
    one after the other; ``held``: those that stop half-way; ``paces``: how many a second come
    and go beside the screen, each for ``crowd_seconds``. ``round_trips`` in milliseconds. ``only``: names of peers to
    keep; all without.
    """

    rounds: int = 5
    size: int = 512 * 2**20
    many_size: int = 512 * 2**20
    seconds: float = 2.0
    memory_rounds: int = 2
    idle: tuple[int, ...] = (1000, 5000)
    idle_seconds: float = 60.0
    round_trips: tuple[float, ...] = (0.0, 20.0, 50.0, 150.0)
    connections: int = 10
    cold_starts: int = 5
    starts: int = 10
    sessions: int = 100_000
    routes: int = 10_000
    sequence: int = 10_000
    held: int = 300
    paces: tuple[float, ...] = (0.0, 100.0, 300.0, 1000.0)
    crowd_seconds: float = 10.0
    timeout: float = 120.0
    pythons: tuple[str, ...] = (sys.executable,)
    other: OtherHalf = OtherHalf.LOAD
    only: frozenset[str] = frozenset()

    def keeps(self, name: str) -> bool:
        """Whether a peer takes part; ours always does."""
        return not self.only or name.startswith("tunnelui") or any(word in name.lower() for word in self.only)


@dataclass(slots=True)
class Clock:
    """What one measurement cost: wall time, CPU time of the relay, and cores that foreign programs kept busy."""

    seconds: float = 0.0
    cpu: float = 0.0
    foreign: float = 0.0

    @property
    def busy(self) -> float:
        return self.cpu / self.seconds if self.seconds else 0.0


@dataclass
class Run:
    """See the module."""

    lab: Lab
    plan: Plan
    results: Results = field(default_factory=Results)
    tell: Callable[[str], None] = lambda text: None
    _missing: set[str] = field(default_factory=set)

    def peers(self, topology: Topology) -> list[Peer]:
        return [peer for peer in peers_of(topology, self.plan.pythons, self.plan.other) if self.plan.keeps(peer.name)]

    @contextmanager
    def rigs(self, peers: Sequence[Peer]) -> Iterator[dict[str, Rig]]:
        """Start all *peers*; those that are missing or do not start are noted and left out."""
        with ExitStack() as stack:
            started: dict[str, Rig] = {}
            for peer in peers:
                try:
                    started[peer.name] = stack.enter_context(peer.open(self.lab))
                except (Missing, CommandFailed) as error:
                    self.note(f"{peer.name} is left out: {error}")
            yield started

    @contextmanager
    def clock(self, rig: Rig, others: Sequence[Rig] = (), *load: int) -> Iterator[Clock]:
        """Measure what happens in the block.

        :param others: rigs that are up as well, whose CPU is not foreign.
        :param load: processes of load generators that outlive the block; likewise.
        """
        clock = Clock()
        own = {pid for each in (rig, *others) for pid in each.roots} | {self.lab.endpoint.pid, *load}
        cpu, everything, ours, began = cpu_seconds(rig.roots), _busy_seconds(), _own_seconds(own), time.monotonic()
        yield clock
        clock.seconds = time.monotonic() - began
        clock.cpu = cpu_seconds(rig.roots) - cpu
        foreign = (_busy_seconds() - everything) - (_own_seconds(own) - ours)
        clock.foreign = max(foreign, 0.0) / clock.seconds

    def add(
        self,
        case: str,
        metric: str,
        unit: str,
        better: Better,
        peer: str,
        number: int,
        value: float,
        clock: Clock | None = None,
    ) -> None:
        """Note one value of round *number*."""
        foreign, busy = (clock.foreign, clock.busy) if clock else (None, None)
        self.results.add(case, metric, unit, better, peer, Sample(number, value, foreign, busy))
        self.tell(f"{case:<28} round {number + 1}  {peer:<24} {metric} {value:.3f} {unit}")

    def note(self, problem: str) -> None:
        """Note what went wrong, once."""
        if problem not in self._missing:
            self._missing.add(problem)
            self.results.problems.append(problem)
            self.tell(problem)

    def attempt(self, what: str, measure: Callable[[], None]) -> None:
        """Run one measurement; a peer that fails is noted and does not end the run."""
        try:
            measure()
        except CommandFailed as error:
            self.note(f"{what} failed: {error}")


def _busy_seconds() -> float:
    """CPU time that all cores together have spent on work since boot."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    user, nice, system, _, _, irq, soft_irq = (int(field) for field in fields[:7])
    return (user + nice + system + irq + soft_irq) / _TICK


def _own_seconds(roots: set[int]) -> float:
    """CPU time of this program, the load generators that have ended, and *roots*."""
    usages = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return cpu_seconds(roots) + sum(usage.ru_utime + usage.ru_stime for usage in usages)
