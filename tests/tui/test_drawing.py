"""What a key costs: the lines that are made for it, and the pictures. Lines that are kept look as if made anew."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from rich.segment import Segment
from textual.content import Content
from textual.style import Style

from tests.support.screens import LARGE, SMALL, drive
from tests.support.scripted_engine import ScriptedEngine
from tests.support.tunnel_scenes import IDENTITY, every_state, many
from tunnelui.engine.model import State
from tunnelui.tui.app import TunnelApp
from tunnelui.tui.lines.key_hints import clickable
from tunnelui.tui.lines.words import line
from tunnelui.tui.style.theme import LIGHT
from tunnelui.tui.widgets.event_log import EventLog
from tunnelui.tui.widgets.line_view import LineView, to_strip
from tunnelui.tui.widgets.plain_lines import PlainLines
from tunnelui.tui.widgets.route_list import RouteList
from tunnelui.tui.widgets.status_bar import StatusBar

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.screen import Screen
    from textual.strip import Strip

    from tests.support.screens import Driven

SIZES = pytest.mark.parametrize("size", [SMALL, LARGE])


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by the number of each row of the list that is made."""
    made: list[int] = []
    row_line = RouteList.row_line

    def counting(self: RouteList, index: int, width: int, *, selected: bool) -> Content:
        made.append(index)
        return row_line(self, index, width, selected=selected)

    monkeypatch.setattr(RouteList, "row_line", counting)
    return made


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Grows by whatever is drawn."""
    drawn: list[Any] = []
    display = TunnelApp._display

    def keeping(self: TunnelApp, screen: Screen[Any], picture: Any) -> None:
        if picture is not None:
            drawn.append(picture)
        display(self, screen, picture)

    monkeypatch.setattr(TunnelApp, "_display", keeping)
    return drawn


def of_many() -> ScriptedEngine:
    return ScriptedEngine(many(2000), [IDENTITY])


@SIZES
async def test_a_moved_cursor_makes_two_rows_and_one_picture(
    rows: list[int], pictures: list[Any], size: tuple[int, int]
) -> None:
    async with drive(of_many(), size=size) as driven:
        await driven.press("j")
        for _ in range(5):
            rows.clear()
            pictures.clear()
            await driven.press("j")
            cursor = driven.app.screen.query_one(RouteList).cursor
            assert sorted(rows) == [cursor - 1, cursor]
            assert len(pictures) == 1


@SIZES
async def test_a_list_that_scrolls_makes_no_row_but_the_one_that_comes_into_sight(
    rows: list[int], pictures: list[Any], size: tuple[int, int]
) -> None:
    async with drive(of_many(), size=size) as driven:
        routes = driven.app.screen.query_one(RouteList)
        await driven.press("G", "g", *"j" * (routes.page - 1))
        assert routes.scroll_offset.y == 0
        for _ in range(40):
            rows.clear()
            pictures.clear()
            await driven.press("j")
            assert sorted(rows) == [routes.cursor - 1, routes.cursor]
            assert len(pictures) == 1
        assert routes.scroll_offset.y == 40


async def test_a_key_that_is_held_down_shows_what_it_ends_on_and_not_each_on_the_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with drive(of_many(), size=LARGE) as driven:
        shown: list[str] = []
        show = EventLog.show

        def keeping(self: EventLog, events: Any, route: str = "", least: int = 0) -> None:
            shown.append(route)
            show(self, events, route, least)

        monkeypatch.setattr(EventLog, "show", keeping)
        routes = driven.app.screen.query_one(RouteList)
        for _ in range(50):
            routes.action_move(1)  # before anything else gets its turn
        await driven.settle()
        assert routes.selected is not None
        assert shown == [routes.selected.route.name]
        assert f"Log: {routes.selected.route.name}" in driven.text


async def test_the_line_above_is_not_made_for_a_row_of_the_same_person(monkeypatch: pytest.MonkeyPatch) -> None:
    async with drive(of_many(), size=LARGE) as driven:
        made: list[object] = []
        put = StatusBar._line

        def keeping(self: StatusBar, *arguments: Any) -> Content:
            made.append(arguments)
            return put(self, *arguments)

        monkeypatch.setattr(StatusBar, "_line", keeping)
        await driven.press("j", "j", "k")
        assert not made
        await driven.wait(60)  # what is left of the session
        assert made


async def test_a_row_that_changed_out_of_sight_is_shown_as_it_is_now() -> None:
    engine = of_many()
    async with drive(engine) as driven:
        routes = driven.app.screen.query_one(RouteList)
        await driven.press("G", "g")
        first = engine.state.tunnels[0]
        await driven.press(*"j" * (routes.page + 5))
        assert first.route.name not in driven.text
        engine.set(replace(first, state=State.DENIED), *engine.state.tunnels[1:])
        await driven.settle()
        await driven.press(*"k" * (routes.page + 5))
        (row,) = [each for each in driven.lines if first.route.name in each and "▌" in each]
        assert "denied" in row


async def test_the_row_under_the_cursor_that_changed_out_of_sight_is_shown_as_it_is_now() -> None:
    engine = of_many()
    async with drive(engine) as driven:
        routes = driven.app.screen.query_one(RouteList)
        first = engine.state.tunnels[0]
        routes.scroll_to(y=50, animate=False)
        await driven.settle()
        engine.set(replace(first, state=State.DENIED), *engine.state.tunnels[1:])
        await driven.settle()
        routes.scroll_to(y=0, animate=False)
        await driven.settle()
        (row,) = [each for each in driven.lines if first.route.name in each and "▌" in each]
        assert "denied" in row


def strips(driven: Driven) -> list[list[Segment]]:
    """What is on the screen, with all its styles."""
    return [list(strip.simplify()) for strip in driven.app.screen._compositor.render_strips()]


KEYS = ("j", "j", "k", "G", "g", "ctrl+d", "ctrl+u", "m", "asterisk", "escape", "s", "S", "b", "h", "f")
KEYS_OF_PANES = ("tab", "shift+tab", "z", "space")


@SIZES
@pytest.mark.parametrize("seed", range(2))
async def test_lines_that_are_kept_look_as_if_they_were_made_anew(size: tuple[int, int], seed: int) -> None:
    chance = random.Random(seed)
    tunnels = (*every_state(), *many(60))
    engine = ScriptedEngine(tunnels, [IDENTITY])
    async with drive(engine, size=size) as driven:
        for _ in range(15):
            await driven.press(chance.choice(KEYS if size == SMALL else KEYS + KEYS_OF_PANES))
            if chance.random() < 0.4:
                at = chance.randrange(len(tunnels))
                moved = replace(engine.state.tunnels[at], bytes_in=chance.randrange(10**9))
                engine.set(*engine.state.tunnels[:at], moved, *engine.state.tunnels[at + 1 :])
                await driven.wait(chance.choice((0, 0.5, 1)))
            kept = strips(driven)
            for widget in driven.app.screen.query(PlainLines):
                widget.forget_all()
            assert kept == strips(driven)


async def test_another_theme_reaches_the_lines_that_are_kept() -> None:
    pictures = []
    for begun_with in ("dark", "light"):
        async with drive(size=LARGE, theme_name=begun_with) as driven:
            await driven.press("j", "j", "k")
            driven.app.theme = LIGHT.name
            await driven.settle()
            pictures.append(strips(driven))
    assert pictures[0] == pictures[1]


WORDS: list[Callable[[], Content]] = [
    lambda: line(""),
    lambda: line("plain"),
    lambda: line(("styled", "bold $brand")),
    lambda: line("a ", ("styled", "$ink"), " and ", ("two", "$live on $bar"), ""),
    lambda: line(("at the end", "$ink"), (" of the line, and longer than there is room", "$muted")),
    lambda: clickable(line((" ", ""), ("a", "$ink"), ("key", "bold $brand")), "screen.help", 1, 3),
    lambda: Content("over each other").stylize("bold", 0, 8).stylize("$brand", 4, 12),
    lambda: Content("an end beyond the text").stylize("$brand", 3),
    lambda: Content("a style that is one").stylize(Style(bold=True), 2, 7),
]


@pytest.mark.parametrize("words", WORDS)
async def test_a_line_is_drawn_as_textual_draws_content(words: Callable[[], Content]) -> None:
    async with drive() as driven:
        widget = driven.app.screen.query_one(LineView)
        content, base = words(), widget.visual_style
        pieces = list(content.render(base, end="", parse_style=driven.app.stylesheet.parse_style))
        for width in (6, 40):
            strip: Strip = to_strip(content, width, base, widget)
            assert strip.cell_length == width
            whole = type(strip)([Segment(text, style.rich_style) for text, style in pieces])
            assert strip.simplify() == whole.adjust_cell_length(width, base.rich_style).simplify()
