"""Cleaning of text from elsewhere."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunnelui.text import clean, without_query


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("", ""),
        ("plain text, [bold]markup[/]", "plain text, [bold]markup[/]"),
        ("é ß 漢字 ע", "é ß 漢字 ע"),
        ("a\tb\r\nc\nd", "a b  c d"),
        ("\x1b]0;pwn\x07", "\ufffd]0;pwn\ufffd"),
        ("\x9b31m", "\ufffd31m"),
        ("a\x00\x7f\x85b", "a\ufffd\ufffd\ufffdb"),
        ("abc\u202edef\u2066\u200f", "abc\ufffddef\ufffd\ufffd"),
        ("zero\u200bwidth\ufeff", "zero\ufffdwidth\ufffd"),
        ("line\u2028para\u2029", "line\ufffdpara\ufffd"),
        ("\ue000\U000e0041\ud800", "\ufffd\ufffd\ufffd"),
        ("👩\u200d💻", "👩\u200d💻"),
        (b"caf\xc3\xa9", "café"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"\x1b[31m", "\ufffd[31m"),
    ],
)
def test_what_could_drive_a_terminal_is_removed(text: str | bytes, cleaned: str) -> None:
    assert clean(text) == cleaned


def test_long_text_is_cut_and_marked() -> None:
    assert clean("a" * 200) == "a" * 200
    assert clean("a" * 201) == "a" * 199 + "…"
    assert clean("abcdef", 3) == "ab…"
    assert clean(b"a" * 10_000_000, 3) == "aa…"
    assert clean("漢".encode() * 201) == "漢" * 199 + "…"


@given(st.text() | st.binary(), st.integers(1, 50))
def test_no_control_character_survives_and_the_length_holds(text: str | bytes, limit: int) -> None:
    cleaned = clean(text, limit)
    assert len(cleaned) <= limit
    for character in cleaned.replace("\u200d", ""):
        assert unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert clean(cleaned, limit) == cleaned


@pytest.mark.parametrize(
    ("url", "short"),
    [
        ("", ""),
        ("https://idp.example.com", "https://idp.example.com"),
        ("https://idp.example.com/sign_in", "https://idp.example.com/sign_in"),
        ("https://idp.example.com/sign_in?state=S3CRET&x=1#y", "https://idp.example.com/sign_in?…"),
        ("https://idp.example.com#access_token=S3CRET", "https://idp.example.com?…"),
        ("https://idp.example.com?next=https://a/S3CRET", "https://idp.example.com?…"),
        ("https://alice:S3CRET@idp.example.com/@home", "https://idp.example.com/@home"),
        ("alice:S3CRET@idp.example.com/a://b", "idp.example.com/a://b"),
        ("?S3CRET", "?…"),
    ],
)
def test_an_address_in_a_log_has_no_query_and_no_password(url: str, short: str) -> None:
    assert without_query(url) == short
