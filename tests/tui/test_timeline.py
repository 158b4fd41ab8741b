"""Bars of stages: the scale, the signs, what sticks out, and the answer in words."""

from __future__ import annotations

import pytest

from tunnelui.engine.model import StageTimings
from tunnelui.tui.lines.timeline import bar, scale_of, sign_words, summary, total_of
from tunnelui.tui.style.glyphs import ASCII, UNICODE

USUAL = StageTimings(queue=0.0, dns=0.002, tcp=0.010, tls=0.020, connect=0.060, first_byte=0.008)
SIGNED_IN = StageTimings(queue=42.0, connect=0.060)


def _text(timings: StageTimings, scale: float, width: int) -> str:
    return "".join(text for text, _ in bar(timings, scale, width, UNICODE))


@pytest.mark.parametrize(
    ("totals", "scale"),
    [
        ([], 0.0),
        ([0.0], 0.0),
        ([0.1], 0.1),
        ([0.196, 0.1], 0.2),
        ([0.0007], 0.0008),
        ([0.41, 0.3], 0.5),
        ([3.2, 2.9, 3.0], 4.0),
        ([0.1, 0.12, 0.11, 42.0], 0.15),
        ([0.1, 42.0], 50.0),
    ],
)
def test_the_scale_is_round_and_leaves_out_what_is_far_off(totals: list[float], scale: float) -> None:
    assert scale_of(StageTimings(connect=total) for total in totals) == pytest.approx(scale)


def test_every_stage_begins_with_its_sign_and_is_as_long_as_its_share() -> None:
    text = _text(USUAL, 0.1, 50)
    assert text == "dt━━━━s━━━━━━━━━c" + "━" * 29 + "f━━━"
    assert len(text) == 50
    assert len(_text(USUAL, 0.2, 50)) == 25
    assert "".join(part for part, _ in bar(USUAL, 0.1, 20, ASCII)) == "t=s===c===========f="


def test_what_sticks_out_says_so_and_stays_within_the_width() -> None:
    assert _text(SIGNED_IN, 0.15, 20) == "q" + "━" * 18 + "…"
    assert _text(StageTimings(tcp=0.05, connect=0.2), 0.1, 20) == "t" + "━" * 9 + "c" + "━" * 8 + "…"


def test_the_shortest_connection_has_a_cell() -> None:
    assert _text(StageTimings(dns=1e-6, connect=1e-5), 1.0, 20) == "c"
    assert _text(StageTimings(), 1.0, 20) == ""
    assert _text(USUAL, 0.0, 20) == ""


@pytest.mark.parametrize("width", [4, 5, 17, 33, 60, 200])
@pytest.mark.parametrize("scale", [0.0501, 0.1, 0.11, 1.0])
def test_no_bar_is_wider_than_its_room(width: int, scale: float) -> None:
    for step in range(1, 40):
        timings = StageTimings(0.0001 * step, 0.001, 0.0007 * step, 0.002 * step, 0.0013 * step, 0.0001)
        assert len(_text(timings, scale, width)) <= width


def test_words_have_every_stage_and_break_where_the_room_ends() -> None:
    rows = ["".join(text for text, _ in row) for row in sign_words(USUAL, 60)]
    assert rows[0].startswith("q queue 0 ms   d dns 2.0 ms   t tcp 10 ms")
    assert all(len(row.rstrip()) <= 60 for row in rows)
    assert "f first byte 8.0 ms" in " ".join(rows)


def test_the_answer_in_words() -> None:
    assert total_of(USUAL) == pytest.approx(0.1)
    assert summary([USUAL]) == "100 ms, 1 connection; most of it connect, 60 ms."
    assert summary([USUAL, USUAL, SIGNED_IN]) == "100 ms, the median of 3 connections; most of it connect, 60 ms."
    assert summary([StageTimings()]) == "Nothing was measured yet."
