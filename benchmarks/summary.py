"""Samples of one run and what is said about them: median, least, most, and ratios paired by round."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["OURS", "Better", "Results", "Sample", "Series"]

OURS: Final = "tunnelui"
Better = Literal["higher", "lower"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one round.

    ``foreign``: cores that other programs kept busy meanwhile; ``busy``: share of the time that the relay was on a
    core. Each is ``None`` where it was not looked at.
    """

    round: int
    value: float
    foreign: float | None = None
    busy: float | None = None


@dataclass(slots=True)
class Series:
    """All samples of one *metric* of one *case*, by peer."""

    case: str
    metric: str
    unit: str
    better: Better
    samples: dict[str, list[Sample]] = field(default_factory=dict)

    def add(self, peer: str, sample: Sample) -> None:
        self.samples.setdefault(peer, []).append(sample)

    def values(self, peer: str) -> list[float]:
        return [sample.value for sample in self.samples.get(peer, ())]

    def median(self, peer: str) -> float | None:
        values = self.values(peer)
        return median(values) if values else None

    def ratio(self, peer: str, reference: str) -> float | None:
        """The median over the rounds that both took part in of *peer*'s value by *reference*'s."""
        mine = _by_round(self.samples.get(peer, ()))
        theirs = _by_round(self.samples.get(reference, ()))
        ratios = [mine[number] / theirs[number] for number in mine if theirs.get(number)]
        return median(ratios) if ratios else None

    def busy(self, peer: str) -> float | None:
        known = [sample.busy for sample in self.samples.get(peer, ()) if sample.busy is not None]
        return median(known) if known else None

    def to_json(self) -> dict[str, Any]:
        return {
            "case": self.case,
            "metric": self.metric,
            "unit": self.unit,
            "better": self.better,
            "peers": {
                peer: {
                    "median": self.median(peer),
                    "min": min(self.values(peer)),
                    "max": max(self.values(peer)),
                    "ratio": self.ratio(OURS, peer),
                    "busy": self.busy(peer),
                    "samples": [
                        {"round": one.round, "value": one.value, "foreign": one.foreign, "busy": one.busy}
                        for one in samples
                    ],
                }
                for peer, samples in self.samples.items()
            },
        }


def _by_round(samples: list[Sample] | tuple[()]) -> dict[int, float]:
    """One value for each round: the median where a round has several."""
    rounds: dict[int, list[float]] = {}
    for sample in samples:
        rounds.setdefault(sample.round, []).append(sample.value)
    return {number: median(values) for number, values in rounds.items()}


@dataclass(slots=True)
class Results:
    """Every series of a run in the order in which they began, and what went wrong."""

    series: list[Series] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def add(self, case: str, metric: str, unit: str, better: Better, peer: str, sample: Sample) -> None:
        found = self.find(case, metric)
        if found is None:
            found = Series(case, metric, unit, better)
            self.series.append(found)
        found.add(peer, sample)

    def find(self, case: str, metric: str) -> Series | None:
        return next((one for one in self.series if (one.case, one.metric) == (case, metric)), None)

    def foreign(self) -> list[float]:
        """How many cores other programs kept busy, for each sample that looked."""
        return [sample.foreign for sample in self._samples() if sample.foreign is not None]

    def _samples(self) -> Iterator[Sample]:
        for series in self.series:
            for samples in series.samples.values():
                yield from samples
