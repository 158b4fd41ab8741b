"""The themes: contrast, choice, preview, and what is left without colours."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest
from textual.color import Color
from textual.command import CommandList

import tunnelui.tui
from tests.support.screens import SMALL, drive, screen_lines
from tests.support.scripted_engine import ScriptedEngine
from tests.support.tunnel_scenes import IDENTITY, every_state, many
from tunnelui.config.settings import THEME_NAMES, load_settings
from tunnelui.config.state_file import StateFile
from tunnelui.errors import ConfigError
from tunnelui.tui.app import TunnelApp
from tunnelui.tui.memory import Memory
from tunnelui.tui.screens.theme_choice import ThemeChoice
from tunnelui.tui.style.glyphs import COLOURS, CONSOLE
from tunnelui.tui.style.theme import ABOUT, DARK, LIGHT, THEMES, choose_theme
from tunnelui.tui.widgets.choice_list import ChoiceList

if TYPE_CHECKING:
    from textual.theme import Theme

WORDS = {"ink", "muted", "brand", *COLOURS.values()}
"""Colours of words."""
ORNAMENT = {"faint", "rule"}
GROUNDS = ("ground", "raised", "panel", "bar")
PAIRS = [(word, ground) for word in sorted(WORDS) for ground in GROUNDS] + [("ink", "chosen"), ("ground", "brand")]
"""Every colour of words on every ground that it may stand on."""
SOURCE = Path(tunnelui.tui.__file__).parent


def _luminance(color: Color) -> float:
    parts = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in color.normalized]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def _contrast(theme: Theme, one: str, other: str) -> float:
    high, low = sorted((_luminance(Color.parse(theme.variables[name])) for name in (one, other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(("word", "ground"), PAIRS)
@pytest.mark.parametrize("name", [name for name in THEMES if name != "ansi"])
def test_words_stand_out_from_their_ground(name: str, word: str, ground: str) -> None:
    """WCAG 2: 4.5 to 1 (AA), and 7 to 1 (AAA) for the theme that promises it."""
    theme = THEMES[name]
    assert _contrast(theme, word, ground) >= (7.0 if name == "contrast" else 4.5)


@pytest.mark.parametrize("name", [name for name in THEMES if name != "ansi"])
def test_the_bar_of_a_list_without_focus_can_be_seen(name: str) -> None:
    assert _contrast(THEMES[name], "faint", "bar") >= 3.0


def test_no_colour_is_used_that_is_not_measured() -> None:
    """The names in the sources are those above; a new one has to be added there."""
    known = {*WORDS, *ORNAMENT, *GROUNDS, "chosen"}
    for pattern, kind in ((r'"(?:bold |reverse )?\$([a-z-]+)', "*.py"), (r" \$([a-z-]+)", "*.tcss")):
        found = [
            (path.name, name)
            for path in SOURCE.rglob(kind)
            if path.name != "new_terminal.py"  # a script of the shell's
            for name in re.findall(pattern, path.read_text(encoding="utf-8"))
        ]
        assert len(found) > 20
        assert [one for one in found if one[1] not in known] == []


def test_every_theme_has_every_colour_a_name_and_words() -> None:
    assert list(THEMES) == list(THEME_NAMES) == list(ABOUT)
    assert len({frozenset(theme.variables) for theme in THEMES.values()}) == 1
    assert all(theme.name == f"tunnelui-{name}" for name, theme in THEMES.items())
    assert all(value.startswith("ansi_") for value in THEMES["ansi"].variables.values() if value != "bold")


@pytest.mark.parametrize(
    ("environ", "configured", "remembered", "expected"),
    [
        ({}, "", "", "dark"),
        ({}, "", "sand", "sand"),
        ({}, "", "gone", "dark"),
        ({}, "dusk", "sand", "dusk"),
        ({"TUNNELUI_THEME": "Light"}, "dusk", "sand", "light"),
        ({"TUNNELUI_THEME": ""}, "dusk", "", "dusk"),
        ({"TUNNELUI_THEME": "light", "NO_COLOR": "1"}, "dusk", "sand", "ansi"),
        ({"NO_COLOR": ""}, "", "", "dark"),
        ({"TERM": "linux"}, "", "", "ansi"),
        ({"TERM": "linux"}, "contrast", "", "contrast"),
        ({"TERM": "screen-256color"}, "", "", "dark"),
        ({"TERM": "tmux-256color"}, "", "", "dark"),
    ],
)
def test_what_decides(environ: dict[str, str], configured: str, remembered: str, expected: str) -> None:
    assert choose_theme(environ, configured, remembered) == expected


def test_a_terminal_with_few_colours_gets_its_own_unless_another_theme_was_chosen() -> None:
    assert choose_theme({"TERM": "xterm"}, few_colours=True) == "ansi"
    assert choose_theme({"TERM": "xterm"}, "dusk", few_colours=True) == "dusk"
    assert choose_theme({"TERM": "xterm", "TUNNELUI_THEME": "light"}, few_colours=True) == "light"


def test_a_wrong_name_is_told_with_its_place_and_the_names_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        choose_theme({"TUNNELUI_THEME": "lihgt"})
    assert str(caught.value) == "TUNNELUI_THEME: there is no theme “lihgt”; did you mean “light”?"
    assert caught.value.hint == "There are: dark, light, dusk, sand, contrast, ansi."
    file = tmp_path / "config.toml"
    file.write_text('warm = 1\ntheme = "nope"\n')
    with pytest.raises(ConfigError, match="one of dark, light, dusk, sand, contrast, ansi") as caught:
        load_settings(file)
    assert caught.value.place == f"{file}:2"
    file.write_text("theme = 3\n")
    with pytest.raises(ConfigError):
        load_settings(file)
    file.write_text('theme = "sand"\n')
    assert load_settings(file).theme == "sand"


def test_the_theme_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNNELUI_THEME", "light")
    assert TunnelApp(ScriptedEngine()).theme == LIGHT.name
    assert TunnelApp(ScriptedEngine(), theme_name="dusk").theme == THEMES["dusk"].name


async def test_each_theme_shows_as_the_cursor_comes_to_it_and_esc_goes_back() -> None:
    async with drive() as driven:
        driven.app.action_choose_theme()
        await driven.settle()
        assert driven.shows(ThemeChoice)
        for name in list(THEMES)[1:]:
            await driven.press("down")
            assert driven.app.theme == THEMES[name].name
        await driven.press("escape")
        assert driven.app.theme == DARK.name
        assert driven.app.memory.now.theme == ""


async def test_a_theme_is_kept_by_enter_by_its_number_and_by_a_click_from_the_palette() -> None:
    async with drive() as driven:
        await driven.press("colon")
        await driven.find_command("theme")
        await driven.press("enter")
        await driven.settle()
        assert driven.shows(ThemeChoice)
        await driven.press("down", "down", "enter")
        assert driven.app.theme == THEMES["dusk"].name
        assert driven.app.memory.now.theme == "dusk"
        driven.app.action_choose_theme()
        await driven.settle()
        await driven.press("4")
        assert driven.app.memory.now.theme == "sand"
        driven.app.action_choose_theme()
        await driven.settle()
        await driven.pilot.click(ChoiceList, offset=(6, 4))
        await driven.settle()
        assert driven.app.memory.now.theme == "contrast"
        assert driven.app.theme == THEMES["contrast"].name


async def test_a_remembered_theme_is_there_at_the_start(tmp_path: Path) -> None:
    file = tmp_path / "screen.json"
    file.write_text('{"theme": "sand"}')
    async with drive(memory=Memory(StateFile(file))) as driven:
        assert driven.app.theme == THEMES["sand"].name


@pytest.mark.parametrize("keys", [[], ["d"], ["Y"], ["enter"], ["question_mark"], ["a"], ["L"], ["P"]])
async def test_no_color_sends_no_colour_at_all_and_the_cursor_can_be_seen(
    monkeypatch: pytest.MonkeyPatch, keys: list[str]
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with drive() as driven:
        await driven.press(*keys)
        for strip in driven.app.screen._compositor.render_strips():
            for segment in strip.apply_filter(driven.app._filters[-1], Color.parse("black")):
                for color in (segment.style.color, segment.style.bgcolor) if segment.style else ():
                    assert color is None or color.is_default, segment
        if not keys:
            assert driven.lines[3].startswith("▌")


async def test_without_colours_the_chosen_command_of_the_palette_can_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with drive() as driven:
        await driven.press("ctrl+p", "down")
        commands = driven.app.screen.query_one(CommandList)
        with anyio.fail_after(20):
            while not commands.option_count:
                await driven.pilot.pause(0.05)
        told = [
            any(segment.style is not None and segment.style.underline for segment in commands.render_line(row))
            for row in range(4)
        ]
        assert told.count(True) == 1
        assert told[commands.highlighted or 0]


async def test_quotation_marks_in_words_are_ascii_too_but_names_are_as_people_gave_them() -> None:
    route = replace(every_state()[0].route, name="étude")
    async with drive(ScriptedEngine([replace(every_state()[0], route=route)], [IDENTITY]), ascii_only=True) as driven:
        assert "étude" in driven.lines[3]
        await driven.press("slash")
        await driven.enter_text("zzz")
        assert 'No route fits "zzz".' in driven.text
        assert driven.text.isascii()
        driven.app.action_settings()
        await driven.settle()
        assert driven.text.isascii()


@pytest.mark.parametrize("keys", [[], ["d"], ["Y"], ["y"], ["enter"], ["question_mark"], ["a"], ["colon"], ["t"]])
async def test_ascii_is_ascii_with_scroll_bars_dialogs_toasts_and_the_palette(keys: list[str]) -> None:
    async with drive(ScriptedEngine(many(100), [IDENTITY]), size=SMALL, ascii_only=True) as driven:
        await driven.press(*keys)
        await driven.pilot.pause(0.3)
        text = "\n".join(screen_lines(driven.app.screen))
        assert text.isascii(), sorted({character for character in text if not character.isascii()})
        if not keys:
            assert driven.lines[3].endswith("#")
            assert driven.lines[18].endswith("|") or driven.lines[17].endswith("|")


@pytest.mark.parametrize("name", THEMES)
async def test_every_theme_draws_the_same_words(name: str) -> None:
    async with drive(theme_name=name) as driven:
        mine = driven.text
    async with drive() as driven:
        assert mine == driven.text


@pytest.mark.parametrize("keys", [["ctrl+p"], ["question_mark"], ["slash"], ["d"]])
async def test_the_linux_console_is_not_asked_for_what_it_draws_as_something_else(
    monkeypatch: pytest.MonkeyPatch, keys: list[str]
) -> None:
    """Faint is dark grey there, on whatever ground, and is not reversed."""
    monkeypatch.setattr("tunnelui.tui.app.choose_glyphs", lambda _: CONSOLE)
    async with drive(theme_name="ansi") as driven:
        await driven.press(*keys)
        await driven.pilot.pause(0.3)
        segments = [each for strip in driven.app.screen._compositor.render_strips() for each in strip]
        faint = [each.text for each in segments if each.text.strip() and each.style and each.style.dim]
        assert not faint
