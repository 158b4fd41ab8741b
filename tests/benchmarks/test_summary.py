from __future__ import annotations

import pytest

from benchmarks.summary import OURS, Results, Sample


def results(values: dict[str, list[float]], case: str = "case", metric: str = "throughput") -> Results:
    made = Results()
    for peer, samples in values.items():
        for number, value in enumerate(samples):
            made.add(case, metric, "GiB/s", "higher", peer, Sample(number, value, foreign=0.5, busy=1.0))
    return made


def test_a_ratio_is_the_median_of_the_ratios_within_each_round() -> None:
    # A machine that slows down by the round: the medians say 30/20, every single round says 2.
    made = results({OURS: [80.0, 30.0, 2.0], "Envoy": [40.0, 20.0, 1.0]})
    series = made.find("case", "throughput")
    assert series is not None
    assert series.median(OURS) == 30.0
    assert series.ratio(OURS, "Envoy") == pytest.approx(2.0)


def test_rounds_that_one_of_both_missed_do_not_count() -> None:
    made = results({OURS: [1.0, 9.0]})
    made.add("case", "throughput", "GiB/s", "higher", "Envoy", Sample(1, 3.0))
    series = made.find("case", "throughput")
    assert series is not None
    assert series.ratio(OURS, "Envoy") == pytest.approx(3.0)
    assert series.ratio(OURS, "HAProxy") is None


def test_a_reference_of_nought_gives_no_ratio() -> None:
    series = results({OURS: [1.0], "Envoy": [0.0]}).find("case", "throughput")
    assert series is not None
    assert series.ratio(OURS, "Envoy") is None


def test_json_holds_every_sample_beside_what_is_made_of_them() -> None:
    series = results({OURS: [1.0, 3.0, 2.0], "Envoy": [2.0, 2.0, 2.0]}).series[0]
    ours = series.to_json()["peers"][OURS]
    assert (ours["median"], ours["min"], ours["max"]) == (2.0, 1.0, 3.0)
    assert [sample["value"] for sample in ours["samples"]] == [1.0, 3.0, 2.0]
    assert series.to_json()["peers"]["Envoy"]["ratio"] == pytest.approx(1.0)
