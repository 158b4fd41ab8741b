"""Escape and another key within a tenth of a second, escapes in pasted text, and what a field makes of it."""

from __future__ import annotations

import sys
import time

import pytest
from textual.events import Key, Paste
from textual.widgets import Input

from tests.support.screens import drive
from tunnelui.tui.keys.terminal_input import TerminalInput
from tunnelui.tui.screens.help import HelpScreen
from tunnelui.tui.screens.routes import RoutesScreen


def _keys(text: str) -> list[str]:
    parser = TerminalInput()
    found = list(parser.feed(text))
    time.sleep(0.11)  # what Textual waits for the rest of a sequence
    return [one.key for one in (*found, *parser.tick()) if isinstance(one, Key)]


@pytest.mark.parametrize(
    ("typed", "keys"),
    [
        ("\x1b/x", ["escape", "slash", "x"]),
        ("\x1b?", ["escape", "question_mark"]),
        ("\x1b ", ["escape", "space"]),
        ("\x1b\r", ["escape", "enter"]),
        ("\x1b-", ["escape", "minus"]),
        ("\x1b", ["escape"]),
        ("\x1b\x1b", ["escape", "escape"]),
        # Taken apart later, where nothing is bound to them.
        ("\x1bj", ["alt+j"]),
        ("\x1bG", ["alt+shift+g"]),
        ("\x1bf", ["alt+f"]),
        ("\x1b1", ["alt+1"]),
        # Sequences, whole and in part.
        ("\x1b[A", ["up"]),
        ("\x1b[1;5C", ["ctrl+right"]),
        ("\x1b[", ["left_square_bracket"]),
    ],
)
def test_an_escape_is_not_lost(typed: str, keys: list[str]) -> None:
    assert _keys(typed) == keys


@pytest.mark.parametrize(
    ("reads", "pasted"),
    [
        (["\x1b[200~one\x1b[201~"], "one"),
        (["\x1b[200~a\x1b[31md\x1bX\x1b]0;t\x07q\x1b[201~"], "a[31mdX]0;t\x07q"),
        (["\x1b[200~a\x1b", "d\x1b[2", "00~\x1b[20", "1~"], "ad[200~"),
        (["\x1b[200~", "a" * 5000, "\x1b", "[201~"], "a" * 5000),
    ],
)
def test_pasted_text_presses_no_key(reads: list[str], pasted: str) -> None:
    parser = TerminalInput()
    found = [one for text in [*reads, "j"] for one in parser.feed(text)]
    assert [type(one) for one in found] == [Paste, Key]
    assert isinstance(found[0], Paste) and found[0].text == pasted


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("\n  \n ec\x07ho\nmore\r\n", " echo"),
        ("\n\n", ""),
        ("x" * 100_000, "x" * 200),
        ("قاعدة 日本 👩‍👩‍👧", "قاعدة 日本 👩👩👧"),
    ],
)
async def test_a_field_takes_one_line_as_far_as_there_is_room(text: str, taken: str) -> None:
    async with drive() as driven:
        await driven.press("slash")
        driven.app.post_message(Paste(text))
        await driven.settle()
        field = driven.app.screen.query_one("#filter Input", Input)
        assert (field.value, field.cursor_position) == (taken, len(taken))
        driven.app.post_message(Paste("a"))
        await driven.settle()
        assert field.value == (taken + "a")[:200]


async def test_the_screen_reads_its_keys_so() -> None:
    async with drive() as driven:
        modules = [vars(sys.modules[one.__module__]) for one in driven.app.driver_class.__mro__]
        assert [names["XTermParser"] for names in modules if "XTermParser" in names] == [TerminalInput]
        await driven.press("question_mark")
        assert driven.shows(HelpScreen)
        driven.app.post_message(Key("alt+f", "f"))  # in a field, a word on
        await driven.settle()
        assert driven.shows(HelpScreen)
        await driven.press("escape", "slash", "b")
        assert driven.app.screen.query_one("#filter Input", Input).value == "b"
        driven.app.post_message(Key("alt+b", "b"))
        await driven.press("d")
        assert driven.app.screen.query_one("#filter Input", Input).value == "db"
        await driven.press("enter", "enter")
        assert not driven.shows(RoutesScreen)
        driven.app.post_message(Key("alt+f", "f"))  # escape from the details, f on the list
        await driven.settle()
        assert driven.shows(RoutesScreen)
        assert driven.app.memory.now.how.favourites
