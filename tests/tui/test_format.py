"""Numbers as words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunnelui.tui.lines.format import age, bytes_long, bytes_short, clock, duration, milliseconds, rate_long, rate_short


@pytest.mark.parametrize(
    ("value", "short", "long"),
    [
        (0, "0", "0 B"),
        (999, "999", "999 B"),
        (1000, "1.0K", "1.0 KB"),
        (1024, "1.0K", "1.0 KB"),
        (14_336, "14K", "14 KB"),
        (1_887_437, "1.8M", "1.8 MB"),
        (1023 * 1024, "1.0M", "1.0 MB"),
        (5 * 1024**3, "5.0G", "5.0 GB"),
        (9.97 * 1024, "10K", "10 KB"),
    ],
)
def test_bytes(value: float, short: str, long: str) -> None:
    assert (bytes_short(value), bytes_long(value)) == (short, long)


@given(st.floats(0, 900 * 1024.0**5))
def test_a_column_of_four_cells_holds_any_number_of_bytes(value: float) -> None:
    assert len(bytes_short(value)) <= 4


def test_rates() -> None:
    assert rate_short(320_000) == "312K/s"
    assert rate_long(320_000) == "312 KB/s"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-3, "0s"), (8.9, "8s"), (59, "59s"), (60, "1m00s"), (252, "4m12s"), (33_120, "9h12m"), (41 * 86_400, "41d")],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "-"), (0.00001, "0 ms"), (0.0004, "0.4 ms"), (0.0099, "10 ms"), (0.061, "61 ms"), (2.41, "2.4 s")],
)
def test_milliseconds(seconds: float | None, words: str) -> None:
    assert milliseconds(seconds) == words


def test_times_of_day() -> None:
    assert clock(1_790_000_000) == "14:13:20"
    assert clock(1_790_000_000, seconds=False) == "14:13"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-3, "<1m"), (0, "<1m"), (59.9, "<1m"), (60, "1m"), (3599, "59m"), (3600, "1h00m"), (8040, "2h14m"), (1e6, "11d")],
)
def test_an_age_changes_once_a_minute_at_most(seconds: float, words: str) -> None:
    assert age(seconds) == words
