"""A fault of the application is shown, can be copied, and ends nothing; an agent that dies shows as such and heals."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import pytest

from tests.support.screens import LARGE, SMALL, Driven, drive
from tests.support.tunnel_scenes import HOSTILE
from tunnelui.errors import LocalError
from tunnelui.tui.screens.detail import DetailScreen
from tunnelui.tui.screens.fault import FaultPanel
from tunnelui.tui.screens.log import LogScreen
from tunnelui.tui.screens.profiles import ProfilesScreen
from tunnelui.tui.screens.routes import RoutesScreen
from tunnelui.tui.widgets.access_list import AccessList
from tunnelui.tui.widgets.status_bar import StatusBar

if TYPE_CHECKING:
    from collections.abc import Callable


def _raise(words: str = "surprise [/x]") -> Callable[..., NoReturn]:
    def fail(*_: object, **__: object) -> NoReturn:
        raise RuntimeError(words)

    return fail


async def _check(driven: Driven, words: str = "RuntimeError: surprise [/x]") -> None:
    """The panel is there with *words*; copying and going on work; the application lives."""
    assert driven.shows(FaultPanel)
    assert words in driven.text
    assert "This is a fault of tunnelui." in driven.text
    await driven.press("y")
    assert driven.app.clipboard.startswith("tunnelui 0.")
    assert "Traceback" in driven.app.clipboard
    assert "RuntimeError" in driven.app.clipboard
    await driven.press("escape")
    assert not driven.shows(FaultPanel)
    assert driven.app.is_running
    driven.expected_faults = driven.app.faults


async def test_an_action_of_a_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RoutesScreen, "action_log_all", _raise())
    async with drive() as driven:
        await driven.press("L")
        await _check(driven)
        await driven.press("l")
        assert driven.shows(LogScreen)


async def test_an_action_of_the_application(monkeypatch: pytest.MonkeyPatch) -> None:
    async with drive() as driven:
        monkeypatch.setattr(type(driven.app), "action_help", _raise())
        await driven.press("question_mark")
        await _check(driven)
        await driven.press("enter")
        assert driven.shows(DetailScreen)


async def test_a_handler_of_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RoutesScreen, "on_word_bar_changed", _raise())
    async with drive() as driven:
        await driven.press("slash", "x")
        await _check(driven)


async def test_a_screen_that_can_not_be_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ProfilesScreen, "on_mount", _raise())
    async with drive() as driven:
        await driven.press("P")
        await _check(driven)
        await driven.press("escape")
        assert driven.shows(RoutesScreen)


async def test_a_widget_that_can_not_be_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AccessList, "row_line", _raise())
    async with drive() as driven:
        await driven.press("P")
        await driven.settle()
        await _check(driven)
        await driven.settle()
        assert not driven.shows(FaultPanel)
        await driven.press("escape")
        assert driven.shows(RoutesScreen)
        assert "orders-db" in driven.text


async def test_a_refresh_that_fails_again_and_again_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with drive() as driven:
        monkeypatch.setattr(StatusBar, "show_view", _raise())
        driven.engine.change("kafka-1", local="x")
        await driven.settle()
        await _check(driven)
        driven.engine.change("kafka-1", local="y")
        await driven.settle()
        assert not driven.shows(FaultPanel)
        assert len(driven.app.faults) == 1


async def test_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail() -> None:
        raise RuntimeError("surprise [/x]")

    async with drive() as driven:
        driven.app.run_worker(fail(), exit_on_error=False)
        await driven.settle()
        await _check(driven)
        driven.app.screen.run_worker(fail(), exit_on_error=False)
        await driven.settle()
        driven.expected_faults = driven.app.faults


async def test_several_at_once_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    async with drive() as driven:
        for number in range(3):
            driven.app.tell_fault(RuntimeError(f"surprise {number}"))
        await driven.settle()
        assert "and 2 more since" in driven.text
        await driven.press("y")
        assert "surprise 2" in driven.app.clipboard
        await driven.press("enter")
        assert driven.shows(RoutesScreen)
        driven.expected_faults = driven.app.faults


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_words_are_drawn_literally(text: str) -> None:
    async with drive() as driven:
        driven.app.tell_fault(RuntimeError(text))
        await driven.settle()
        assert driven.shows(FaultPanel)
        assert all(character.isprintable() for line in driven.lines for character in line)
        await driven.press("y")
        assert "\x1b" not in driven.app.clipboard
        driven.expected_faults = driven.app.faults


@pytest.mark.parametrize("size", [(40, 14), SMALL, LARGE])
async def test_it_fits_every_size(size: tuple[int, int]) -> None:
    async with drive(size=size) as driven:
        driven.app.tell_fault(RuntimeError("x " * 300))
        await driven.settle()
        assert [len(line) for line in driven.lines] == [size[0]] * size[1]
        driven.expected_faults = driven.app.faults


async def test_an_agent_that_dies_shows_as_such_on_every_screen_and_heals() -> None:
    async with drive() as driven:
        await driven.press("P")
        driven.engine.snapshot_fails = LocalError("the agent has gone", code="agent_gone")
        await driven.settle()
        assert driven.toasts[-1].startswith("The tunnels can't be asked: the agent has gone.")
        await driven.press("escape")
        assert "the agent has gone" in driven.text
        driven.engine.fail_with = LocalError("the agent has gone", code="agent_gone", hint="It is started again.")
        await driven.press("space")
        assert driven.toasts[-1] == "The agent has gone. It is started again."
        driven.engine.snapshot_fails = None
        await driven.settle()
        assert driven.toasts[-1] == "The tunnels can be asked again."
        assert "the agent has gone" not in "\n".join(driven.lines[-6:])
