"""Every screen in every theme as it is drawn: contrast, and where the focus is, without colours and by keys alone.

The screens and the keys that lead to them are found by pressing every key, so that a new screen is measured, too.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from rich.cells import cell_len
from textual.color import Color
from textual.screen import ModalScreen
from textual.widgets import Button, Input

from tests.support.every_screen import find_ways, go, screen_kinds
from tests.support.screens import LARGE, SMALL, Driven, drive, screen_lines
from tests.support.scripted_engine import ScriptedEngine
from tests.support.tunnel_scenes import NOW, OFFER, PROFILES, PROXY, diagnosis, events, every_state, identity
from tests.tui.test_theme import GROUNDS, ORNAMENT, WORDS
from tunnelui.engine.model import Event
from tunnelui.tui.screens.help import entries_of
from tunnelui.tui.screens.profiles import ProfilesScreen
from tunnelui.tui.style.glyphs import CONSOLE
from tunnelui.tui.style.theme import DARK, THEMES
from tunnelui.tui.widgets.key_footer import KeyFooter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textual.binding import Binding
    from textual.geometry import Region
    from textual.screen import Screen
    from textual.widget import Widget

Plain = list[list[tuple[str, bool | None, bool | None, bool | None]]]
Ways = dict["type[Screen[Any]]", tuple[str, ...]]
_found: Ways = {}
COLOUR_NAMES = {*WORDS, *ORNAMENT, *GROUNDS, "chosen"}
FRAMES = frozenset("─│┌┐└┘├┤┬┴┼ ")
"""They part what stands apart anyway."""
SHAPES = frozenset("▁▂▃▄▅▆▇█▌▐━╸╺▔▕▏")
"""Graphs, bars and cursors: things that are seen as a shape."""
CONSOLE_FONTS = frozenset("─│┤├┬┴┌┐└┘→←↑↓▲▼▶◀█░▒•·■═║°±")
"""Beyond ASCII: what the kernel's own font and all fonts of Debian's console have in common."""


def _engine() -> ScriptedEngine:
    profiles = [replace(one, client_cert="/etc/me.pem") for one in PROFILES]  # so that its password can be asked for
    engine = ScriptedEngine(every_state(), [identity(sign_in=True)], profiles=profiles)
    engine.findings = [*diagnosis("connect")]
    engine.offers["corp", PROXY] = OFFER
    names = [tunnel.route.name for tunnel in engine.state.tunnels]
    engine.past = [*events(), *(Event("failed", NOW - 9, "refused", level="error", route=name) for name in names)]
    return engine


async def _ways() -> Ways:
    if not _found:
        async with drive(_engine()) as driven:
            _found.update(await find_ways(driven))
        assert set(_found) == screen_kinds()
    return _found


def _luminance(color: Color) -> float:
    parts = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in color.normalized]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def _contrast(one: Color, other: Color) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _drawn(driven: Driven) -> Iterator[tuple[str, str, str]]:
    """Yield each text on the screen, its colour and its ground as ``#rrggbb``; of a dialog what is in it alone."""
    screen = driven.app.screen
    inside: Region | None = screen.query_one("#box").region if isinstance(screen, ModalScreen) else None
    for y, strip in enumerate(screen._compositor.render_strips()):
        x = 0
        for segment in strip:
            begin, x = x, x + cell_len(segment.text)
            if segment.text.isspace() or not segment.text or (inside and not inside.contains(begin, y)):
                continue
            style = segment.style
            assert style is not None and style.color is not None and style.bgcolor is not None, segment
            assert not style.dim, segment
            pair = [Color.from_rich_color(each).hex.lower() for each in (style.color, style.bgcolor)]
            ink, ground = reversed(pair) if style.reverse else pair
            yield segment.text, ink, ground


def _least(text: str, theme: str) -> float:
    """WCAG 2: 4.5 to 1 for words (7 where the theme promises it), 3 to 1 for shapes, nothing for frames."""
    if FRAMES.issuperset(text):
        return 1.0
    return 3.0 if (FRAMES | SHAPES).issuperset(text) else 7.0 if theme == "contrast" else 4.5


@pytest.mark.timeout(400)
async def test_everything_that_is_drawn_stands_out_from_its_ground() -> None:
    """Every pair of colours on every screen, found in one theme by their names, and measured in all."""
    names = {value.lower(): name for name, value in reversed(DARK.variables.items()) if name in COLOUR_NAMES}
    pairs: dict[tuple[str, str], dict[float, str]] = {}
    ways = await _ways()
    for size in (SMALL, LARGE):
        async with drive(_engine(), size=size) as driven:
            for kind, way in ways.items():
                await go(driven, way)
                for text, ink, ground in _drawn(driven):
                    where = f"{kind.__name__}: {text.strip()!r}"
                    assert ink in names and ground in names, f"a colour without a name, {ink} on {ground}, in {where}"
                    pairs.setdefault((names[ink], names[ground]), {}).setdefault(_least(text, ""), where)
    assert len(pairs) > 20
    bad = []
    for theme in (each for each in THEMES if each != "ansi"):
        colours = THEMES[theme].variables
        for (ink, ground), kinds in pairs.items():
            for least, where in kinds.items():
                wanted = 7.0 if least == 4.5 and theme == "contrast" else least
                ratio = _contrast(Color.parse(colours[ink]), Color.parse(colours[ground]))
                if ratio < wanted:
                    bad.append(f"{theme}: {ink} on {ground}, {ratio:.2f}: {where}")
    assert bad == []


def _plain(driven: Driven) -> Plain:
    """The screen without its colours: what is left on paper."""
    return [
        [
            (segment.text, style.bold, style.reverse, style.underline)
            for segment in strip
            if (style := segment.style) is not None
        ]
        for strip in driven.app.screen._compositor.render_strips()
    ]


@pytest.mark.timeout(400)
@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "120x36"])
async def test_the_focus_is_seen_without_colours_and_tab_leads_to_all_that_can_have_it(
    monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    ways = await _ways()
    monkeypatch.setenv("NO_COLOR", "1")
    async with drive(_engine(), size=size, ascii_only=True) as driven:
        for kind, way in ways.items():
            await go(driven, way)
            screen = driven.app.screen
            for field in screen.query(Input):
                field.cursor_blink = False  # half of the time there is none to be seen
            driven.app.clear_notifications()  # they cover what is to be looked at, and go by themselves
            chain = screen.focus_chain
            screen.set_focus(None)
            await driven.settle()
            looks: dict[Widget | None, Plain] = {None: _plain(driven)}
            screen.set_focus(chain[0] if chain else None)
            for _ in chain:
                await driven.settle()
                looks[screen.focused] = _plain(driven)
                await driven.pilot.press("tab")
            assert set(chain) <= set(looks), kind.__name__
            for one, other in itertools.combinations(looks, 2):
                assert looks[one] != looks[other], f"{kind.__name__}: {one} or {other}?"


BY_A_CLICK_ANYWAY = {"app.focus_next", "app.focus_previous", "tab(1)", "tab(-1)"}
"""On what is to have the focus, and on the title of a page."""


def _by_mouse(screen: Screen[Any]) -> set[str]:
    """The actions that a click does, here or in the help that a click opens."""
    offered = {item.active.binding.action for footer in screen.query(KeyFooter) for item in footer._items}
    for strip in screen._compositor.render_strips():
        for segment in strip:
            if segment.style is not None and "@click" in segment.style.meta:
                offered.add(segment.style.meta["@click"].removeprefix("screen."))
    if screen.query(Button):
        offered |= {"answer(True)", "answer(False)"}
    if "help" in offered:
        offered |= {active.binding.action for entry in entries_of(screen) for _, active in entry.bound}
    if "command_palette" in offered:
        offered |= {binding.action for binding in _actions(screen) if (binding.id or "").partition(".")[0] != "move"}
    return offered


def _actions(screen: Screen[Any]) -> list[Binding]:
    return [active.binding for active in screen.active_bindings.values() if active.node is screen]


@pytest.mark.timeout(400)
async def test_everything_that_a_key_of_a_screen_does_a_click_does_too() -> None:
    ways = await _ways()
    async with drive(_engine()) as driven:
        for kind, way in ways.items():
            await go(driven, way)
            screen = driven.app.screen
            wanted = {binding.action for binding in _actions(screen) if (binding.id or "").partition(".")[1]}
            assert wanted, kind.__name__
            assert wanted - BY_A_CLICK_ANYWAY - _by_mouse(screen) == set(), kind.__name__


async def test_a_click_in_the_help_does_what_the_key_does() -> None:
    async with drive() as driven:
        await driven.press("question_mark")
        await _click(driven, "profiles")
        assert driven.shows(ProfilesScreen)
        await _click(driven, "? help")
        await _click(driven, "esc close")
        assert driven.shows(ProfilesScreen)


@pytest.mark.parametrize(("key", "words"), [("Y", "esc close"), ("T", "esc close"), ("question_mark", "esc close")])
async def test_a_dialog_is_left_by_a_click_on_its_last_line(key: str, words: str) -> None:
    async with drive() as driven:
        await driven.press(key)
        await _click(driven, words)
        assert len(driven.app.screen_stack) == 1


async def _click(driven: Driven, words: str) -> None:
    y, row = next((y, row) for y, row in enumerate(driven.lines) if words in row)
    await driven.pilot.click(offset=(row.index(words) + 1, y))
    await driven.settle()


@pytest.mark.timeout(400)
async def test_the_linux_console_is_asked_for_no_sign_that_its_fonts_lack(monkeypatch: pytest.MonkeyPatch) -> None:
    ways = await _ways()
    monkeypatch.setattr("tunnelui.tui.app.choose_glyphs", lambda _: CONSOLE)
    seen = set()
    async with drive(_engine(), size=LARGE, theme_name="ansi") as driven:
        for kind, way in ways.items():
            await go(driven, way)
            drawn = {sign for line in screen_lines(driven.app.screen) for sign in line if not sign.isascii()}
            assert drawn <= CONSOLE_FONTS, f"{kind.__name__}: {drawn - CONSOLE_FONTS}"
            seen |= drawn
    assert seen >= set("─┤├")
