"""Cells: cleaning, cutting, padding, wrapping."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.support.tunnel_scenes import HOSTILE
from tunnelui.tui.lines.words import cut, cut_middle, fit, line, pad, reason, safe, wrap, wrap_hard


def test_plain_text_is_left_alone() -> None:
    assert safe("orders-db") == "orders-db"


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_becomes_one_bounded_line_without_control_characters(text: str) -> None:
    shown = safe(text)
    assert len(shown) <= 200
    assert shown.isprintable()


def test_joiners_and_long_runs_of_marks_are_dropped() -> None:
    assert safe("👩\u200d👧") == "👩👧"
    assert safe("e\u0301\u0301\u0301\u0301") == "e\u0301\u0301"
    assert safe("❤\ufe0f") == "❤"


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [("abcdef", 6, "abcdef"), ("abcdef", 5, "abcd…"), ("日本語", 5, "日本…"), ("日本語", 4, "日…"), ("abc", 0, "")],
)
def test_cut_keeps_the_start(text: str, width: int, expected: str) -> None:
    assert cut(text, width) == expected


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("db.corp.example:5432", 20, "db.corp.example:5432"),
        ("db.corp.example:5432", 12, "db.cor…:5432"),
        ("db.corp.example:54321", 9, "db…:54321"),
        ("日本語:5432", 8, "日…:5432"),
        ("abcdefghij", 7, "abc…hij"),
        ("abcdefghij", 2, "a…"),
    ],
)
def test_middle_cut_keeps_both_ends_and_the_port(text: str, width: int, expected: str) -> None:
    assert cut_middle(text, width) == expected
    assert cell_len(expected) <= width


@given(st.text(max_size=60), st.integers(0, 40), st.booleans(), st.booleans())
def test_fit_is_exactly_as_wide_as_asked(text: str, width: int, right: bool, middle: bool) -> None:
    assert cell_len(fit(safe(text), width, right=right, middle=middle)) == width


@given(st.text(max_size=200), st.integers(1, 40), st.integers(0, 5))
def test_wrapped_rows_fit_and_are_bounded(text: str, width: int, limit: int) -> None:
    rows = wrap(safe(text), width, limit)
    assert len(rows) <= limit
    assert all(cell_len(row) <= max(width, 2) for row in rows)


@given(st.text(max_size=300), st.integers(2, 40))
def test_a_hard_wrap_loses_nothing(text: str, width: int) -> None:
    shown = safe(text, 1000)
    assert "".join(wrap_hard(shown, width)) == shown


def test_wrap_marks_what_it_leaves_out() -> None:
    assert wrap("one two three four", 9, 1) == ["one two …"]


def test_pad_to_the_right() -> None:
    assert pad("7", 3, right=True) == "  7"


def test_a_line_takes_markup_literally() -> None:
    assert line("[bold]", ("[/x]", "$live")).plain == "[bold][/x]"


def test_an_error_without_words_is_named_by_its_kind() -> None:
    assert reason(ValueError()) == "ValueError"
    assert reason(ValueError("no \x1b[31m")) == "no \ufffd[31m"
