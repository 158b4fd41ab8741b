"""The log: following, levels, finding, wrapping, marks, copies, files, and floods."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from tests.support.screens import LARGE, SMALL, Driven, drive
from tests.support.scripted_engine import ScriptedEngine
from tests.support.tunnel_scenes import IDENTITY, NOW, events, every_state
from tunnelui.engine.model import Event
from tunnelui.errors import LocalError
from tunnelui.tui.lines.log_lines import plain_line
from tunnelui.tui.screens.log import LogScreen
from tunnelui.tui.screens.routes import RoutesScreen
from tunnelui.tui.screens.save_as import SaveAs
from tunnelui.tui.style.glyphs import UNICODE
from tunnelui.tui.widgets.event_log import EventLog

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


async def _tell(driven: Driven, *told: Event) -> None:
    for event in told:
        await driven.engine.tell(event)
    await driven.settle()


def _cells(driven: Driven) -> list[str]:
    """The list without its scroll bar."""
    return [row[:79] for row in driven.lines[2:19]]


async def _until(driven: Driven, condition: Callable[[], bool]) -> None:
    for _ in range(100):
        if condition():
            return
        await driven.pilot.pause(0.02)
    raise AssertionError(driven.text)


def _numbered(count: int, first: int = 0, level: str = "info") -> list[Event]:
    return [
        Event("open", NOW + number / 1000, f"event {number}.", level, route="orders-db")
        for number in range(first, first + count)
    ]


async def test_the_log_cell_by_cell() -> None:
    async with drive(log_path="/var/log/t.log") as driven:
        await _tell(driven, *sorted(events(), key=lambda event: event.at))
        await driven.press("L")
        blank = " " * 80
        assert driven.lines == [
            " ‹ Log  all routes  info+  follow ● │ 5 lines │ faults /var/log/t.log           ",
            "─" * 80,
            " 14:12:14.114 INFO  orders-db  accepted 127.0.0.1:51388                         ",
            " 14:12:14.175 INFO  orders-db  tunnel open in 61 ms                             ",
            " 14:12:56.902 WARN  jump-ssh   sign-in needed                                   ",
            " 14:13:03.000 INFO  orders-db  127.0.0.1:50911 closed by peer, in 4.1 KB out 2… ",
            "▌14:13:16.000 ERROR grafana    503 upstream unavailable (request 7be14c55)      ",
            *[blank] * 12,
            "─" * 80,
            " 503 upstream unavailable (request 7be14c55)                                    ",
            blank,
            "─" * 80,
            " f follow  1-4 level  / find  n next  w wrap  y copy  ^s save  esc back  ? help ",
        ]


async def test_what_happened_before_the_screen_is_there_once() -> None:
    engine = ScriptedEngine(every_state(), [IDENTITY])
    engine.past = events()[:3]
    async with drive(engine) as driven:
        await _tell(driven, *events()[2:])  # the third came both ways
        await driven.press("L")
        assert "5 lines" in driven.lines[0]
        assert driven.text.count("sign-in needed") == 1
        await driven.press("g")
        assert driven.lines[2].startswith("▌14:12:14.114 INFO  orders-db  accepted")


async def test_an_agent_without_an_answer_leaves_the_log_to_what_comes() -> None:
    class Silent(ScriptedEngine):
        async def history(self, route: str = "") -> tuple[Event, ...]:
            raise LocalError("the agent has gone")

    async with drive(Silent(every_state(), [IDENTITY])) as driven:
        await _tell(driven, *events())
        await driven.press("L")
        assert "5 lines" in driven.lines[0]


async def test_lines_of_another_day_say_so() -> None:
    async with drive() as driven:
        await _tell(driven, Event("note", NOW - 90_000, "yesterday"), Event("note", NOW, "today"))
        await driven.press("L", "g")
        assert driven.lines[2].startswith("▌09-20 13:13  INFO")
        assert driven.lines[3].startswith(" 14:13:20.000 INFO")


async def test_scrolling_up_stays_and_counts_what_arrives() -> None:
    async with drive() as driven:
        await _tell(driven, *_numbered(50))
        await driven.press("L")
        assert "follow ●" in driven.lines[0]
        await driven.press("k", "k")
        before = _cells(driven)
        await _tell(driven, *_numbered(30, 50))
        assert "paused ○ +30 new │ 80 lines" in driven.lines[0]
        assert _cells(driven) == before
        await driven.press("f")
        assert "follow ● │ 80 lines" in driven.lines[0]
        assert "event 79." in driven.text
        await driven.press("f")
        await _tell(driven, *_numbered(1, 80))
        assert "paused ○ +1 new" in driven.lines[0]
        await driven.press("G")
        assert "follow ●" in driven.lines[0] and "event 80." in driven.text


async def test_what_somebody_reads_stays_when_the_oldest_are_forgotten() -> None:
    async with drive() as driven:
        for first in range(0, 5000, 1000):
            await _tell(driven, *_numbered(1000, first))
        await driven.press("L", "ctrl+u", "ctrl+u", "ctrl+u")
        shown = _cells(driven)
        for first in range(5000, 7000, 500):
            await _tell(driven, *_numbered(500, first))
        assert _cells(driven) == shown
        assert "+2,000 new │ 5,000 lines" in driven.lines[0]


async def test_levels() -> None:
    async with drive() as driven:
        await _tell(driven, Event("x", NOW, "quiet", "debug", "orders-db"), *events())
        await driven.press("L")
        assert "quiet" not in driven.text and "info+" in driven.lines[0]
        await driven.press("1")
        assert "quiet" in driven.text and "6 lines" in driven.lines[0]
        await driven.press("3")
        assert "warning+" in driven.lines[0] and "2 lines" in driven.lines[0]
        await driven.press("4")
        assert "  error  follow ● │ 1 line " in driven.lines[0]
        await _tell(driven, *events())
        assert "2 lines" in driven.lines[0]


async def test_a_flood_of_good_news_leaves_the_errors() -> None:
    async with drive() as driven:
        await _tell(driven, Event("failed", NOW - 1, "early error", "error", "grafana"))
        for first in range(0, 8000, 1000):
            await _tell(driven, *_numbered(1000, first))
        await driven.press("L", "4")
        assert "early error" in driven.text
        await driven.press("escape", "l", "4")  # of another route
        assert "No error so far." in driven.text
        await driven.press("3")
        assert "No warning and no error so far." in driven.text


async def test_a_flood_is_shown_at_once_and_not_line_by_line() -> None:
    async with drive() as driven:
        await driven.press("L")
        calls = 0
        screen = driven.app.screen
        assert isinstance(screen, LogScreen)
        show = screen.show_events

        def counted(told: object) -> None:
            nonlocal calls
            calls += 1
            show(told)  # type: ignore[arg-type]  # handed on as it came

        screen.show_events = counted  # type: ignore[assignment,method-assign]  # counts the calls
        for event in _numbered(900):
            await driven.engine.tell(event)
        await driven.settle()
        assert "900 lines" in driven.lines[0]
        assert calls < 90, "not one by one, however often a busy machine comes to look meanwhile"


async def test_find_points_out_and_goes_round() -> None:
    async with drive() as driven:
        await _tell(driven, *_numbered(30), *events(), *_numbered(30, 30))
        await driven.press("L", "slash")
        await driven.enter_text("GRAFana")
        assert "/GRAFana 1/1" in driven.lines[0]
        assert "▏14:13:16.000 ERROR grafana" in driven.text
        await driven.press("enter", "escape", "slash")
        await driven.enter_text("event 5")
        await driven.press("enter")
        assert "/event 5 2/11" in driven.lines[0], "the next one from where we were"
        await driven.press("N")
        assert "/event 5 1/11" in driven.lines[0]
        await driven.press("N")
        assert "/event 5 11/11" in driven.lines[0]
        await driven.press("n")
        assert "/event 5 1/11" in driven.lines[0]
        await driven.press("slash")
        await driven.enter_text("zz")
        assert "not here" in driven.lines[0]
        await driven.press("escape")
        assert "zz" not in driven.lines[0]
        assert driven.shows(LogScreen)
        await driven.press("n")
        assert driven.app.screen.has_class("-finding"), "without a text, n asks for one"


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "120x36"])
async def test_wrapped_lines_are_whole_and_move_as_one(size: tuple[int, int]) -> None:
    long = " ".join(f"word{number}" for number in range(60))
    async with drive(size=size) as driven:
        told = [Event("note", NOW + number, f"{number}: {long}", route="orders-db") for number in range(20)]
        await _tell(driven, *told)
        await driven.press("L", "w")
        assert "word59" in driven.text and "follow ●" in driven.lines[0]
        assert any(line.startswith("▌") and "19: word0" in line for line in driven.lines)
        await driven.press("k")
        assert any(line.startswith("▌") and "18: word0" in line for line in driven.lines)
        assert "paused" in driven.lines[0]
        await driven.press("g")
        assert any(line.startswith("▌") and "0: word0" in line for line in driven.lines)
        await driven.press("j", "y")
        assert driven.app.clipboard == plain_line(told[1])
        await driven.pilot.resize_terminal(size[0] + 20, size[1])
        await driven.settle()
        assert any(line.startswith("▌") and "1: word0" in line for line in driven.lines)
        await driven.press("w")
        assert "word59" not in "\n".join(driven.lines[:-5])


async def test_marked_lines_are_copied_in_their_order() -> None:
    async with drive() as driven:
        told = events()
        await _tell(driven, *told)
        await driven.press("L", "g", "j", "m", "g", "m")
        assert "2 marked" in driven.lines[0]
        assert f"14:12:14.114{UNICODE.mark}INFO" in driven.text
        await driven.press("y")
        assert driven.app.clipboard == f"{plain_line(told[0])}\n{plain_line(told[1])}"
        assert driven.app.clipboard.startswith("2026-09-21 14:12:14.114 INFO  orders-db: accepted 127.0.0.1:51388\n")
        await driven.press("g", "m")
        assert "1 marked" in driven.lines[0]
        await driven.press("escape")
        assert "marked" not in driven.lines[0] and driven.shows(LogScreen)
        await driven.press("escape")
        assert driven.shows(RoutesScreen)


async def test_a_file_has_the_lines_and_is_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    async with drive() as driven:
        await _tell(driven, *events())
        await driven.press("L", "3", "ctrl+s")
        assert driven.shows(SaveAs)
        assert "2 lines of all routes" in driven.text
        await driven.press("enter")
        await _until(driven, lambda: driven.shows(LogScreen))
        assert driven.toasts[-1] == "Saved 2 lines of all routes in ~/tunnelui-20260921-141320.log."
    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text() == "".join(f"{plain_line(events()[index])}\n" for index in (2, 3))


async def test_a_file_that_cannot_be_written_says_why_and_asks_again(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("mine")
    async with drive(size=LARGE) as driven:
        await _tell(driven, *events())
        await driven.press("L", "ctrl+s")
        dialog = driven.app.screen
        assert isinstance(dialog, SaveAs)
        field = dialog.query_one("#name")
        for name, words in (
            (str(taken), "is there already; choose another name"),
            (str(tmp_path / "no" / "such"), "there is no folder"),
            ("", "a file needs a name"),
        ):
            field.value = name  # type: ignore[attr-defined]  # an Input
            await driven.press("enter")
            await _until(driven, lambda words=words: words in " ".join(driven.text.split()))  # type: ignore[misc]
            assert driven.app.screen is dialog
        await driven.press("escape")
        assert driven.shows(LogScreen)
    assert taken.read_text() == "mine"


async def test_one_route_and_all() -> None:
    async with drive() as driven:
        await _tell(driven, *events())
        await driven.press("L", "a")
        assert " orders-db " in driven.lines[0] and "3 lines" in driven.lines[0]
        await driven.press("a")
        assert "all routes" in driven.lines[0] and "5 lines" in driven.lines[0]


async def test_an_empty_log_copies_and_saves_nothing() -> None:
    async with drive() as driven:
        await driven.press("L", "y", "ctrl+s", "n", "escape", "w", "m", "j")
        assert driven.shows(LogScreen)
        assert "Nothing has happened yet." in driven.text
        assert driven.toasts[-1] == "There is no line yet."


async def test_the_pane_follows_the_selected_route_in_one_go() -> None:
    async with drive(size=LARGE) as driven:
        await driven.press("j", "j", "j", "j")
        await _tell(driven, *events(), *_numbered(500))
        log = driven.app.screen.query_one(EventLog)
        assert log.line_count == 503 and "event 499." in driven.text


async def test_names_have_the_room_that_the_longest_needs() -> None:
    async with drive(ScriptedEngine(every_state(), [IDENTITY])) as driven:
        await driven.press("L", "w")
        await _tell(driven, Event("note", NOW, "ready " * 20, route="web"))
        assert "INFO  web  ready ready" in driven.text
        await _tell(driven, Event("note", NOW, "live", route="orders-db"))
        assert "INFO  web        ready ready" in driven.text
        assert "INFO  orders-db  live" in driven.text
        assert driven.text.count("ready") == 20  # wrapped anew
        await _tell(driven, Event("note", NOW, "off", route="a" * 40))
        assert "INFO  web            ready ready" in driven.text
        assert "INFO  aaaaaaaaaaaa…  off" in driven.text
