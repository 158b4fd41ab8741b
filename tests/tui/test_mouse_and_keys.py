"""Everything by mouse alone, everything by keys alone, and any size on the way."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import anyio
import pytest
from rich.cells import cell_len
from textual.events import MouseScrollDown, MouseScrollUp
from textual.widgets import Input

from tests.support.screens import LARGE, SMALL, Driven, drive
from tests.support.scripted_engine import ScriptedEngine
from tests.support.tunnel_scenes import IDENTITY, URL, every_state, identity, many
from tunnelui.tui.keys.bindings import ROUTES
from tunnelui.tui.lines.rows import Column
from tunnelui.tui.screens.copy_as import CopyAs
from tunnelui.tui.screens.detail import DetailScreen
from tunnelui.tui.screens.help import HelpScreen
from tunnelui.tui.screens.question import Question
from tunnelui.tui.screens.routes import RoutesScreen
from tunnelui.tui.widgets.event_log import EventLog
from tunnelui.tui.widgets.route_list import RouteList

if TYPE_CHECKING:
    from textual.widget import Widget

SIZES = [SMALL, (100, 30), LARGE, (200, 60), (40, 10)]


async def _click_footer(driven: Driven, words: str) -> None:
    place = driven.lines[-1].index(words)
    await driven.pilot.click("#footer", offset=(place + 1, 0))
    await driven.settle()


async def _palette(driven: Driven, words: str, *, mouse: bool) -> None:
    """Run a command of the palette, opened by its key in the last line or by keyboard."""
    if mouse:
        await _click_footer(driven, "^p commands")
    else:
        await driven.press("ctrl+p")
    await driven.find_command(words)
    if mouse:
        await driven.pilot.click("CommandList", offset=(5, 1))
    else:
        await driven.press("enter")
    await driven.settle()


async def test_a_row_is_chosen_opened_and_left_by_mouse() -> None:
    async with drive() as driven:
        await driven.pilot.click(RouteList, offset=(10, 3))
        await driven.settle()
        assert driven.lines[5].startswith("▌◌ jump-ssh")
        await driven.pilot.double_click(RouteList, offset=(10, 3))
        await driven.settle()
        assert driven.shows(DetailScreen)
        place = driven.lines[-1].index("esc back")
        await driven.pilot.click("KeyFooter", offset=(place + 1, 0))
        await driven.settle()
        assert driven.shows(RoutesScreen)


async def test_starting_filtering_and_help_by_the_keys_in_the_last_line() -> None:
    async with drive() as driven:
        await driven.pilot.click(RouteList, offset=(10, 4))
        await _click_footer(driven, "space start/stop")
        assert driven.engine.requests == [("start", "kafka-1")]
        await _click_footer(driven, "/ filter")
        assert isinstance(driven.app.focused, Input)
        await driven.pilot.click(RouteList, offset=(10, 2))  # ends typing; the last line is back
        await driven.settle()
        await _click_footer(driven, "? help")
        assert driven.shows(HelpScreen)


@pytest.mark.parametrize(("words", "column"), [("STATE", Column.STATE), ("LOCAL", Column.LOCAL), ("IN", Column.IN)])
async def test_a_title_sorts_and_turns_round(words: str, column: Column) -> None:
    async with drive() as driven:
        routes = driven.app.screen.query_one(RouteList)
        place = driven.lines[2].index(f" {words}") + 1
        for reverse in (False, True):
            await driven.pilot.click(RouteList, offset=(place, 0))
            await driven.settle()
            assert (routes.how.order.column, routes.how.order.reverse) == (column, reverse)


async def test_the_buttons_of_a_question_by_mouse_and_by_keys() -> None:
    for button, answer in (("#no", False), ("#yes", True)):
        async with drive() as driven:
            await driven.press("d")
            assert driven.shows(Question)
            await driven.pilot.click(button)
            await driven.settle()
            assert driven.shows(RoutesScreen)
            assert bool(driven.engine.requests) == answer
        async with drive() as driven:
            await driven.press("d", *(["left"] if answer else []), "enter")
            assert driven.shows(RoutesScreen)
            assert bool(driven.engine.requests) == answer


async def test_the_wheel_scrolls_and_leaves_the_cursor_alone() -> None:
    async with drive(ScriptedEngine(many(200), [IDENTITY])) as driven:
        routes = driven.app.screen.query_one(RouteList)
        for _ in range(3):
            await driven.pilot._post_mouse_events([MouseScrollDown], RouteList)
        await driven.settle()
        down = routes.scroll_offset.y
        assert down > 0
        assert routes.cursor == 0
        await driven.pilot._post_mouse_events([MouseScrollUp], RouteList)
        await driven.settle()
        assert routes.scroll_offset.y < down


async def test_every_pane_takes_the_focus_by_a_click() -> None:
    async with drive(size=LARGE) as driven:
        await driven.pilot.click(EventLog, offset=(3, 1))
        await driven.settle()
        assert driven.app.focused is driven.app.screen.query_one("#log")
        await driven.pilot.click(RouteList, offset=(5, 2))
        await driven.settle()
        assert driven.app.focused is driven.app.screen.query_one(RouteList)


@pytest.mark.parametrize("mouse", [True, False])
async def test_the_palette_reaches_what_has_no_place_in_the_last_line(mouse: bool) -> None:
    async with drive(size=LARGE) as driven:
        await _palette(driven, "groups", mouse=mouse)
        assert driven.app.screen.query_one(RouteList).how.grouping.value == "tag"
        await driven.pilot.click(RouteList, offset=(5, 2))
        await _palette(driven, "Copy as", mouse=mouse)
        assert driven.shows(CopyAs)


async def test_every_key_of_the_list_is_in_the_palette() -> None:
    async with drive() as driven:
        offered = {command.title: command for command in driven.app.get_system_commands(driven.app.screen)}
        shown = [each.callback.args[0] for each in offered.values() if isinstance(each.callback, partial)]
        for binding in ROUTES:
            if not (binding.id or "").startswith("move."):
                assert binding.action in shown, binding.id
        for title, key in (("Delete", "d"), ("Undo", "u"), ("Log", "l"), ("All logs", "L"), ("Mark shown", "*")):
            assert offered[title].help.endswith(f"key {key}")


async def test_a_command_of_the_palette_has_one_row_with_its_group_and_key() -> None:
    one = many(1)[0]
    engine = ScriptedEngine([replace(one, route=replace(one.route, name="[red]x"))], [IDENTITY])
    async with drive(engine) as driven:
        await driven.press("ctrl+p")
        await _drawn(driven, "Stop all")
        rows = [row.split() for row in driven.lines]
        assert ["Start/stop", "Tunnels", "space"] in rows
        assert ["Delete", "Routes", "d"] in [row[:3] for row in rows]
        await driven.enter_text("to [red")
        await _drawn(driven, "Go to [red]x")
        row = next(row for row in driven.lines if "Go to [red]x" in row)
        assert row.split()[3:] == ["Route,", one.state]


async def _drawn(driven: Driven, words: str) -> None:
    """The palette gathers its rows in a task of its own."""
    with anyio.fail_after(20):
        while words not in driven.text:
            await driven.pilot.pause(0.05)


async def test_every_command_of_the_palette_has_a_name_of_its_own() -> None:
    async with drive() as driven:
        for key in ("escape", "L", "R"):
            await driven.press(key)
            titles = [command.title for command in driven.app.get_system_commands(driven.app.screen)]
            assert len(set(titles)) == len(titles)
            await driven.press("escape")


def _marks(driven: Driven) -> Widget:
    """The focus, which is on the screen and has cells."""
    focused = driven.app.focused
    assert focused is not None
    assert focused.is_attached
    assert focused.region.area
    return focused


@pytest.mark.parametrize(
    "keys", [[], ["b"], ["tab"], ["tab", "tab", "z"], ["slash", "d"], ["t"], ["d"], ["question_mark"]]
)
async def test_any_size_while_it_runs(keys: list[str]) -> None:
    """Every line is as wide as the terminal, nothing is left of the size before, and the focus can be seen."""
    async with drive(ScriptedEngine(many(60), [IDENTITY]), size=LARGE) as driven:
        await driven.press(*keys)
        for size in [*SIZES, *reversed(SIZES), LARGE]:
            await driven.pilot.resize_terminal(*size)
            await driven.settle()
            await driven.pilot.pause(0.05)
            assert [cell_len(line) for line in driven.lines] == [size[0]] * size[1], size
            if size != (40, 10):
                _marks(driven)
        if keys in ([], ["b"]):
            assert "┬" in driven.lines[1]
            async with drive(ScriptedEngine(many(60), [IDENTITY]), size=LARGE) as fresh:
                await fresh.press(*keys)
                assert [line.rstrip() for line in fresh.lines[:26]] == [line.rstrip() for line in driven.lines[:26]]


async def _click_on(driven: Driven, words: str) -> None:
    """Click on the first place where *words* stand on the screen."""
    y, text = next((y, text) for y, text in enumerate(driven.lines) if words in text)
    await driven.pilot.click(offset=(cell_len(text[: text.index(words)]), y))
    await driven.settle()


async def test_the_keys_below_the_list_and_on_its_bars_by_mouse() -> None:
    async with drive() as driven:
        await _click_on(driven, "try again")
        assert driven.engine.requests == [("restart", "billing-db")]
        await _click_on(driven, "details")
        assert driven.shows(DetailScreen)
        await _click_on(driven, "‹")
        assert driven.shows(RoutesScreen)
        await driven.press("slash", *"graf")
        await _click_on(driven, "keep")
        assert "filter graf" in driven.text and not driven.app.screen.has_class("-filtering")
        await driven.press("slash")
        await _click_on(driven, "esc clear")
        assert "filter" not in driven.lines[-4] and not driven.app.screen.has_class("-filtering")
        await driven.press("t", "p", "r")
        await driven.pilot.pause(0.1)
        await _click_on(driven, "tab complete")
        assert "prod" in driven.lines[-1]
        await _click_on(driven, "enter save")
        assert driven.engine.requests[-1] == ("change_routes", "grafana>grafana")
        await driven.press("t")
        await _click_on(driven, "cancel")
        assert driven.app.focused is driven.app.screen.query_one(RouteList)


@pytest.mark.parametrize(
    ("opens", "screen"),
    [("P", "Profiles"), ("L", "Log"), ("comma", "Settings"), ("R", "Discover"), ("I", "Import"), ("question_mark", "")],
)
async def test_the_sign_before_a_title_leads_back(opens: str, screen: str) -> None:
    async with drive() as driven:
        await driven.press(opens)
        assert screen in driven.lines[0] and not driven.shows(RoutesScreen)
        await driven.pilot.click(offset=(1, 0))
        await driven.settle()
        assert driven.shows(RoutesScreen)
        await driven.pilot.click(offset=(1, 0))
        await driven.settle()
        assert driven.shows(RoutesScreen)


@pytest.mark.parametrize("words", ["load the routes", "add one by hand", "import a file", "all keys"])
async def test_the_first_steps_by_mouse(words: str) -> None:
    async with drive(ScriptedEngine()) as driven:
        await _click_on(driven, words)
        assert not driven.shows(RoutesScreen)
        await driven.press("escape")
        assert driven.shows(RoutesScreen)


async def test_the_keys_of_a_sign_in_by_mouse() -> None:
    async with drive(ScriptedEngine(every_state(), [identity(sign_in=True)])) as driven:
        await driven.press("P")
        await _click_on(driven, "copies it")
        assert driven.app.clipboard == URL
        await _click_on(driven, "pastes the answer back")
        assert isinstance(driven.app.focused, Input)
        await driven.press("escape")
        await _click_on(driven, "cancels")
        assert driven.shows(Question)


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "120x36"])
async def test_a_click_on_the_count_of_troubles_shows_those_alone_and_another_one_all(size: tuple[int, int]) -> None:
    async with drive(size=size) as driven:
        assert "orders-db" in driven.text
        await _click_on(driven, "5 ▲")
        assert ":trouble" in driven.text
        shown = [name for name in ("jump-ssh", "grafana", "win-rdp", "billing-db", "vnc-lab") if name in driven.text]
        assert len(shown) == 5
        assert "redis-stage" not in driven.text
        await driven.press("j")
        await _click_on(driven, "5 ▲")
        assert "redis-stage" in driven.text


@pytest.mark.parametrize("size", [(80, 24), (60, 10), (40, 12), (33, 9), (20, 5)])
async def test_both_answers_of_a_question_are_in_sight_in_any_terminal(size: tuple[int, int]) -> None:
    async with drive(size=size) as driven:
        await driven.press("d")
        assert "Delete the route" in driven.text
        answers = next(line for line in driven.lines if "y Delete" in line)
        assert "n Keep" in answers
        await driven.pilot.resize_terminal(80, 24)
        await driven.settle()
        assert "u brings it back until you quit." in driven.text
