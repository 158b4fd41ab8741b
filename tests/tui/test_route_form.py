"""Adding and changing routes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from textual.widgets import Input

from tests.support.screens import LARGE, SMALL, Driven, drive
from tests.support.scripted_engine import ScriptedEngine
from tests.support.tunnel_scenes import every_state
from tunnelui.errors import ConfigError
from tunnelui.tui.screens.diagnose import DiagnoseScreen
from tunnelui.tui.screens.question import Question
from tunnelui.tui.screens.route_form import RouteForm
from tunnelui.tui.screens.routes import RoutesScreen
from tunnelui.tui.widgets.route_list import RouteList
from tunnelui.tui.widgets.tick import Tick

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tunnelui.config.route import Route
    from tunnelui.config.route_changes import RouteChange


async def test_a_field_is_two_widgets_since_each_takes_its_time_to_open() -> None:
    async with drive(size=LARGE) as driven:
        await driven.press("a")
        form = driven.app.screen
        assert len(form.query("*")) <= 2 * len(form.query(Input)) + 8


async def test_a_destination_is_all_that_a_route_needs() -> None:
    async with drive() as driven:
        await driven.press("a")
        await driven.enter_text("tcp+https://proxy.example/db.internal:5432")
        assert "✓ proxy https://proxy.example, target db.internal:5432" in driven.text
        assert "tunnelui tcp tcp+https://proxy.example/db.internal:5432" in driven.text
        assert driven.app.screen.query_one("#name", Input).value == "db"
        await driven.press("enter")
        assert driven.engine.requests == [("add_route", "db")]
        assert driven.shows(RoutesScreen)
        selected = driven.app.screen.query_one(RouteList).selected
        assert selected is not None
        assert selected.route.name == "db"


async def test_every_field_reaches_the_route() -> None:
    async with drive() as driven:
        await driven.press("a")
        fields = ("db:5432", "my db", "127.0.0.1:9000", "https://p.example", "corp", "a, b", "nc {host} {port}")
        for text in (*fields, None, "ask for it", "12", "90.5", "3"):
            if text is None:
                await driven.press("space")
            else:
                driven.app.focused.value = text  # type: ignore[union-attr]  # an Input has the focus
            await driven.press("tab")
        await driven.press("ctrl+s")
        tunnel = driven.engine.state.tunnel("my db")
        assert tunnel is not None
        route = tunnel.route
        assert (route.destination, route.listen, route.proxy_url) == ("db:5432", "127.0.0.1:9000", "https://p.example")
        assert (route.profile, route.tags, route.autostart) == ("corp", ("a", "b"), True)
        assert (route.command, route.note) == ("nc {host} {port}", "ask for it")
        assert (route.max_connections, route.idle_timeout, route.connect_timeout) == (12, 90.5, 3.0)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("max_connections", "many"),
        ("max_connections", "1.5"),
        ("max_connections", "-1"),
        ("idle_timeout", "nan"),
        ("idle_timeout", "-2"),
        ("connect_timeout", "soon"),
        ("connect_timeout", "inf"),
    ],
)
async def test_a_limit_that_is_none_is_told_and_not_saved(field: str, text: str) -> None:
    async with drive() as driven:
        await driven.press("a")
        await driven.enter_text("db.internal:5432")
        driven.app.screen.query_one(f"#{field}", Input).value = text
        await driven.press("ctrl+s")
        assert driven.shows(RouteForm)
        assert driven.app.focused is driven.app.screen.query_one(f"#{field}")
        assert f"“{text}” is not from 0" in driven.text
        assert driven.engine.requests == []


async def test_a_limit_of_a_route_is_kept_and_can_be_taken_away() -> None:
    async with drive() as driven:
        await driven.press("e")
        driven.app.screen.query_one("#idle_timeout", Input).value = "600"
        await driven.press("ctrl+s", "e")
        assert driven.app.screen.query_one("#idle_timeout", Input).value == "600"
        driven.app.screen.query_one("#idle_timeout", Input).value = ""
        await driven.press("ctrl+s")
        assert not [one for one in driven.engine.state.tunnels if one.route.idle_timeout]


async def test_a_route_is_saved_and_diagnosed_in_one_go() -> None:
    async with drive() as driven:
        await driven.press("a", "ctrl+t")
        assert driven.shows(RouteForm), "what can't be saved can't be tested"
        await driven.enter_text("db.internal:5432")
        await driven.press("ctrl+t")
        assert driven.shows(DiagnoseScreen)
        assert ("add_route", "db") in driven.engine.requests


async def test_mistakes_are_told_line_by_line_and_saving_goes_to_the_first() -> None:
    async with drive() as driven:
        await driven.press("a")
        await driven.enter_text("ssh://x")
        assert "only tcp+https://" in driven.text
        driven.app.screen.query_one("#listen", Input).value = "99999999"
        driven.app.screen.query_one("#name", Input).value = "orders-db"
        await driven.press("tab", "tab", "ctrl+s")
        assert "there is a route “orders-db” already" in driven.text
        assert driven.text.count("✕") >= 3
        assert driven.app.focused is driven.app.screen.query_one("#destination")
        assert driven.engine.requests == []


async def test_an_empty_form_says_what_is_missing() -> None:
    async with drive() as driven:
        await driven.press("a", "ctrl+s")
        assert "A route needs a destination." in driven.text


async def test_a_new_route_starts_with_the_profile_of_the_selected_one() -> None:
    async with drive() as driven:
        await driven.press("a")
        assert driven.app.screen.query_one("#profile", Input).value == "corp"
        await driven.press("escape")
        assert driven.shows(RoutesScreen)
    async with drive(ScriptedEngine()) as driven:
        await driven.press("a")
        assert driven.app.screen.query_one("#profile", Input).value == "default"


async def test_a_mistake_is_told_to_its_end() -> None:
    async with drive() as driven:
        await driven.press("a")
        await driven.enter_text("ssh://x")
        words = " ".join(driven.text.split())
        assert "Write HOST:PORT, tcp+https://HOST:PORT, or tcp+https://PROXY/HOST:PORT." in words


async def test_a_name_typed_by_hand_is_kept() -> None:
    async with drive() as driven:
        await driven.press("a", "tab")
        await driven.enter_text("mine")
        await driven.press("shift+tab")
        await driven.enter_text("db.internal:1")
        assert driven.app.screen.query_one("#name", Input).value == "mine"


async def test_editing_starts_with_what_is_there_and_shows_that_it_changed() -> None:
    async with drive() as driven:
        await driven.press("j", "e")
        assert driven.lines[0].startswith(" ‹ Edit route  grafana")
        assert "changed" not in driven.lines[0]
        await driven.press("end")
        await driven.enter_text("0")
        assert driven.lines[0].rstrip().endswith("changed")
        await driven.press("ctrl+s")
        assert driven.engine.requests == [("change_routes", "grafana>grafana")]
        tunnel = driven.engine.state.tunnel("grafana")
        assert tunnel is not None
        assert tunnel.route.destination == "grafana.corp:30000"


async def test_what_was_typed_is_not_thrown_away_unasked() -> None:
    async with drive() as driven:
        await driven.press("a", "x", "escape")
        assert driven.shows(Question)
        await driven.press("n")
        assert driven.shows(RouteForm)
        await driven.press("escape", "y")
        assert driven.shows(RoutesScreen)
        await driven.press("a", "escape")
        assert driven.shows(RoutesScreen)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            ConfigError("routes.toml can't be written", hint="Free some space."),
            "routes.toml can't be written. Free some",
        ),
        (RuntimeError("[/boom]"), "it was not saved: [/boom]"),
    ],
)
async def test_a_route_that_can_not_be_saved_stays_in_the_form(error: Exception, words: str) -> None:
    async with drive() as driven:
        await driven.press("a")
        await driven.enter_text("db:1")
        driven.engine.fail_with = error
        await driven.press("ctrl+s")
        assert words in driven.text
        assert driven.shows(RouteForm)
        await driven.press("ctrl+s")
        assert driven.shows(RoutesScreen)


async def _edit(driven: Driven, **values: str) -> None:
    """Open the form of the route grafana and type *values* into its fields."""
    await driven.press("j", "e")
    for field, value in values.items():
        driven.app.screen.query_one(f"#{field}", Input).value = value
    await driven.settle()


def _elsewhere(driven: Driven, **fields: object) -> None:
    """Change the route grafana as somebody else does."""
    tunnel = driven.engine.state.tunnel("grafana")
    assert tunnel is not None
    driven.engine.change("grafana", route=replace(tunnel.route, **fields))  # type: ignore[arg-type]  # the test's


def _grafana(driven: Driven) -> Route:
    tunnel = driven.engine.state.tunnel("grafana")
    assert tunnel is not None
    return tunnel.route


async def test_what_others_change_meanwhile_is_kept() -> None:
    async with drive() as driven:
        await _edit(driven, note="mine")
        before = _grafana(driven)
        _elsewhere(driven, tags=("theirs",), autostart=True)
        await driven.press("ctrl+s")
        assert driven.shows(RoutesScreen)
        assert _grafana(driven) == replace(before, note="mine", tags=("theirs",), autostart=True)
        assert driven.toasts[-1] == "Changed elsewhere meanwhile, and kept: Tags, autostart."
        await driven.press("u")
        assert _grafana(driven) == replace(before, tags=("theirs",), autostart=True)


async def test_a_field_that_both_have_changed_is_told_before_it_is_saved() -> None:
    async with drive() as driven:
        await _edit(driven, note="mine", command="nc {host} {port}")
        before = _grafana(driven)
        _elsewhere(driven, note="theirs", tags=("theirs",))
        await driven.press("ctrl+s")
        assert driven.shows(RouteForm)
        assert "Changed elsewhere meanwhile: Note is “theirs” there. ^s saves what stands" in driven.text
        assert _grafana(driven).note == "theirs"
        assert driven.app.screen.query_one("#tags", Input).value == "theirs"
        await driven.press("ctrl+s")
        assert driven.shows(RoutesScreen)
        assert _grafana(driven) == replace(before, note="mine", command="nc {host} {port}", tags=("theirs",))


async def test_a_route_that_was_removed_meanwhile_can_be_saved_as_a_new_one() -> None:
    async with drive() as driven:
        await _edit(driven, note="mine")
        driven.engine.set(*(one for one in every_state() if one.route.name != "grafana"))
        await driven.press("ctrl+s")
        assert "The route was removed or renamed elsewhere. ^s saves this as a new one." in driven.text
        await driven.press("ctrl+s")
        assert driven.shows(RoutesScreen)
        assert _grafana(driven).note == "mine"


async def test_saving_what_is_as_before_changes_nothing_and_leaves_undo_alone() -> None:
    async with drive() as driven:
        await _edit(driven, note="mine")
        await driven.press("ctrl+s", "e", "ctrl+s")
        assert driven.shows(RoutesScreen)
        assert len(driven.engine.requests) == 1
        await driven.press("u")
        assert _grafana(driven).note == ""


async def test_saving_that_ends_under_a_question_closes_both() -> None:
    async with drive() as driven:
        await _edit(driven, note="mine")
        go_on = asyncio.Event()
        change_routes = driven.engine.change_routes

        async def slow(changes: Sequence[RouteChange]) -> None:
            await go_on.wait()
            await change_routes(changes)

        driven.engine.change_routes = slow  # type: ignore[method-assign]
        form = driven.app.screen
        await driven.press("ctrl+s", "escape")
        assert driven.shows(Question)
        saving = [each for each in driven.app.workers if each.node is form]
        assert saving
        go_on.set()
        await driven.app.workers.wait_for_complete(saving)
        await driven.settle()
        assert driven.shows(RoutesScreen)
        assert _grafana(driven).note == "mine"


async def test_the_first_field_that_is_wrong_is_in_sight_with_what_is_said_of_it() -> None:
    async with drive() as driven:
        await driven.press("a", *["tab"] * 10, "ctrl+s")
        assert "Destination" in driven.text
        assert "A route needs a destination." in driven.text


async def test_a_long_problem_is_told_to_its_end() -> None:
    async with drive() as driven:
        await driven.press("a")
        await driven.enter_text("db:1")
        driven.engine.fail_with = ConfigError(
            "routes.toml can't be written here", hint=f"{'Free some space. ' * 5}End."
        )
        await driven.press("ctrl+s")
        assert "End." in driven.text


async def test_the_command_is_copied_on_one_line() -> None:
    async with drive() as driven:
        await driven.press("j", "e", "ctrl+y")
        assert driven.app.clipboard == "tunnelui tcp grafana.corp:3000 --listen 127.0.0.1:13000 --profile corp"


async def test_the_proxy_of_the_profile_is_shown_and_can_be_overruled() -> None:
    async with drive() as driven:
        await driven.press("j", "e")
        assert "✓ proxy https://pomerium.corp.example, target grafana.corp:3000" in driven.text
        assert "https://pomerium.corp.example, as the profile says" in driven.text
        driven.app.screen.query_one("#proxy_url", Input).value = "https://other.example"
        await driven.settle()
        assert "✓ proxy https://other.example, target grafana.corp:3000" in driven.text
        assert "as the profile says" not in driven.text
        driven.app.screen.query_one("#profile", Input).value = "nowhere"
        await driven.settle()
        assert "config.toml has: default, corp" in driven.text


async def test_a_long_command_is_broken_between_flags() -> None:
    async with drive() as driven:
        await driven.press("j", "e")
        driven.app.screen.query_one("#proxy_url", Input).value = "https://a-rather-long-proxy-name.corp.example:8443"
        await driven.settle()
        rows = [line.rstrip() for line in driven.lines if "--" in line or line.startswith("  tunnelui")]
        assert rows[0] == "  tunnelui tcp grafana.corp:3000 \\" or rows[0].endswith("\\")
        assert "--profile corp" in rows[-1]


async def test_the_tick_turns_by_key_and_mouse() -> None:
    async with drive() as driven:
        await driven.press("a")
        await driven.pilot.click(Tick)
        assert "[x] Start with tunnelui" in driven.text
        await driven.press("enter")
        assert "[ ] Start with tunnelui" in driven.text


@pytest.mark.parametrize("size", [(50, 16), SMALL, LARGE])
async def test_it_fits_every_size(size: tuple[int, int]) -> None:
    async with drive(size=size) as driven:
        await driven.press("a")
        assert [len(line) for line in driven.lines] == [size[0]] * size[1]
        assert "ctrl+s" in driven.text or "^s save" in driven.text
