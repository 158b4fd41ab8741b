"""Help from the live bindings, quitting, the palette, and faults that must not end the application."""

from __future__ import annotations

import inspect

import pytest
from textual.binding import Binding
from textual.widgets import Input

import tunnelui.tui.keys.bindings as tables
from tests.support.screens import LARGE, SMALL, drive
from tests.support.scripted_engine import ScriptedEngine
from tests.support.tunnel_scenes import IDENTITY, NOW, events, every_state
from tunnelui.engine.model import Event
from tunnelui.errors import LocalError
from tunnelui.tui.app import TunnelApp
from tunnelui.tui.keys.bindings import GROUPS, TABLE
from tunnelui.tui.screens.help import HelpScreen
from tunnelui.tui.screens.question import Question
from tunnelui.tui.screens.routes import RoutesScreen
from tunnelui.tui.widgets.event_log import EventLog


async def test_help_lists_every_key_of_the_screen_in_groups() -> None:
    async with drive() as driven:
        await driven.press("question_mark")
        assert driven.shows(HelpScreen)
        for words in ("MOVE", "TUNNELS", "ROUTES", "COPY", "ACCESS", "APP", "start/stop", "delete, undo", "quit now"):
            assert words in driven.text
        assert "● live  ◉ ready  ◌ sign-in  ↻ retrying  ▲ trouble  ✕ denied  ○ off" in driven.text


async def test_help_is_narrowed_by_typing_and_escape_clears_then_closes() -> None:
    async with drive() as driven:
        await driven.press("f1")
        await driven.enter_text("copy")
        assert "local address" in driven.text
        assert "start/stop" not in driven.text
        await driven.enter_text("zzz")
        assert "No key does that here." in driven.text
        await driven.press("escape")
        assert "start/stop" in driven.text
        await driven.press("escape")
        assert driven.shows(RoutesScreen)


async def test_enter_does_the_one_action_that_is_left_of_the_help() -> None:
    async with drive() as driven:
        await driven.press("f1")
        await driven.enter_text("copy")
        await driven.press("enter")
        assert driven.shows(HelpScreen), "several are left"
        assert "do it" not in driven.lines[-1]
        await driven.press("escape")
        await driven.enter_text("retry")
        assert driven.lines[-1].startswith(" enter do it  esc close")
        await driven.press("enter")
        await driven.settle()
        assert driven.shows(RoutesScreen)
        assert driven.engine.requests == [("restart", "billing-db")]


async def test_help_follows_the_keymap_and_so_do_footer_and_strip() -> None:
    async with drive(keymap={"tunnel.restart": "ctrl+r", "route.add": "n"}) as driven:
        assert "^r try again" in driven.text
        assert "n add" in driven.lines[-1]
        await driven.press("question_mark")
        assert "^r" in driven.text
        await driven.press("escape", "ctrl+r")
        assert driven.engine.requests == [("restart", "billing-db")]


@pytest.mark.parametrize("keys", [["enter"], ["a"], ["i"], ["L"]])
async def test_help_of_the_other_screens(keys: list[str]) -> None:
    async with drive() as driven:
        await driven.press(*keys)
        below = type(driven.app.screen)
        await driven.press("f1")
        assert driven.shows(HelpScreen)
        assert "APP" in driven.text
        await driven.press("escape")
        assert type(driven.app.screen) is below


@pytest.mark.parametrize("size", [(40, 12), (60, 20), SMALL, LARGE])
async def test_help_fits_every_size(size: tuple[int, int]) -> None:
    async with drive(size=size) as driven:
        await driven.press("question_mark")
        assert [len(line) for line in driven.lines] == [size[0]] * size[1]
        assert driven.app.focused is driven.app.screen.query_one(Input)


def test_every_binding_has_an_id_in_a_known_group_and_no_odd_chord() -> None:
    lists = [value for value in vars(tables).values() if isinstance(value, list)]
    bindings = [binding for group in lists for binding in group if isinstance(binding, Binding)]
    assert len(bindings) > 40
    for binding in bindings:
        assert binding.id in TABLE
        assert str(binding.id).partition(".")[0] in GROUPS
        assert "alt+" not in binding.key
        assert "shift+f" not in binding.key


async def test_every_binding_of_the_first_screen_has_its_action() -> None:
    async with drive() as driven:
        for active in driven.app.screen.active_bindings.values():
            name = active.binding.action.partition("(")[0]
            node = driven.app if name.startswith("app.") else active.node
            assert hasattr(node, f"action_{name.removeprefix('app.').removeprefix('screen.')}"), name


async def test_q_quits_at_once_when_nothing_is_live() -> None:
    async with drive(ScriptedEngine(every_state()[1:], [IDENTITY])) as driven:
        await driven.press("q")
        assert not driven.app.is_running or driven.app._exit
        assert not driven.engine.closed


async def test_q_asks_when_connections_are_live() -> None:
    async with drive() as driven:
        await driven.press("q")
        assert driven.shows(Question)
        assert "2 open connections are cut." in driven.text
        await driven.press("escape")
        assert not driven.app._exit
        await driven.press("q", "y")
        assert driven.app._exit


async def test_ctrl_q_quits_without_a_question() -> None:
    async with drive() as driven:
        await driven.pilot.press("ctrl+q")
        assert driven.app._exit


async def test_ctrl_c_tells_how_to_quit_and_twice_within_two_seconds_quits() -> None:
    async with drive() as driven:
        await driven.press("ctrl+c")
        assert driven.toasts[-1] == "^c once more quits. ^q quits at once."
        await driven.wait(2.5)
        await driven.press("ctrl+c")
        assert not driven.app._exit
        await driven.wait(1.0)
        await driven.press("ctrl+c")
        assert driven.app._exit


async def test_ctrl_c_works_while_a_field_has_the_focus() -> None:
    async with drive() as driven:
        await driven.press("a", "ctrl+c", "ctrl+c")
        assert driven.app._exit


async def test_letters_typed_in_a_field_are_no_commands() -> None:
    async with drive() as driven:
        await driven.press("a")
        await driven.enter_text("q?/ y")
        assert driven.app.screen.query_one("#destination", Input).value == "q?/ y"
        assert not driven.app._exit


@pytest.mark.parametrize("error", [LocalError("no descriptors left", hint="Close some."), ValueError("odd [/b] thing")])
async def test_a_request_that_fails_is_told_and_the_application_goes_on(error: Exception) -> None:
    async with drive() as driven:
        driven.engine.fail_with = error
        await driven.press("r")
        assert str(error).casefold() in driven.toasts[-1].casefold()
        await driven.press("r")
        assert driven.engine.requests == [("restart", "billing-db")] * 2


async def test_a_log_that_breaks_is_told_and_the_application_goes_on() -> None:
    async with drive() as driven:
        await driven.engine.tell(Event("break", NOW, "reader [gone]"))
        await driven.settle()
        assert driven.toasts == ["The log stopped: reader [gone]"]
        await driven.press("r")
        assert driven.engine.requests == [("restart", "billing-db")]


async def test_the_palette_runs_commands() -> None:
    async with drive() as driven:
        await driven.press("ctrl+p")
        await driven.find_command("restart")
        await driven.press("enter")
        await driven.settle()
        assert driven.engine.requests == [("restart", "billing-db")]


async def test_the_log_follows_its_end_until_somebody_goes_up() -> None:
    async with drive() as driven:
        await driven.press("L")
        for number in range(100):
            await driven.engine.tell(Event("note", NOW + number, f"line {number}", route="orders-db"))
        await driven.settle()
        assert "line 99" in driven.text
        assert "follow ●" in driven.lines[0]
        await driven.press("k", "k")
        assert "paused" in driven.lines[0]
        await driven.engine.tell(Event("note", NOW, "line 100", route="orders-db"))
        await driven.settle()
        assert driven.app.screen.query_one(EventLog).cursor == 97
        await driven.press("f")
        assert "line 100" in driven.text
        assert "follow ●" in driven.lines[0]
        await driven.press("f")
        assert "paused" in driven.lines[0]


async def test_a_log_pane_that_overflows_shows_its_end() -> None:
    async with drive(size=LARGE) as driven:
        for number in range(8):
            await driven.engine.tell(Event("note", NOW, f"line {number}", route="grafana"))
        await driven.settle()
        await driven.press("j")
        assert "line 7" in driven.text
        await driven.engine.tell(Event("note", NOW, "line 8", route="grafana"))
        await driven.settle()
        assert "line 8" in driven.text


async def test_the_log_of_one_route_and_of_all() -> None:
    async with drive() as driven:
        for event in events():
            await driven.engine.tell(event)
        await driven.settle()
        await driven.press("j", "l")
        assert "503 upstream unavailable" in driven.text
        assert "accepted" not in driven.text
        await driven.press("a")
        assert "accepted" in driven.text
        assert "5 lines" in driven.lines[0]


def test_the_application_is_an_app_of_the_engine_alone() -> None:
    assert next(iter(inspect.signature(TunnelApp).parameters)) == "engine"
    assert all(
        parameter.default is not inspect.Parameter.empty
        for parameter in list(inspect.signature(TunnelApp).parameters.values())[1:]
    )
