"""Nothing piles up over a day: widgets, timers, workers and listeners.

The same with figures, and more often: ``python benchmarks/day_probe.py``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from tests.support.every_screen import screen_kinds
from tests.support.screens import LARGE, drive
from tests.support.tunnel_scenes import NOW, every_state, identity
from tests.support.ways import WAYS, count_things, engine_for_all, leave, quiet, walk
from tunnelui.engine.model import Event
from tunnelui.tui.screens.fault import FaultPanel
from tunnelui.tui.screens.routes import RoutesScreen
from tunnelui.tui.style.glyphs import ASCII, UNICODE
from tunnelui.tui.style.theme import THEMES

if TYPE_CHECKING:
    from collections import Counter

WARM_UP, ROUNDS = 2, 4


def _more(before: Counter[str], after: Counter[str], bound: int) -> dict[str, int]:
    return {name: count - before[name] for name, count in after.items() if count - before[name] > bound}


def test_there_is_a_way_to_every_screen() -> None:
    """One that is new: add the keys that lead there to `tests.support.ways`."""
    kinds = {kind.__name__ for kind in screen_kinds() | {FaultPanel}} - {RoutesScreen.__name__}
    assert kinds - WAYS.keys() == set()


@pytest.mark.timeout(400)
async def test_screens_dialogs_and_bars_that_were_left_leave_nothing_behind() -> None:
    """Each is opened and closed a few times: an object more each time would show as so many."""
    async with drive(engine_for_all(), size=LARGE) as driven:

        async def a_round() -> None:
            for name, way in WAYS.items():
                await walk(driven, way)
                on_top = type(driven.app.screen).__name__
                assert on_top == name or name.startswith("the "), name
                await leave(driven)
                driven.app.clear_notifications()

        for _ in range(WARM_UP):
            await a_round()
        before = count_things(driven)
        for _ in range(ROUNDS):
            await a_round()
        assert _more(before, count_things(driven), ROUNDS - 1) == {}
        driven.expected_faults = driven.app.faults


@pytest.mark.timeout(400)
async def test_connections_log_lines_sign_ins_and_looks_leave_nothing_behind() -> None:
    async with drive(engine_for_all()) as driven:

        async def a_while(times: int) -> None:
            known = len(driven.app.events)
            for number in range(times):
                live = number % 2 == 0
                tunnels = every_state()
                if not live:
                    tunnels = tuple(replace(one, connections=()) for one in tunnels)
                driven.engine.set(*tunnels, identities=[identity(sign_in=live)])
                await driven.engine.tell(Event("open", NOW + number, f"tunnel open in {number} ms", route="grafana"))
                driven.app.theme = list(THEMES.values())[number % len(THEMES)].name
                driven.app.use_glyphs(ASCII if number % 3 == 0 else UNICODE)
                driven.app.poll()
                await driven.pilot.pause()
            with anyio.fail_after(60):
                while len(driven.app.events) < known + times:  # a worker takes them in
                    await driven.settle()
            driven.app.clear_notifications()
            await quiet(driven)

        await a_while(12)
        before, kept = count_things(driven), len(driven.app.events)
        await a_while(30)
        assert _more(before, count_things(driven), 10) == {}
        assert len(driven.app.events) == kept + 30


async def test_the_log_is_bounded_however_much_happens() -> None:
    async with drive() as driven:
        await driven.press("L")
        many: list[Any] = [Event("open", NOW, "tunnel open in 5 ms", route="grafana")] * 3000
        for _ in range(4):
            for event in many:
                driven.app.events.add(event)
            driven.app.screen.show_events(many)  # type: ignore[attr-defined]  # the log screen is on top
            await driven.settle()
        assert len(driven.app.events) <= 6000
