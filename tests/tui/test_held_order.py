"""A list sorted by what changes does not move under the hands of somebody who moves in it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from tests.support.screens import SMALL, drive
from tests.support.scripted_engine import ScriptedEngine
from tests.support.tunnel_scenes import IDENTITY, many
from tunnelui.engine.model import State
from tunnelui.tui.lines.rows import Column
from tunnelui.tui.widgets.route_list import RouteList

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.screens import Driven

LONG, SHORT = 3600.0, 0.05


@pytest.fixture
def hold(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setattr(RouteList, "HOLD", request.param)


LONG_HOLD = pytest.mark.parametrize("hold", [LONG], indirect=True)
SHORT_HOLD = pytest.mark.parametrize("hold", [SHORT], indirect=True)
pytestmark = pytest.mark.usefixtures("hold")


@asynccontextmanager
async def sorted_by_state(count: int) -> AsyncIterator[tuple[Driven, RouteList]]:
    async with drive(ScriptedEngine(many(count), [IDENTITY]), size=SMALL) as driven:
        routes = driven.app.screen.query_one(RouteList)
        await driven.press("s")
        assert routes.how.order.column is Column.STATE
        yield driven, routes


def line_of_cursor(driven: Driven) -> tuple[int, str]:
    """The line of the screen where the cursor is, and the route there."""
    ((y, line),) = [(y, line) for y, line in enumerate(driven.lines) if line.startswith("▌")]
    return y, line.split()[1]


async def until_moved(driven: Driven, routes: RouteList, before: list[str]) -> None:
    """Wait until the rows are in another order."""
    while routes.names == before:
        await driven.pilot.pause(0.02)
    await driven.settle()


@LONG_HOLD
async def test_rows_rest_while_somebody_moves_and_show_what_they_are() -> None:
    async with sorted_by_state(10) as (driven, routes):
        await driven.press("j", "j", "j")
        before, cursor = routes.names, line_of_cursor(driven)
        driven.engine.change("route-0007", state=State.DENIED)
        driven.engine.change("route-0003", state=State.RETRY)
        await driven.settle()
        assert routes.names == before
        assert line_of_cursor(driven) == cursor
        assert [line.split()[2] for line in driven.lines if "route-000" in line[:20]][3:8:4] == ["retry", "denied"]
        await driven.press("j")
        assert line_of_cursor(driven) == (cursor[0] + 1, "route-0004")


@SHORT_HOLD
async def test_a_moment_later_they_go_where_they_belong_and_the_cursor_with_its_route() -> None:
    async with sorted_by_state(10) as (driven, routes):
        await driven.press("j", "j", "j")
        before = routes.names
        driven.engine.change("route-0007", state=State.DENIED)
        await driven.settle()
        await until_moved(driven, routes, before)
        assert routes.names[:2] == ["route-0007", "route-0000"]
        assert line_of_cursor(driven)[1] == "route-0003"
        assert routes.selected is not None
        assert routes.selected.route.name == "route-0003"


@SHORT_HOLD
async def test_the_cursor_stays_on_its_line_of_a_long_list() -> None:
    async with sorted_by_state(200) as (driven, routes):
        await driven.press("G", *"k" * 20)
        cursor, before = line_of_cursor(driven), routes.names
        for number in range(5):
            driven.engine.change(f"route-{number + 195:04}", state=State.DENIED)
        await driven.settle()
        await until_moved(driven, routes, before)
        assert routes.names[0] == "route-0195"
        assert line_of_cursor(driven) == cursor


@SHORT_HOLD
async def test_a_list_whose_cursor_is_out_of_sight_stays_where_it_was_scrolled_to() -> None:
    async with sorted_by_state(200) as (driven, routes):
        await driven.press("j")
        routes.scroll_to(y=90, animate=False)
        await driven.settle()
        before = routes.names
        driven.engine.change("route-0150", state=State.DENIED)
        await driven.settle()
        await until_moved(driven, routes, before)
        assert routes.scroll_offset.y == 90
        assert routes.selected is not None
        assert routes.selected.route.name == "route-0001"


@LONG_HOLD
async def test_a_second_key_reaches_the_same_route_though_the_filter_lets_it_through_no_more() -> None:
    async with sorted_by_state(10) as (driven, _):
        await driven.press("slash")
        await driven.enter_text(":ready")
        await driven.press("enter", "j", "space")
        assert driven.engine.requests[-1] == ("stop", "route-0001")
        assert line_of_cursor(driven)[1] == "route-0001"
        await driven.press("space")
        assert driven.engine.requests[-1] == ("start", "route-0001")


@SHORT_HOLD
async def test_a_row_that_leaves_hands_the_cursor_and_the_words_below_to_the_next_one() -> None:
    async with sorted_by_state(10) as (driven, routes):
        await driven.press("slash")
        await driven.enter_text(":ready")
        await driven.press("enter", "j", "space")
        while "route-0001" in routes.names:
            await driven.pilot.pause(0.02)
        await driven.settle()
        assert line_of_cursor(driven)[1] == "route-0002"
        assert driven.lines[-4].split()[0] == "route-0002"


@LONG_HOLD
async def test_nobody_who_moves_holds_nothing_up() -> None:
    async with drive(ScriptedEngine(many(10), [IDENTITY])) as driven:
        routes = driven.app.screen.query_one(RouteList)
        driven.app.screen.sort_by(Column.STATE)  # type: ignore[attr-defined]  # the routes
        driven.engine.change("route-0007", state=State.DENIED)
        await driven.settle()
        assert routes.names[0] == "route-0007"


@LONG_HOLD
async def test_another_order_is_made_at_once() -> None:
    async with sorted_by_state(10) as (driven, routes):
        await driven.press("j")
        driven.engine.change("route-0007", state=State.DENIED)
        await driven.settle()
        assert routes.names[0] == "route-0000"
        await driven.press("S")
        assert routes.names[-1] == "route-0007"
