"""What the measurements have to reach, and whether they did: each row is a ratio in one run, of medians over rounds.

Where a row speaks of several cases (both halves, both directions), the worst of them counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from benchmarks.cases import idle, round_trip, screen, start, traffic
from benchmarks.halves.registry import AES128, ASYNCSSH, ENVOY, SSH, STREAMS, Topology
from benchmarks.summary import OURS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.summary import Results

__all__ = ["MUSTS", "Must", "Verdict", "judge"]

_HALVES: Final = (Topology.CLIENT, Topology.SERVER)
_ONE: Final = ("1 stream up", "1 stream down", "1 stream both")
_MANY: Final = ("64 streams up", "64 streams down")


@dataclass(frozen=True, slots=True)
class Must:
    """One row. ``cases`` are names in the `Results`; the ratio is ours by the *reference*'s."""

    what: str
    cases: tuple[str, ...]
    metric: str
    reference: str
    bound: Literal["at least", "at most"]
    must: float
    aim: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """``ratio`` is the worst of the cases that were measured, at ``where``; ``None`` when none was."""

    must: Must
    ratio: float | None
    where: str

    @property
    def word(self) -> str:
        if self.ratio is None:
            return "not measured"
        if _reaches(self.must, self.ratio, self.must.aim):
            return "aim met"
        return "met" if _reaches(self.must, self.ratio, self.must.must) else "MISSED"


def _traffic(topologies: Iterable[Topology], parts: Iterable[str]) -> tuple[str, ...]:
    parts = tuple(parts)
    return tuple(traffic.name_of(topology, part) for topology in topologies for part in parts)


def _pair(*parts: str) -> tuple[str, ...]:
    return _traffic([Topology.PAIR], parts)


MUSTS: Final = (
    Must(
        "throughput, each half",
        _traffic(_HALVES, ("1 stream up", "1 stream down")),
        "throughput",
        ENVOY,
        "at least",
        0.90,
        1.0,
    ),
    Must("throughput end to end, 1 stream", _pair(*_ONE), "throughput", ENVOY, "at least", 0.85, 1.0),
    Must("throughput end to end, 64 streams", _pair(*_MANY), "throughput", ENVOY, "at least", 1.1, 1.4),
    Must("throughput end to end, 1 stream", _pair(*_ONE), "throughput", AES128, "at least", 1.2, 1.5),
    Must("throughput end to end, 1 stream", _pair(*_ONE), "throughput", SSH, "at least", 1.8, 2.5),
    Must("throughput end to end, 1 stream", _pair(*_ONE), "throughput", ASYNCSSH, "at least", 3.5, 5.0),
    Must("CPU seconds per GiB end to end", _pair(*_ONE, *_MANY), "CPU", ENVOY, "at most", 1.35, 1.1),
    Must("ping p50 end to end", _pair(traffic.IDLE), "p50", ENVOY, "at most", 1.3, 1.0),
    Must("ping p99 beside 8 streams, end to end", _pair(traffic.BESIDE), "p99", ENVOY, "at most", 1.2, 0.8),
    Must(
        "new tunnels per second, server half",
        _traffic([Topology.SERVER], [traffic.RATE]),
        "tunnels",
        ENVOY,
        "at least",
        0.95,
        1.2,
    ),
    Must(
        "new tunnels per second, client half",
        _traffic([Topology.CLIENT], [traffic.RATE]),
        "tunnels",
        STREAMS,
        "at least",
        1.6,
        3.0,
    ),
    Must(
        "new tunnels per second, client half",
        _traffic([Topology.CLIENT], [traffic.RATE]),
        "tunnels",
        ENVOY,
        "at least",
        0.4,
        1.0,
    ),
    Must(
        "memory per idle tunnel, each half",
        tuple(idle.name_of(topology, count) for topology in _HALVES for count in (1000, 5000)),
        "memory",
        ENVOY,
        "at most",
        0.5,
        0.4,
    ),
    Must(
        "new connection at 50 ms, lately used",
        (round_trip.name_of(50, round_trip.USED),),
        "time",
        round_trip.LINK,
        "at most",
        1.2,
        1.05,
    ),
    Must(
        "new connection at 50 ms, cold",
        (round_trip.name_of(50, round_trip.COLD),),
        "time",
        round_trip.LINK,
        "at most",
        3.3,
        3.1,
    ),
    Must("process start to first CONNECT byte", (start.CASE,), "time", start.IMPORTS, "at most", 1.6, 1.2),
    Must("process start to first picture", screen.PAINTS, "time", screen.IMPORT, "at most", 1.3, 1.2),
    Must("a look at 2,000 routes", (screen.CHANGED, screen.STILL), "CPU", screen.FEW, "at most", 1.5, 1.2),
)


def judge(results: Results) -> list[Verdict]:
    """Return a verdict on every row."""
    verdicts = []
    for must in MUSTS:
        found: list[tuple[float, str]] = []
        for case in must.cases:
            series = results.find(case, must.metric)
            ratio = series.ratio(OURS, must.reference) if series else None
            if ratio is not None:
                found.append((ratio, case))
        if not found:
            verdicts.append(Verdict(must, None, ""))
        else:
            ratio, where = min(found) if must.bound == "at least" else max(found)
            verdicts.append(Verdict(must, ratio, where))
    return verdicts


def _reaches(must: Must, ratio: float, bound: float) -> bool:
    return ratio >= bound if must.bound == "at least" else ratio <= bound
