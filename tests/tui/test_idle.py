"""Nothing is repainted when nothing changed, and little when little changed."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from textual.widget import Widget

from tests.support.screens import LARGE, SMALL, drive
from tests.support.scripted_engine import ScriptedEngine
from tests.support.tunnel_scenes import IDENTITY, many
from tunnelui.tui.widgets.route_list import RouteList


@pytest.fixture
def repaints(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts calls of `Widget.refresh` by class."""
    counted: Counter[str] = Counter()
    refresh = Widget.refresh

    def counting(self: Widget, *regions: Any, **options: Any) -> Widget:
        counted[type(self).__name__] += 1
        return refresh(self, *regions, **options)

    monkeypatch.setattr(Widget, "refresh", counting)
    return counted


@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize("keys", [[], ["enter"], ["L"], ["a"], ["question_mark"]])
async def test_an_idle_screen_repaints_nothing(repaints: Counter[str], size: tuple[int, int], keys: list[str]) -> None:
    async with drive(size=size) as driven:
        await driven.press(*keys)
        await driven.pilot.pause(0.3)
        repaints.clear()
        for _ in range(20):
            driven.app.poll()
        await driven.pilot.pause(1.2)  # the timer has come round twice
        assert not repaints


async def test_a_second_without_news_repaints_only_what_counts_down(repaints: Counter[str]) -> None:
    async with drive() as driven:
        await driven.wait(1)
        await driven.pilot.pause(0.2)
        repaints.clear()
        await driven.wait(1)
        assert dict(repaints) == {"RouteList": 1}  # the row that says: retry 7s


async def test_one_changed_row_among_many_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    async with drive(ScriptedEngine(many(2000), [IDENTITY])) as driven:
        await driven.pilot.pause(0.2)
        drawn: list[int] = []
        row_line = RouteList.row_line

        def counting(self: RouteList, index: int, width: int, *, selected: bool) -> Any:
            drawn.append(index)
            return row_line(self, index, width, selected=selected)

        monkeypatch.setattr(RouteList, "row_line", counting)
        driven.engine.change("route-0003", bytes_in=77)
        await driven.settle()
        assert drawn == [3]
        drawn.clear()
        driven.engine.change("route-1500", bytes_in=77)
        await driven.settle()
        assert drawn == []


async def test_two_thousand_rows_cost_no_more_than_twenty() -> None:
    """Not a benchmark: the number of lines made must not grow with the number of rows."""
    made: dict[int, int] = {}
    for count in (20, 2000):
        async with drive(ScriptedEngine(many(count), [IDENTITY])) as driven:
            routes = driven.app.screen.query_one(RouteList)
            calls = 0
            row_line = routes.row_line

            def counting(*arguments: Any, row_line: Any = row_line, **options: Any) -> Any:
                nonlocal calls
                calls += 1
                return row_line(*arguments, **options)

            routes.row_line = counting  # type: ignore[method-assign]  # counted for this test
            routes.refresh()
            await driven.settle()
            made[count] = calls
    assert made[2000] <= made[20] + 2
