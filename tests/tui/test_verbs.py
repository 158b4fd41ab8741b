"""Marks, verbs for many, copying in every spelling, cloning, hiding, and the palette's routes."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import pytest
from textual.drivers.headless_driver import HeadlessDriver
from textual.widgets import Input

from tests.support.screens import LARGE, SMALL, drive
from tests.support.scripted_engine import ScriptedEngine
from tests.support.tunnel_scenes import IDENTITY, every_state, identity
from tunnelui.config.settings import Settings
from tunnelui.engine.model import IdentityStatus, State
from tunnelui.errors import LocalError
from tunnelui.tui.actions import verbs
from tunnelui.tui.screens.copy_as import CopyAs
from tunnelui.tui.screens.probe import Probe
from tunnelui.tui.screens.question import Question
from tunnelui.tui.screens.route_form import RouteForm
from tunnelui.tui.screens.routes import RoutesScreen
from tunnelui.tui.screens.sign_in import SignInScreen
from tunnelui.tui.surroundings import Surroundings
from tunnelui.tui.widgets.route_list import RouteList

if TYPE_CHECKING:
    from pathlib import Path

UP = {"orders-db", "redis-stage", "jump-ssh", "grafana", "win-rdp", "billing-db"}


async def test_marked_rows_are_started_and_stopped_together() -> None:
    async with drive() as driven:
        await driven.press("j", "j", "j", "m")  # kafka-1, off
        await driven.press("m")  # orders-db, live
        assert "2 marked" in driven.text and "✓kafka-1" in driven.text and "✓orders-db" in driven.text
        await driven.press("space")
        assert driven.engine.requests == [("start", "kafka-1")]
        await driven.press("space")
        assert driven.engine.requests[1:] == [("stop", "kafka-1"), ("stop", "orders-db")]
        assert driven.toasts == ["Stopped 2 tunnels."]
        await driven.press("escape")
        assert "marked" not in driven.text
        await driven.press("G", "space")
        assert driven.engine.requests[-1] == ("restart", "win-rdp") or driven.engine.requests[-1][0] in (
            "stop",
            "start",
        )


async def test_all_shown_are_marked_and_unmarked_and_a_filter_narrows_it() -> None:
    async with drive() as driven:
        await driven.press("slash")
        await driven.enter_text("db")
        await driven.press("enter", "asterisk")
        assert "filter db  2 of 8  2 marked" in driven.text
        await driven.press("r")
        assert driven.engine.requests == [("restart", "billing-db"), ("restart", "orders-db")]
        await driven.press("asterisk")
        assert "marked" not in driven.text


async def test_a_mark_goes_with_its_route() -> None:
    async with drive() as driven:
        await driven.press("m")
        driven.engine.set(*(one for one in every_state() if one.route.name != "billing-db"))
        await driven.settle()
        driven.engine.set(*every_state())
        await driven.settle()
        assert "marked" not in driven.text


async def test_one_failure_of_many_is_told_and_the_others_go_on() -> None:
    async with drive() as driven:
        await driven.press("asterisk")
        driven.engine.fail_with = LocalError("no luck")
        await driven.press("r")
        assert len(driven.engine.requests) == 8
        assert driven.toasts == ["Restarted 7 of 8. First trouble: no luck"]


async def test_stop_all_asks_while_connections_are_live() -> None:
    async with drive() as driven:
        await driven.press("X")
        assert driven.shows(Question) and "2 open connections are cut." in driven.text
        await driven.press("n")
        assert driven.engine.requests == []
        await driven.press("X", "y")
        assert {name for verb, name in driven.engine.requests if verb == "stop"} >= UP


async def test_stop_all_means_those_that_are_still_to_be_started() -> None:
    tunnels = [replace(one, state=State.OFF, problem=None, live=0, connections=()) for one in every_state()[:3]]
    first, second, third = sorted(one.route.name for one in tunnels)
    engine = ScriptedEngine(tunnels, [IDENTITY])
    async with drive(engine) as driven:
        start, under_way, go_on = engine.start, anyio.Event(), anyio.Event()

        async def slow(name: str, *, any_port: bool = False) -> None:
            await start(name, any_port=any_port)
            if name == second:
                under_way.set()
                await go_on.wait()

        engine.start = slow  # type: ignore[method-assign]
        await driven.press("asterisk", "space")
        await under_way.wait()
        await driven.press("X")
        go_on.set()
        await driven.app.workers.wait_for_complete([each for each in driven.app.workers if each.group == "requests"])
        await driven.settle()
        assert {one.state for one in engine.state.tunnels} == {State.OFF}
        assert ("start", first) in engine.requests
        assert ("start", third) not in engine.requests


async def test_stop_all_without_live_connections_asks_nothing() -> None:
    tunnels = [one for one in every_state() if not one.live]
    async with drive(ScriptedEngine(tunnels, [IDENTITY])) as driven:
        await driven.press("X")
        assert driven.shows(RoutesScreen) and driven.engine.requests
        await driven.press("X")
        assert driven.toasts[-1] == "Nothing is up."


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_copy_as_by_key_by_enter_and_by_mouse(size: tuple[int, int]) -> None:
    async with drive(size=size) as driven:
        await driven.press("j", "j", "j", "j", "Y")
        assert driven.shows(CopyAs) and "postgresql://127.0.0.1:15432" in driven.text
        await driven.press("u")
        assert driven.shows(RoutesScreen) and driven.app.clipboard == "postgresql://127.0.0.1:15432"
        await driven.press("Y", "j", "enter")
        assert driven.app.clipboard == "15432"
        await driven.press("Y")
        await driven.pilot.click("#ways", offset=(5, 3))
        await driven.settle()
        assert driven.app.clipboard == "host=127.0.0.1 port=15432"
        await driven.press("Y", "escape")
        assert driven.shows(RoutesScreen)


async def test_copy_as_from_the_detail() -> None:
    async with drive() as driven:
        await driven.press("j", "j", "j", "j", "enter", "Y", "p")
        assert driven.app.clipboard == "15432"


async def test_open_starts_the_tunnel_and_says_when_the_terminal_cannot_be_lent() -> None:
    async with drive() as driven:
        driven.engine.change("kafka-1", route=replace(every_state()[6].route, command="nc {host} {port}"))
        await driven.settle()
        await driven.press("j", "j", "j", "o")
        await driven.settle()
        assert ("start", "kafka-1") in driven.engine.requests
        assert driven.toasts[-1].startswith("This terminal can't be lent. Run: nc 127.0.0.1 ")


@pytest.mark.parametrize("signed_in", [True, False])
async def test_who_has_to_sign_in_reads_so_before_the_terminal_is_lent(
    signed_in: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    lent: list[tuple[str, ...]] = []

    def run(words: list[str], note: str) -> int:
        lent.append((words[0], note))
        return 0

    monkeypatch.setattr(verbs, "run_in_foreground", run)
    who = replace(IDENTITY, status=IdentityStatus.SIGNED_IN if signed_in else IdentityStatus.EXPIRED)
    async with drive(ScriptedEngine(every_state(), [who])) as driven:
        driven.app.suspend = contextlib.nullcontext  # type: ignore[method-assign,assignment]  # there is no terminal to lend
        await driven.press("j", "j", "j", "j", "o")
        await driven.settle()
        ((program, note),) = lent
        assert program == "psql"
        assert ("i shows the address" in note) != signed_in


@pytest.mark.parametrize("keys", [("j", "j", "j", "j", "o"), ("ctrl+e",)], ids=["program", "editor"])
async def test_a_program_that_is_missing_gives_the_terminal_back(
    keys: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: list[str] = []
    monkeypatch.setattr(HeadlessDriver, "can_suspend", True)
    monkeypatch.setattr(HeadlessDriver, "suspend_application_mode", lambda _: turns.append("lent"))
    monkeypatch.setattr(HeadlessDriver, "resume_application_mode", lambda _: turns.append("back"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("VISUAL", "no-such-editor")
    settings = Surroundings(Settings(), tmp_path / "config.toml")
    async with drive(surroundings=lambda: settings) as driven:
        await driven.press(*keys)
        with anyio.fail_after(60):
            while not any("can't be run: No such file or directory." in toast for toast in driven.toasts):
                await driven.settle()
        assert turns == ["lent", "back"]
        await driven.press("a")
        assert driven.shows(RouteForm)


async def test_open_without_a_program_says_where_to_name_one() -> None:
    async with drive() as driven:
        driven.engine.change("kafka-1", state=State.OFF)
        await driven.press("j", "j", "j", "o")
        assert driven.toasts[-1].startswith("No program is known for this route: e edits it")
        assert driven.engine.requests == []  # so there is no reason to start it


async def test_a_clone_has_all_of_it_but_name_and_port() -> None:
    async with drive() as driven:
        original = next(one for one in every_state() if one.route.name == "orders-db").route
        driven.engine.change(
            "orders-db", route=replace(original, note="kept", max_connections=5, command="true {port}")
        )
        await driven.settle()
        await driven.press("j", "j", "j", "j", "c")
        assert driven.shows(RouteForm)
        await driven.press("ctrl+s")
        made = driven.engine.state.tunnel("orders-db-2")
        assert made is not None and made.state is State.OFF
        assert (made.route.note, made.route.max_connections, made.route.command) == ("kept", 5, "true {port}")
        assert made.route.listen == "" and made.route.tags == original.tags


async def test_editing_keeps_what_the_form_does_not_show() -> None:
    async with drive() as driven:
        original = next(one for one in every_state() if one.route.name == "billing-db").route
        full = replace(original, note="n", max_connections=7, idle_timeout=9.0, connect_timeout=3.0, source="https://p")
        driven.engine.change("billing-db", route=full)
        await driven.settle()
        await driven.press("e")
        driven.app.screen.query_one("#destination", Input).value = "billing.corp:54321"
        await driven.press("ctrl+s")
        saved = driven.engine.state.tunnels[[one.route.name for one in driven.engine.state.tunnels].index("billing-db")]
        kept = saved.route
        assert kept.destination != full.destination
        assert replace(kept, destination=full.destination) == full


async def test_stopped_rows_can_be_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RouteList, "HOLD", 0.0)
    async with drive() as driven:
        await driven.press("h")
        assert set(driven.app.screen.query_one(RouteList).names) == {
            one.route.name for one in every_state() if one.state is not State.OFF
        }
        assert "stopped hidden  7 of 8" in driven.text or "stopped hidden  6 of 8" in driven.text
        driven.engine.set(*(replace(one, state=State.OFF, live=0, connections=()) for one in every_state()))
        await driven.settle()
        assert "h shows them." in driven.text
        await driven.press("h")
        assert len(driven.app.screen.query_one(RouteList).names) == 8


async def test_the_palette_knows_every_route() -> None:
    async with drive() as driven:
        await driven.press("slash")
        await driven.enter_text("db")
        await driven.press("enter", "ctrl+p")
        await driven.find_command("go to kafka")
        assert "Go to kafka-1" in driven.text
        await driven.press("enter")
        while not driven.shows(RoutesScreen):
            await driven.settle()
        selected = driven.app.screen.query_one(RouteList).selected
        assert selected is not None and selected.route.name == "kafka-1"


async def test_a_route_is_tested_and_every_stage_told() -> None:
    async with drive() as driven:
        await driven.press("j", "T")
        assert driven.shows(Probe) and driven.engine.requests == [("probe", "grafana")]
        assert "The far side took a connection, after 10 ms." in driven.text and "tls" in driven.text
        await driven.press("T")
        assert driven.engine.requests == [("probe", "grafana")] * 2
        await driven.press("escape")
        assert driven.shows(RoutesScreen)


async def test_a_test_that_waits_for_a_sign_in_says_so_and_shows_it() -> None:
    async with drive() as driven:
        signed_in = anyio.Event()
        driven.engine.before_probe = signed_in.wait
        await driven.press("j", "T")
        assert "Opening a tunnel…" in driven.text and "T again" not in driven.text
        await driven.press("i")
        assert driven.shows(Probe)
        driven.engine.set(*every_state(), identities=[identity(sign_in=True)])
        await driven.settle()
        await driven.pilot.pause(0.6)
        assert "It waits for your sign-in." in driven.text and "i shows it" in driven.text
        await driven.press("i")
        assert driven.shows(SignInScreen)
        driven.engine.set(*every_state(), identities=[IDENTITY])
        signed_in.set()
        await driven.settle()
        assert driven.shows(Probe) and "The far side took a connection" in driven.text and "T again" in driven.text


@pytest.mark.parametrize(
    "error", [LocalError("no way there", hint="Take the other one."), RuntimeError("[/odd] fault")]
)
async def test_a_test_that_fails_says_why(error: Exception) -> None:
    async with drive() as driven:
        driven.engine.fail_with = error
        await driven.press("j", "enter", "T")
        assert driven.shows(Probe) and str(error) in driven.text
        assert driven.app.is_running
