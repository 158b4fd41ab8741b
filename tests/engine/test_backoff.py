from __future__ import annotations

import pytest

from tunnelui.engine.backoff import CONNECT_RETRIES, PORT_BACKOFF, Backoff, RetryRule


@pytest.mark.parametrize(("failures", "expected"), [(0, 1.0), (1, 1.0), (2, 2.0), (3, 4.0), (4, 5.0), (100_000, 5.0)])
def test_delay_doubles_up_to_the_ceiling(failures: int, expected: float) -> None:
    assert Backoff(first=1.0, ceiling=5.0).delay(failures, lambda: 0.5) == pytest.approx(expected)


def test_jitter_spreads_both_ways() -> None:
    backoff = Backoff(first=10.0, ceiling=10.0, jitter=0.2)
    assert backoff.delay(1, lambda: 0.0) == pytest.approx(8.0)
    assert backoff.delay(1, lambda: 0.999999) == pytest.approx(12.0, rel=1e-4)


def test_real_jitter_differs_between_calls() -> None:
    assert len({PORT_BACKOFF.delay(3) for _ in range(20)}) > 1


def test_rule_gives_up_after_its_retries() -> None:
    rule = RetryRule(Backoff(first=1.0, ceiling=1.0, jitter=0), retries=2, window=100.0)
    assert [rule.delay(n, 0.0) for n in (1, 2, 3)] == [1.0, 1.0, None]


def test_rule_gives_up_when_the_next_try_would_begin_outside_the_window() -> None:
    rule = RetryRule(Backoff(first=1.0, ceiling=1.0, jitter=0), retries=9, window=5.0)
    assert rule.delay(1, 4.0) == 1.0
    assert rule.delay(1, 4.1) is None


def test_refused_dials_are_tried_four_times_within_the_window() -> None:
    elapsed, tries = 0.0, 1
    while (wait := CONNECT_RETRIES.delay(tries, elapsed, lambda: 0.99)) is not None:
        elapsed += wait
        tries += 1
    assert tries == 4
    assert elapsed < 5.0
