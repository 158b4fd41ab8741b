"""Settings: what is in force and from where, what can be changed for the session, and the file in the editor."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.screens import LARGE, SMALL, Driven, drive
from tests.support.scripted_engine import ScriptedEngine
from tests.support.tunnel_scenes import HOSTILE, IDENTITY, many
from tunnelui.config.config_edit import TEMPLATE
from tunnelui.config.profile import Profile
from tunnelui.config.settings import Settings, load_settings
from tunnelui.tui.actions import options
from tunnelui.tui.screens.help import HelpScreen
from tunnelui.tui.screens.routes import RoutesScreen
from tunnelui.tui.screens.settings import SettingsScreen
from tunnelui.tui.screens.theme_choice import ThemeChoice
from tunnelui.tui.style.glyphs import ASCII, CONSOLE, UNICODE
from tunnelui.tui.surroundings import Surroundings, setting_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tunnelui.tui.style.glyphs import Glyphs


def _surroundings(folder: Path, **values: Any) -> Surroundings:
    path = folder / "config.toml"
    return Surroundings(Settings(path=path, **values), path, "/c/routes.toml", "/s", "/s/tunnelui.log", "the agent")


def _row(driven: Driven, label: str) -> str:
    return next(line for line in driven.lines if line[3:].startswith(label))


@pytest.fixture
def editor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[Path], None]], None]]:
    """Say what the editor does to the file."""
    work: list[Callable[[Path], None]] = []

    def run(argv: Sequence[str]) -> int:
        assert argv[:2] == ["ed it", "--wait"]
        work[-1](Path(argv[-1]))
        return 0

    monkeypatch.setenv("VISUAL", "'ed it' --wait")
    monkeypatch.setattr(options, "run_in_foreground", run)
    yield work.append


@contextlib.asynccontextmanager
async def _lending(folder: Path, **values: Any) -> Any:
    async with drive(surroundings=lambda: _surroundings(folder, **values)) as driven:
        driven.app.suspend = contextlib.nullcontext  # type: ignore[method-assign,assignment]  # there is no terminal to lend
        yield driven


async def _edit(driven: Driven) -> None:
    """Open the file, and wait until something is said or shown of it."""
    before = len(driven.toasts), driven.app.options.problem
    await driven.press("ctrl+e")
    while (len(driven.toasts), driven.app.options.problem) == before:
        await driven.settle()
    await driven.settle()


def test_every_value_says_where_it_comes_from(tmp_path: Path) -> None:
    plain = {row.label: row for row in setting_rows(_surroundings(tmp_path), theme="dark", glyphs=UNICODE, environ={})}
    assert (plain["Token store"].value, plain["Token store"].source) == ("keyring", "default")
    assert (plain["Theme"].source, plain["Signs"].source) == ("default", "the locale")
    assert plain["Settings"].source == "not there yet"
    given = _surroundings(tmp_path, token_store="file", warm=0, notifications=True, keys={"app.help": "f2"})
    environ = {"TUNNELUI_THEME": "light", "TUNNELUI_ASCII": "1"}
    found = {row.label: row for row in setting_rows(given, theme="light", glyphs=UNICODE, environ=environ)}
    assert (found["Token store"].value, found["Token store"].source) == ("file", "config.toml")
    assert (found["Kept ready"].value, found["Notifications"].value) == ("0", "on")
    assert (found["Theme"].source, found["Signs"].source) == ("TUNNELUI_THEME", "TUNNELUI_ASCII")
    assert found["Keys changed"].value == "app.help = f2"
    environ["TUNNELUI_TOKEN_STORE"] = "memory"
    changed = setting_rows(
        given, theme="x", glyphs=UNICODE, remembered="x", changed=frozenset({"signs"}), environ=environ
    )
    assert (changed[0].source, changed[1].source) == ("chosen here", "this session")
    assert (changed[3].value, changed[3].source) == ("memory", "TUNNELUI_TOKEN_STORE")


async def test_it_shows_what_is_in_force(tmp_path: Path) -> None:
    profiles = {"corp": Profile("corp")}
    async with drive(surroundings=lambda: _surroundings(tmp_path, profiles=profiles, warm=2)) as driven:
        await driven.press("comma")
        assert driven.shows(SettingsScreen)
        assert "dark" in _row(driven, "Theme")
        assert _row(driven, "Kept ready").split()[2:] == ["2", "config.toml"]
        assert "default, corp" in _row(driven, "Profiles")
        assert "/s/tunnelui.log" in _row(driven, "Log")
        await driven.press("comma", "escape")
        assert driven.shows(RoutesScreen)


async def test_theme_and_signs_change_at_once_until_the_end(tmp_path: Path) -> None:
    async with drive(surroundings=lambda: _surroundings(tmp_path)) as driven:
        theme = driven.app.theme
        await driven.press("comma", "space")
        assert driven.shows(ThemeChoice)
        await driven.press("j", "enter")
        assert driven.app.theme != theme
        assert "chosen here" in _row(driven, "Theme")
        await driven.press("j", "enter")
        assert "ASCII" in _row(driven, "Signs")
        assert driven.text.isascii()
        await driven.press("escape")
        assert driven.text.isascii()
        await driven.press("comma", "j", "space", "escape")
        assert "│" in driven.text


@pytest.mark.parametrize(("begins", "then"), [(CONSOLE, [ASCII, CONSOLE]), (ASCII, [UNICODE, ASCII])])
async def test_signs_go_back_to_those_that_the_terminal_has(begins: Glyphs, then: list[Glyphs]) -> None:
    async with drive() as driven:
        driven.app.use_glyphs(begins)
        seen = []
        for _ in then:
            driven.app.options.change("signs")
            seen.append(driven.app.glyphs)
        assert [each.name for each in seen] == [each.name for each in then]


async def test_the_scroll_bar_goes_with_the_signs() -> None:
    async with drive(ScriptedEngine(many(100), [IDENTITY])) as driven:
        assert driven.lines[3].endswith(" ")
        driven.app.use_glyphs(ASCII)
        await driven.settle()
        assert driven.lines[3].endswith("#")
        assert driven.app.has_class("-ascii")
        driven.app.use_glyphs(UNICODE)
        await driven.settle()
        assert driven.lines[3].endswith(" ")
        assert not driven.app.has_class("-ascii")


async def test_what_is_set_elsewhere_says_so_and_can_be_copied(tmp_path: Path) -> None:
    async with drive(surroundings=lambda: _surroundings(tmp_path)) as driven:
        await driven.press("comma", "j", "j", "j", "space")
        assert driven.toasts[-1] == "That is set in config.toml or by the system; ^e opens the file."
        await driven.press("G", "k", "y")
        assert driven.app.clipboard == "/s/tunnelui.log"


async def test_by_mouse(tmp_path: Path) -> None:
    async with drive(surroundings=lambda: _surroundings(tmp_path)) as driven:
        await driven.press("comma")
        await driven.pilot.click("#settings", offset=(5, 1), times=2)
        await driven.settle()
        assert driven.shows(ThemeChoice)


async def test_keys_that_were_edited_are_in_force_at_once(tmp_path: Path, editor: Any) -> None:
    (tmp_path / "config.toml").write_text("")
    editor(lambda path: path.write_text('[keys]\n"app.help" = "f9"\n'))
    async with _lending(tmp_path) as driven:
        await _edit(driven)
        assert driven.toasts[-1] == "config.toml is in order; its theme and keys are in force."
        await driven.press("f9")
        assert driven.shows(HelpScreen)
        await driven.press("escape", "comma")
        assert "app.help = f9" in _row(driven, "Keys changed")


async def test_a_theme_that_was_edited_is_seen_at_once(tmp_path: Path, editor: Any) -> None:
    (tmp_path / "config.toml").write_text("")
    editor(lambda path: path.write_text('theme = "light"\n'))
    async with _lending(tmp_path) as driven:
        await _edit(driven)
        assert driven.app.theme == "tunnelui-light"
        await driven.press("comma")
        assert _row(driven, "Theme").split()[-2:] == ["light", "config.toml"]


async def test_what_counts_later_says_so(tmp_path: Path, editor: Any) -> None:
    (tmp_path / "config.toml").write_text("")
    editor(lambda path: path.write_text("warm = 3\n"))
    async with _lending(tmp_path) as driven:
        await _edit(driven)
        assert driven.toasts[-1].endswith("The rest counts from the next start.")
        editor(lambda path: None)
        await _edit(driven)
        assert driven.toasts[-1] == "Nothing was changed."


async def test_an_error_stands_with_its_line_and_what_was_typed_is_kept(tmp_path: Path, editor: Any) -> None:
    file = tmp_path / "config.toml"
    file.write_text("")
    editor(lambda path: path.write_text("\nwrm = 1\n"))
    async with _lending(tmp_path) as driven:
        await _edit(driven)
        assert driven.shows(SettingsScreen)
        flat = "".join(driven.text.split())
        assert "config.toml:2" in flat
        assert "didyoumean“warm”" in flat
        assert "^e opens the file again" in driven.text
        assert file.read_text() == "\nwrm = 1\n"
        editor(lambda path: path.write_text('[keys]\n"nothing" = "x"\n'))
        await _edit(driven)
        assert "there is no action “nothing”" in " ".join(driven.text.split())
        editor(lambda path: path.write_text("warm = 1\n"))
        await _edit(driven)
        assert "opens the file again" not in driven.text


async def test_a_missing_file_begins_as_a_template_and_is_made_only_when_saved(tmp_path: Path, editor: Any) -> None:
    file = tmp_path / "new" / "config.toml"
    seen: list[Path] = []

    def look(path: Path) -> None:
        assert path.read_text() == TEMPLATE
        assert path.name == "config.toml"
        seen.append(path)

    editor(look)
    async with _lending(file.parent) as driven:
        await _edit(driven)
        assert driven.toasts[-1] == "Nothing was changed."
        assert not file.exists()
        assert not seen[0].parent.exists()
        editor(lambda path: path.write_text(TEMPLATE + "warm = 2\n"))
        await _edit(driven)
        assert file.read_text() == TEMPLATE + "warm = 2\n"
        assert file.stat().st_mode & 0o777 == 0o600


def test_the_template_is_valid_with_and_without_its_signs(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(TEMPLATE)
    assert load_settings(file) == Settings(path=file)
    lines = [
        line.removeprefix("# ") if "=" in line or line.startswith("# [") else line for line in TEMPLATE.splitlines()
    ]
    file.write_text("\n".join(lines))
    file.chmod(0o600)
    assert "corp" in load_settings(file).profiles


async def test_a_message_covers_nothing_of_what_is_said_of_the_row(tmp_path: Path) -> None:
    async with drive(surroundings=lambda: _surroundings(tmp_path)) as driven:
        await driven.press("comma", "G", "space")
        (toast,) = driven.app.screen.query("Toast")
        assert toast.region.bottom <= driven.app.screen.query_one("#about").region.y


async def test_no_editor_and_no_terminal_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDITOR", "vi 'x")
    monkeypatch.delenv("VISUAL", raising=False)
    async with drive(surroundings=lambda: _surroundings(tmp_path)) as driven:
        await _edit(driven)
        assert driven.toasts[-1] == "EDITOR can't be read as a command. Mend its quotes."
        monkeypatch.setenv("EDITOR", "vi")
        await _edit(driven)
        assert "This terminal can't be lent." in " ".join(driven.toasts)
    async with drive() as driven:
        await _edit(driven)
        assert driven.toasts[-1] == "No config.toml is read here."


@pytest.mark.parametrize("size", [(40, 14), SMALL, LARGE])
async def test_it_fits_every_size(size: tuple[int, int], tmp_path: Path) -> None:
    async with drive(size=size, surroundings=lambda: _surroundings(tmp_path)) as driven:
        await driven.press("comma")
        assert [len(line) for line in driven.lines] == [size[0]] * size[1]


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_text_is_drawn_literally(text: str) -> None:
    given = Surroundings(Settings(keys={text: text}, token_store=text), Path(text.replace("\0", "")), text, text, text)
    async with drive(surroundings=lambda: given) as driven:
        await driven.press("comma", "G", "k", "k")
        assert all(character.isprintable() for line in driven.lines for character in line)
