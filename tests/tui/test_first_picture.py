"""What the first picture does not wait for, and that nothing of it is missing afterwards."""

from __future__ import annotations

import gc

import pytest
from textual.css.stylesheet import Stylesheet
from textual.widgets import Input

from tests.support.screens import LARGE, SMALL, drive
from tests.support.scripted_engine import ScriptedEngine
from tunnelui.cli.ui import show
from tunnelui.config.settings import Settings
from tunnelui.errors import ConfigError
from tunnelui.tui.app import TunnelApp
from tunnelui.tui.screens.base import LAYOUT
from tunnelui.tui.screens.question import Question
from tunnelui.tui.theme import LIGHT
from tunnelui.tui.widgets.late_bar import LateBar
from tunnelui.tui.widgets.tag_bar import TagBar
from tunnelui.tui.widgets.word_bar import WordBar


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
    monkeypatch.setattr(TunnelApp, "_read_layout", lambda self: None)
    async with drive() as driven:
        assert not driven.app.stylesheet.has_source(str(LAYOUT), "")
        driven.app.push_screen(Question("Really?", "Nothing is lost.", yes="Yes", no="No"))
        await driven.settle()
        assert driven.app.screen.query_one("#box").region.width == 56


async def test_bars_can_be_used_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LateBar, "on_mount", lambda self: None)
    async with drive() as driven:
        bar = driven.app.screen.query_one(WordBar)
        assert not bar.children
        await driven.press("slash", "d", "b")
        assert bar.query_one(Input).value == "db"
        assert len(bar.children) == 3


async def test_the_tag_bar_offers_the_known_tags_when_it_is_opened_first() -> None:
    async with drive(size=LARGE) as driven:
        await driven.press(*"jjjjjt")
        assert len(driven.app.screen.query_one(TagBar).children) == 3
        assert "lab db prod" in driven.lines[-1]


async def test_garbage_is_looked_for_again_though_there_was_no_picture() -> None:
    with pytest.raises(ConfigError):
        await show(ScriptedEngine(), settings=Settings(keys={"no.such-key": "x"}))
    assert gc.isenabled()
