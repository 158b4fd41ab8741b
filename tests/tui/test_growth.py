"""Nothing piles up over a day: widgets, timers, workers and listeners."""

from __future__ import annotations

import gc
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from textual.message_pump import MessagePump
from textual.screen import Screen
from textual.timer import Timer
from textual.worker import Worker

from tests.support.screens import Driven, drive
from tests.support.scripted_engine import ScriptedEngine
from tests.support.tunnel_scenes import NOW, OFFER, PROFILES, PROXY, diagnosis, events, every_state, identity
from tunnelui.engine.model import Event
from tunnelui.tui.glyphs import ASCII, UNICODE
from tunnelui.tui.theme import THEMES

COUNTED = (Screen, Timer, Worker, MessagePump)


def _engine() -> ScriptedEngine:
    engine = ScriptedEngine(every_state(), [identity(sign_in=True)], profiles=PROFILES)
    engine.findings = [*diagnosis("connect")]
    engine.offers["corp", PROXY] = OFFER
    engine.past = events()
    return engine


async def _count(driven: Driven) -> Counter[str]:
    """Return how many objects there are of each class that lives on a screen, and how many listen to the engine."""
    await driven.settle()
    await driven.pilot.pause(0.1)
    gc.collect()
    counted = Counter(type(each).__name__ for each in gc.get_objects() if isinstance(each, COUNTED))
    for passing in ("Toast", "ToastHolder"):  # they stay for their seconds, and until the next one comes
        del counted[passing]
    counted["what waits for bindings"] = sum(
        len(waiting) for waiting in driven.app.screen.bindings_updated_signal._subscriptions.values()
    )
    return counted


def _more(before: Counter[str], after: Counter[str], bound: int) -> dict[str, int]:
    return {name: count - before[name] for name, count in after.items() if count - before[name] > bound}


@pytest.mark.timeout(180)
async def test_connections_log_lines_sign_ins_and_looks_leave_nothing_behind() -> None:
    async with drive(_engine()) as driven:

        async def a_while(times: int) -> None:
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
            driven.app.clear_notifications()

        await a_while(12)
        before, kept = await _count(driven), len(driven.app.events)
        await a_while(30)
        assert _more(before, await _count(driven), 10) == {}
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
