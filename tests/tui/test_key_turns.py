"""Keys that arrive together: each does what it does when it is typed alone, in what the one before has opened."""

from __future__ import annotations

import pytest
from textual.events import Key, Paste
from textual.widgets import Input

from tests.support.screens import LARGE, SMALL, Driven, drive
from tests.support.scripted_engine import ScriptedEngine
from tests.support.tunnel_scenes import IDENTITY, many
from tunnelui.tui.app import TunnelApp
from tunnelui.tui.keys import key_turns
from tunnelui.tui.screens.detail import DetailScreen
from tunnelui.tui.screens.help import HelpScreen
from tunnelui.tui.screens.log import LogScreen
from tunnelui.tui.screens.question import Question
from tunnelui.tui.screens.route_form import RouteForm
from tunnelui.tui.screens.routes import RoutesScreen
from tunnelui.tui.widgets.route_list import RouteList
from tunnelui.tui.widgets.word_bar import WordBar

_NAMES = {
    "/": "slash",
    " ": "space",
    "?": "question_mark",
    "\r": "enter",
    "\x1b": "escape",
    ":": "colon",
    ".": "full_stop",
}


async def burst(driven: Driven, text: str) -> None:
    """Let all keys arrive in one read of the terminal."""
    for character in text:
        driven.app.post_message(Key(_NAMES.get(character, character), character if character.isprintable() else None))
    await driven.settle()


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "120x36"])
async def test_a_filter_typed_at_once_is_the_filter(size: tuple[int, int]) -> None:
    async with drive(size=size) as driven:
        await burst(driven, "/kafka")
        assert driven.app.screen.query_one(WordBar).query_one(Input).value == "kafka"
        assert driven.engine.requests == [], "no letter was taken for a command"
        assert "kafka-1" in driven.text
        assert "orders-db" not in "\n".join(driven.lines[:14])


async def test_a_filter_its_end_and_a_command_typed_at_once() -> None:
    async with drive() as driven:
        await burst(driven, "/kafka\r ")
        assert driven.engine.requests == [("start", "kafka-1")]
        assert not driven.app.screen.has_class("-filtering")


async def test_a_second_filter_typed_at_once_is_not_the_first_one_with_more() -> None:
    async with drive() as driven:
        await burst(driven, "/kafka\x1b/ssh")
        assert driven.app.screen.query_one(WordBar).query_one(Input).value == "ssh"


async def test_escape_and_a_letter_soon_after_it_are_two_keys() -> None:
    async with drive() as driven:
        await burst(driven, "/kafka")
        driven.app.post_message(Key("alt+j", "j"))
        await burst(driven, "")
        assert not driven.app.screen.has_class("-filtering")
        assert driven.app.screen.query_one("#filter Input", Input).value == ""
        assert driven.app.screen.query_one(RouteList).cursor > 0


async def test_a_letter_with_alt_that_something_is_bound_to_is_one_key() -> None:
    async with drive(keymap={"route.add": "alt+j"}) as driven:
        driven.app.post_message(Key("alt+j", "j"))
        await burst(driven, "")
        assert driven.shows(RouteForm)


async def test_what_is_looked_for_in_the_log_is_typed_at_once() -> None:
    async with drive() as driven:
        await burst(driven, "L/tunnel")
        assert driven.shows(LogScreen)
        assert driven.app.screen.query_one(WordBar).query_one(Input).value == "tunnel"


async def test_a_form_opened_and_filled_at_once() -> None:
    async with drive() as driven:
        await burst(driven, "adb.example.com")
        assert driven.shows(RouteForm)
        assert driven.app.screen.query_one("#destination", Input).value == "db.example.com"


async def test_tags_typed_at_once() -> None:
    async with drive() as driven:
        await burst(driven, "tattic\r")
        assert sum("attic" in tunnel.route.tags for tunnel in driven.app.view.snapshot.tunnels) == 1
        assert not driven.app.screen.has_class("-tagging")


async def test_a_question_asked_and_answered_at_once() -> None:
    async with drive() as driven:
        await burst(driven, "dn")
        assert driven.shows(RoutesScreen)
        await burst(driven, "d")
        assert driven.shows(Question)
        await burst(driven, "n\r\x1b")
        assert driven.shows(RoutesScreen)


async def test_help_is_searched_at_once() -> None:
    async with drive() as driven:
        await burst(driven, "?undo")
        assert driven.shows(HelpScreen)
        assert driven.app.screen.query_one(Input).value == "undo"


async def test_in_and_out_of_screens_at_once() -> None:
    async with drive() as driven:
        await burst(driven, "\r\x1bj\r\x1bj\r")
        assert driven.shows(DetailScreen)
        assert "redis-stage" not in driven.lines[0]
        before = driven.lines[0]
        await burst(driven, "\x1bk\r")
        assert driven.shows(DetailScreen)
        assert driven.lines[0] != before


async def test_text_pasted_behind_a_key_goes_where_the_key_leads() -> None:
    async with drive() as driven:
        driven.app.post_message(Key("slash", "/"))
        driven.app.post_message(Paste("kafka"))
        await burst(driven, "-")
        assert driven.app.screen.query_one(WordBar).query_one(Input).value == "kafka-"


async def test_hundreds_of_keys_at_once_all_count() -> None:
    async with drive(ScriptedEngine(many(400), [IDENTITY])) as driven:
        await burst(driven, "j" * 300)
        assert driven.app.screen.query_one(RouteList).cursor == 300


async def test_a_key_that_never_ends_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_turns, "_LONGEST", 0.05)
    monkeypatch.setattr(TunnelApp, "_send_marker", lambda *_: None)
    async with drive() as driven:
        for _ in range(4):
            driven.app.post_message(Key("j", "j"))
        while driven.app.screen.query_one(RouteList).cursor < 4:
            await driven.pilot.pause(0.02)


async def test_a_form_saved_and_the_next_key_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The save closes the screen while the key that asked for it is under way."""
    monkeypatch.setattr(key_turns, "_LONGEST", 1e9)
    async with drive() as driven:
        await burst(driven, "adb.internal:5432\r")
        await burst(driven, "?undo")
        assert driven.shows(HelpScreen)
        assert driven.app.screen.query_one(Input).value == "undo"
        assert ("add_route", "db") in driven.engine.requests
