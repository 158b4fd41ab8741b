from __future__ import annotations

import pytest

from benchmarks.cases import traffic
from benchmarks.halves.registry import ENVOY, SSH, Topology
from benchmarks.musts import MUSTS, Verdict, judge
from benchmarks.summary import OURS, Results, Sample


def verdict_on(results: Results, what: str, reference: str) -> Verdict:
    return next(one for one in judge(results) if (one.must.what, one.must.reference) == (what, reference))


def measured(case: str, metric: str, ours: float, theirs: float, reference: str = ENVOY) -> Results:
    results = Results()
    results.add(case, metric, "", "higher", OURS, Sample(0, ours))
    results.add(case, metric, "", "higher", reference, Sample(0, theirs))
    return results


def test_nothing_is_met_that_was_not_measured() -> None:
    assert {verdict.word for verdict in judge(Results())} == {"not measured"}
    assert len(judge(Results())) == len(MUSTS)


@pytest.mark.parametrize(("ours", "word"), [(1.0, "aim met"), (0.9, "met"), (0.85, "met"), (0.84, "MISSED")])
def test_a_row_with_a_least_ratio(ours: float, word: str) -> None:
    results = measured(traffic.name_of(Topology.PAIR, "1 stream up"), "throughput", ours, 1.0)
    assert verdict_on(results, "throughput end to end, 1 stream", ENVOY).word == word


@pytest.mark.parametrize(("ours", "word"), [(1.0, "aim met"), (1.3, "met"), (1.31, "MISSED")])
def test_a_row_with_a_largest_ratio(ours: float, word: str) -> None:
    results = measured(traffic.name_of(Topology.PAIR, traffic.IDLE), "p50", ours, 1.0)
    assert verdict_on(results, "ping p50 end to end", ENVOY).word == word


def test_the_worst_of_several_cases_counts() -> None:
    results = measured(traffic.name_of(Topology.PAIR, "1 stream up"), "throughput", 3.0, 1.0, SSH)
    down = traffic.name_of(Topology.PAIR, "1 stream down")
    results.add(down, "throughput", "", "higher", OURS, Sample(0, 1.5))
    results.add(down, "throughput", "", "higher", SSH, Sample(0, 1.0))
    verdict = verdict_on(results, "throughput end to end, 1 stream", SSH)
    assert (verdict.ratio, verdict.where, verdict.word) == (1.5, down, "MISSED")


def test_every_row_names_cases_that_a_full_run_measures() -> None:
    """A name that nobody measures would be "not measured" for ever."""
    from benchmarks.cases import idle, round_trip, screen, start
    from benchmarks.cases.run import Plan

    parts = [*traffic.BULK, traffic.IDLE, traffic.BESIDE, traffic.RATE]
    names = {traffic.name_of(topology, part) for topology in Topology for part in parts}
    names |= {idle.name_of(topology, count) for topology in Topology for count in Plan().idle}
    names |= {round_trip.name_of(ms, how) for ms in Plan().round_trips for how in (round_trip.COLD, round_trip.USED)}
    names |= {start.CASE, *screen.PAINTS, screen.CHANGED, screen.STILL}
    assert {case for must in MUSTS for case in must.cases} <= names
