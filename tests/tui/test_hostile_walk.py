"""Hostile text in every field, on every screen that there is: drawn literally, cleaned, cut by cells.

The screens and the keys that lead to them are found by pressing every key, so that a new screen is walked, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from rich.cells import cell_len

from tests.support.every_screen import find_ways, go, screen_kinds
from tests.support.filled import filled
from tests.support.screens import LARGE, SMALL, Driven, drive
from tests.support.scripted_engine import ScriptedEngine
from tests.support.tunnel_scenes import NOW, hostile_tunnel
from tunnelui.engine.findings import Finding, Outcome
from tunnelui.engine.model import Event, ProfileSnapshot, State
from tunnelui.tui.lines.words import safe
from tunnelui.tui.screens.detail import DetailScreen
from tunnelui.tui.screens.log import LogScreen
from tunnelui.tui.screens.routes import RoutesScreen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.screen import Screen

LITERAL = ("[/foo] x", 'a=[x="y] z', "[link=http://x]y[/link]", "$ink [b]$live[/b] [1, 2")
"""Markup, of which nothing may be missing."""
TEXTS = [
    *LITERAL,
    "[@click=app.quit]click[/] \\[esc] " + "[red]" * 2000,
    "\x1b[31mred\x1b[0m\x1b]52;c;aGk=\x07\x9b31m\x90\x1bP",
    "\u202egnp.exe\u2066\u202dمرحبا بالعالم\u200f",
    "日本語のルート名" + "ｗｉｄｅ" * 30,
    "👩‍👩‍👧 e\u0301\u0301\u0301\u0301\u0301\u0301" + "a\u0300\u0301\u0302\u0303" * 40,
    "x" * 10_000,
    "",
    "two\nlines\tand a tab\r\U000e0041\ufeff\u2028\ud800",
]
TURNS: dict[object, Sequence[str]] = {DetailScreen: ["right_square_bracket"] * 4, LogScreen: ["w"]}
SHOW_NAMES = (RoutesScreen, DetailScreen, LogScreen)
Ways = dict["type[Screen[Any]]", tuple[str, ...]]
_found: Ways = {}


def _engine(text: str) -> ScriptedEngine:
    tunnel, identity = hostile_tunnel(text, State.RETRY)
    engine = ScriptedEngine([tunnel], [identity], profiles=[filled(ProfileSnapshot, text)], notes=[text])
    engine.findings = [filled(Finding, text, outcome=outcome) for outcome in Outcome]
    engine.past = [filled(Event, text, at=NOW), filled(Event, text, at=NOW, level="error")]
    return engine


async def _ways() -> Ways:
    if not _found:
        async with drive(_engine("word"), config_path="/word", log_path="/word") as driven:
            _found.update(await find_ways(driven))
    return _found


def _check(driven: Driven, size: tuple[int, int], where: str) -> None:
    assert driven.app.is_running and not driven.app._exit, where
    lines = driven.lines
    assert [cell_len(line) for line in lines] == [size[0]] * size[1], where
    assert all(character.isprintable() for line in lines for character in line), where
    assert driven.app._exception is None, where


@pytest.mark.timeout(400)
async def test_keys_lead_to_every_screen() -> None:
    """One that needs more than keys has to be walked by a test of its own: add it here with its name."""
    missing = {kind.__name__ for kind in screen_kinds()} - {kind.__name__ for kind in await _ways()}
    assert missing == set()


@pytest.mark.timeout(400)
@pytest.mark.parametrize("index", range(len(TEXTS)))
async def test_every_screen_draws_it_literally(index: int) -> None:
    text, size = TEXTS[index], (SMALL, LARGE)[index % 2]
    ways = await _ways()
    async with drive(_engine(text), size=size, config_path=text, log_path=text) as driven:
        for kind, way in ways.items():
            where = f"{kind.__name__} by {way}"
            await go(driven, way)
            _check(driven, size, where)
            if text in LITERAL and kind in SHOW_NAMES:
                assert safe(text) in driven.text, where
            await driven.engine.tell(filled(Event, text, at=NOW, level="warning"))
            driven.app.say(text, "error")
            driven.engine.note(text)
            await driven.settle()
            _check(driven, size, f"{where}, after news")
            for key in TURNS.get(kind, ()):
                await driven.press(key)
                _check(driven, size, f"{where}, {key}")


@pytest.mark.timeout(400)
async def test_every_screen_survives_every_size() -> None:
    ways = await _ways()
    async with drive(_engine("[/foo] x")) as driven:
        for kind, way in ways.items():
            await go(driven, way)
            for size in ((20, 6), (200, 60), (1, 1), SMALL):
                await driven.pilot.resize_terminal(*size)
                await driven.settle()
                assert driven.app._exception is None, f"{kind.__name__} at {size}"
