"""What the first picture does not wait for, and that nothing of it is missing afterwards."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import pytest
from textual.css.stylesheet import Stylesheet
from textual.events import Key
from textual.widgets import Input

from tests.support.screens import LARGE, SMALL, drive, screen_lines
from tests.support.scripted_engine import ScriptedEngine
from tests.support.tunnel_scenes import IDENTITY, many
from tunnelui.cli.ui import show
from tunnelui.config.route import Route
from tunnelui.config.settings import Settings
from tunnelui.errors import ConfigError
from tunnelui.tui.app import TunnelApp
from tunnelui.tui.screens.base import LAYOUT
from tunnelui.tui.screens.question import Question
from tunnelui.tui.style.theme import LIGHT
from tunnelui.tui.widgets.route_list import RouteList
from tunnelui.tui.widgets.tag_bar import TagBar
from tunnelui.tui.widgets.word_bar import WordBar

if TYPE_CHECKING:
    from textual.screen import Screen


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows whenever all style sheets are read again."""
    read: list[str] = []
    reparse = Stylesheet.reparse

    def counting(self: Stylesheet) -> None:
        read.append("again")
        reparse(self)

    monkeypatch.setattr(Stylesheet, "reparse", counting)
    return read


_ALWAYS = ["ToastRack", "StatusBar", "Rule", "Horizontal", "RouteList"]
_PANES = ["ColumnRule", "DetailPanel", "LineView", "ConnectionList", "LineView", "Rule", "EventLog"]
_FOOT = ["Rule", "TroubleStrip", "Rule", "KeyFooter"]


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Grows by the lines of the screen whenever something is drawn."""
    drawn: list[list[str]] = []
    display = TunnelApp._display

    def keeping(self: TunnelApp, screen: Screen[Any], picture: Any) -> None:
        drawn.append(screen_lines(screen))
        display(self, screen, picture)

    monkeypatch.setattr(TunnelApp, "_display", keeping)
    return drawn


@pytest.mark.parametrize("size", [SMALL, (100, 30), LARGE, (160, 50)])
async def test_the_first_picture_is_whole(pictures: list[list[str]], size: tuple[int, int]) -> None:
    """No part of it comes later, and none is drawn at another place first."""
    async with drive(size=size) as driven:
        await driven.pilot.pause(0.2)
        assert pictures[0] == driven.lines
        assert "orders-db" in "".join(pictures[0])


@pytest.mark.parametrize("size", [SMALL, (100, 30), LARGE])
@pytest.mark.parametrize("spare", [-1, 0])
async def test_the_first_picture_has_the_scroll_bar(
    pictures: list[list[str]], size: tuple[int, int], spare: int
) -> None:
    room = size[1] - (14 if size != SMALL else 8)
    async with drive(ScriptedEngine(many(room - spare), [IDENTITY]), size=size) as driven:
        await driven.pilot.pause(0.2)
        assert driven.app.screen.query_one(RouteList).show_vertical_scrollbar == (spare < 0)
        assert pictures[0] == driven.lines


@pytest.mark.parametrize(("size", "parts"), [(SMALL, _ALWAYS + _FOOT), (LARGE, _ALWAYS + _PANES + _FOOT)])
async def test_the_first_picture_has_no_widget_that_is_not_in_sight(size: tuple[int, int], parts: list[str]) -> None:
    async with drive(size=size) as driven:
        await driven.pilot.pause(0.2)
        assert [type(widget).__name__ for widget in driven.app.screen.walk_children()] == parts


async def test_panes_come_with_the_room_for_them() -> None:
    async with drive() as driven:
        await driven.pilot.resize_terminal(*LARGE)
        await driven.settle()
        grown = driven.lines
        await driven.pilot.resize_terminal(*SMALL)
        await driven.settle()
        small = driven.lines
    async with drive(size=LARGE) as driven:
        assert grown == driven.lines
        await driven.pilot.resize_terminal(*SMALL)
        await driven.settle()
        assert small == driven.lines


async def test_the_first_route_and_the_last_one_change_what_is_there() -> None:
    async with drive(ScriptedEngine(), size=LARGE) as driven:
        assert "No routes yet." in driven.text
        await driven.engine.add_route(Route("only", "host.example.com:22"))
        await driven.settle()
        assert "No routes yet." not in driven.text
        assert "Connections 0" in driven.text
        await driven.engine.remove_route("only")
        await driven.settle()
        assert "No routes yet." in driven.text
        assert "Connections 0" not in driven.text


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_style_sheets_are_read_once_and_with_the_right_colours(
    readings: list[str], size: tuple[int, int]
) -> None:
    async with drive(size=size, theme_name="light") as driven:
        await driven.pilot.pause(0.2)
        assert driven.app.theme == LIGHT.name
        assert driven.app.screen.styles.background.hex == LIGHT.background.upper()  # type: ignore[union-attr]
        await driven.press("question_mark")
        assert not readings  # nor for another screen, whose layout has been read by now


async def test_another_theme_reads_them_again(readings: list[str]) -> None:
    async with drive() as driven:
        driven.app.theme = LIGHT.name
        await driven.settle()
        assert readings == ["again"]
        assert driven.app.screen.styles.background.hex == LIGHT.background.upper()  # type: ignore[union-attr]


async def test_a_screen_that_comes_before_the_layout_was_read_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TunnelApp, "read_layout", lambda self: None)
    async with drive() as driven:
        assert not driven.app.stylesheet.has_source(str(LAYOUT), "")
        driven.app.push_screen(Question("Really?", "Nothing is lost.", yes="Yes", no="No"))
        await driven.settle()
        assert driven.app.screen.query_one("#box").region.width == 56


async def test_bars_are_made_when_they_are_used_and_take_the_next_key() -> None:
    async with drive() as driven:
        assert not driven.app.screen.query("LateBar")
        await driven.press("slash", "d", "b")
        bar = driven.app.screen.query_one(WordBar)
        assert bar.query_one(Input).value == "db"
        assert len(bar.children) == 3
        assert driven.lines[-1].startswith(" /  db ")


async def test_a_key_right_after_the_first_picture_opens_a_bar_that_is_laid_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    typed = [Key("slash", "/"), Key("d", "d"), Key("b", "b")]
    display = TunnelApp._display

    def typing(self: TunnelApp, screen: Screen[Any], picture: Any) -> None:
        display(self, screen, picture)
        while typed:
            self.post_message(typed.pop(0))

    monkeypatch.setattr(TunnelApp, "_display", typing)
    async with drive() as driven:
        await driven.settle()
        assert not typed
        assert driven.lines[-1].startswith(" /  db ")
        assert len(driven.lines[0]) == SMALL[0]
        assert driven.app.screen.query_one(RouteList).region.height > 2


async def test_the_tag_bar_offers_the_known_tags_when_it_is_opened_first() -> None:
    async with drive(size=LARGE) as driven:
        await driven.press(*"jjjjjt")
        assert len(driven.app.screen.query_one(TagBar).children) == 3
        assert "lab db prod" in driven.lines[-1]


async def test_garbage_is_looked_for_again_though_there_was_no_picture() -> None:
    with pytest.raises(ConfigError):
        await show(ScriptedEngine(), settings=Settings(keys={"no.such-key": "x"}))
    assert gc.isenabled()
