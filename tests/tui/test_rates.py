"""Bytes per second from counters."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.tunnel_scenes import many
from tunnelui.engine.model import EngineSnapshot
from tunnelui.tui.rates import Rates, Series


def test_the_first_reading_tells_no_rate() -> None:
    series = Series()
    series.feed(10.0, 5_000_000)
    assert (series.rate, series.peak) == (0.0, 0.0)


def test_the_rate_is_the_growth_over_the_time_and_the_peak_stays() -> None:
    series = Series()
    for at, total in ((0.0, 0), (0.5, 1000), (1.0, 1500), (1.5, 1500)):
        series.feed(at, total)
    assert series.rate == 0.0
    assert series.peak == 2000.0
    assert list(series.history) == [1500.0]


def test_a_counter_that_starts_afresh_gives_no_negative_rate() -> None:
    series = Series()
    series.feed(0.0, 9000)
    series.feed(1.0, 10)
    assert series.rate == 0.0
    series.feed(2.0, 110)
    assert series.rate == 100.0


@pytest.mark.parametrize("pause", [0.49, 0.5, 0.7])
def test_one_short_burst_stays_in_the_history(pause: float) -> None:
    """Also where less than a second has passed when it is over: curl is done between two readings."""
    rates, tunnels = Rates(), many(2)
    rates.feed(0.0, EngineSnapshot(tunnels=tunnels))
    tunnels = (replace(tunnels[0], bytes_in=690), tunnels[1])
    for step in range(1, 6):
        rates.feed(step * pause, EngineSnapshot(tunnels=tunnels))
    down, _ = rates.of(tunnels[0].route.name)
    assert max(down.history) > 0
    assert sum(down.history) == pytest.approx(690, rel=0.6)


def test_two_readings_at_one_moment_change_nothing() -> None:
    series = Series()
    series.feed(0.0, 0)
    series.feed(1.0, 100)
    series.feed(1.0, 900)
    assert series.rate == 100.0


def test_the_history_is_one_minute_long() -> None:
    series = Series()
    for second in range(200):
        series.feed(float(second), second)
    assert len(series.history) == 60


def test_totals_are_sums_and_a_route_that_is_gone_is_forgotten() -> None:
    rates = Rates()
    one, other = many(2)
    rates.feed(0.0, EngineSnapshot(1, (one, other)))
    rates.feed(1.0, EngineSnapshot(2, (replace(one, bytes_in=100), replace(other, bytes_in=50, bytes_out=7))))
    assert (rates.down.rate, rates.up.rate) == (150.0, 7.0)
    assert not rates.quiet
    rates.feed(2.0, EngineSnapshot(3, (replace(one, bytes_in=100),)))
    assert rates.down.rate == 0.0
    assert rates.down.peak == 150.0
    assert rates.of(other.route.name)[0].peak == 0.0


@pytest.mark.parametrize("idle", [3, 61])
def test_quiet_only_once_the_history_is_flat_again(idle: int) -> None:
    rates = Rates()
    (one,) = many(1)
    rates.feed(0.0, EngineSnapshot(1, (one,)))
    rates.feed(1.0, EngineSnapshot(2, (replace(one, bytes_in=100),)))
    for second in range(2, 2 + idle):
        rates.feed(float(second), EngineSnapshot(2, (replace(one, bytes_in=100),)))
    assert rates.quiet is (idle > 60)
