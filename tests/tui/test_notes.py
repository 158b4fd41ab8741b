"""What the engine says to everybody: in full where people sign in, and on a band above the list until sent away."""

from __future__ import annotations

import pytest

from tests.support.screens import LARGE, SMALL, Driven, drive
from tests.support.scripted_engine import ScriptedEngine
from tests.support.tunnel_scenes import URL, every_state, identity
from tunnelui.tui.screens.sign_in import SignInScreen
from tunnelui.tui.widgets.notes import NoteBand, note_rows

PASSWORD = "Amber-Falcon-29"
NOTE = f"The demo's sign-in: alice@example.com with the password {PASSWORD}"
KEYRING = "no usable keyring; the token stays in memory. To keep it in a file instead: --token-store file."


def _engine(*notes: str, url: str = URL) -> ScriptedEngine:
    return ScriptedEngine(every_state(), [identity(sign_in=True, url=url)], notes=notes)


def _words(driven: Driven) -> str:
    return " ".join(driven.text.replace("esc hide", "").split())


def _band(driven: Driven) -> NoteBand:
    return driven.app.screen.query_one(NoteBand)


@pytest.mark.parametrize("size", [SMALL, (100, 30), LARGE])
async def test_a_note_stands_on_the_list_until_escape(size: tuple[int, int]) -> None:
    async with drive(_engine(NOTE), size=size) as driven:
        assert not any(PASSWORD in toast for toast in driven.toasts)
        row = next(line for line in driven.lines if "The demo's sign-in" in line)
        assert row.rstrip().endswith("esc hide")
        await driven.wait(60)
        assert NOTE in _words(driven)
        await driven.press("escape")
        assert PASSWORD not in driven.text
        assert not _band(driven).display
        assert [len(line) for line in driven.lines] == [size[0]] * size[1]


async def test_escape_clears_the_filter_before_it_hides_a_note() -> None:
    async with drive(_engine(NOTE)) as driven:
        await driven.press("slash", "d", "b", "enter", "escape")
        assert PASSWORD in driven.text
        await driven.press("escape")
        assert PASSWORD not in driven.text


async def test_a_new_note_shows_and_one_sent_away_stays_away() -> None:
    async with drive(_engine(NOTE)) as driven:
        await driven.pilot.click(NoteBand)
        await driven.settle()
        assert PASSWORD not in driven.text
        driven.engine.note(KEYRING)
        await driven.settle()
        assert "the token stays in memory" in driven.text
        assert 'token_store = "file" in config.toml' in _words(driven)
        assert PASSWORD not in driven.text


async def test_without_notes_there_is_no_band() -> None:
    async with drive() as driven:
        assert not driven.app.screen.query(NoteBand)  # it is made with the first note
        driven.engine.note("  ")
        await driven.settle()
        assert not _band(driven).display


@pytest.mark.parametrize("size", [(50, 16), SMALL, LARGE])
async def test_the_sign_in_shows_every_word_above_the_address(size: tuple[int, int]) -> None:
    async with drive(_engine(NOTE, KEYRING, url=URL + "y" * 3000), size=size) as driven:
        await driven.press("escape", "i")
        assert driven.shows(SignInScreen)
        assert NOTE in _words(driven)
        if size[1] > 16:
            assert "To keep it in a file instead" in _words(driven)
        assert PASSWORD in driven.text  # on one line
        place = next(index for index, line in enumerate(driven.lines) if PASSWORD in line)
        address = next((index for index, line in enumerate(driven.lines) if "https://auth" in line), size[1])
        assert place < address


async def test_the_sign_in_shows_the_notes_while_the_address_is_awaited() -> None:
    async with drive(_engine(NOTE, url="")) as driven:
        await driven.press("i")
        assert NOTE in driven.text


@pytest.mark.parametrize("width", [10, 30, 60, 200])
def test_no_word_of_a_note_is_lost(width: int) -> None:
    long = "Pass" + "word" * 40
    rows = note_rows([NOTE, long], width)
    assert all(len(row) <= width for row in rows)
    assert "".join("".join(rows).split()) == "".join((NOTE + long).split())


@pytest.mark.parametrize("size", [(40, 12), (60, 18), SMALL, LARGE])
async def test_many_notes_leave_room_for_the_list(size: tuple[int, int]) -> None:
    async with drive(_engine(*[f"{NOTE} {number}" for number in range(30)]), size=size) as driven:
        driven.app.clear_notifications()
        await driven.settle()
        assert _band(driven).size.height <= max(1, size[1] // 6)
        assert "billing-db" in driven.lines[3]
        assert [len(line) for line in driven.lines] == [size[0]] * size[1]
