"""The list of routes: keys, mouse, filter, panes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.screens import LARGE, SMALL, drive
from tests.support.scripted_engine import ScriptedEngine
from tests.support.tunnel_scenes import IDENTITY, NOW, PROXY, events, every_state, many
from tunnelui.config.route import Route
from tunnelui.config.route_changes import RouteChange
from tunnelui.engine.model import Event, IdentitySnapshot, IdentityStatus, State
from tunnelui.errors import ConfigError
from tunnelui.tui.screens.detail import DetailScreen
from tunnelui.tui.screens.log import LogScreen
from tunnelui.tui.screens.question import Question
from tunnelui.tui.screens.route_form import RouteForm
from tunnelui.tui.screens.routes import RoutesScreen
from tunnelui.tui.screens.sign_in import SignInScreen
from tunnelui.tui.widgets.route_list import RouteList

SORTED = ["billing-db", "grafana", "jump-ssh", "kafka-1", "orders-db", "redis-stage", "vnc-lab", "win-rdp"]


async def test_the_frame_at_80_columns_cell_by_cell() -> None:
    async with drive() as driven:
        assert driven.lines[:6] == [
            " tunnelui  corp               ● alice@corp.example 9h12m │ 2 up 5 ▲ │ ↓0/s ↑0/s ",
            "─" * 80,
            "   NAME ▲       STATE      DESTINATION            LOCAL               IN    OUT ",
            "▌✕ billing-db   denied     billing.corp:5432      127.0.0.1:25432      0      0 ",
            " ↻ grafana      retry 8s   grafana.corp:3000      127.0.0.1:13000    14K   9.0K ",
            " ◌ jump-ssh     auth       ssh.corp.example:22    127.0.0.1:2222       0      0 ",
        ]
        assert (
            driven.lines[18:]
            == [
                "─" * 80,
                " billing-db  alice@corp.example may not use billing.corp:5432                   ",
                " Ask the owner of the route for access. Request 9a8c0f2d.  r try again          ",
                "─" * 80,
                " space start/stop  enter details  y copy  / filter  a add  e edit        ? help ",
            ]
            or len(driven.lines) == 24
        )
        assert all(len(line) == 80 for line in driven.lines)


@pytest.mark.parametrize("size", [(20, 8), (40, 10), (60, 15), SMALL, (99, 40), (100, 29), (100, 30), LARGE, (200, 60)])
async def test_every_size_is_filled_exactly(size: tuple[int, int]) -> None:
    from rich.cells import cell_len

    async with drive(size=size) as driven:
        assert [cell_len(line) for line in driven.lines] == [size[0]] * size[1]
        assert "▌" in driven.text or size[1] < 10


@pytest.mark.parametrize(
    ("keys", "row"),
    [
        (["j"], 1),
        (["down", "down"], 2),
        (["j", "j", "k"], 1),
        (["j", "up"], 0),
        (["k"], 0),
        (["G"], 199),
        (["end"], 199),
        (["G", "g"], 0),
        (["G", "home"], 0),
        (["ctrl+d"], 8),
        (["ctrl+d", "ctrl+d", "ctrl+u"], 8),
        (["pagedown"], 16),
        (["pagedown", "pagedown", "pageup"], 16),
        (["G", "j"], 199),
    ],
)
async def test_moving(keys: list[str], row: int) -> None:
    async with drive(ScriptedEngine(many(200), [IDENTITY])) as driven:
        await driven.press(*keys)
        routes = driven.app.screen.query_one(RouteList)
        assert routes.cursor == row
        assert f"route-{row:04}" in "".join(line for line in driven.lines if line.startswith("▌"))


async def test_space_starts_and_stops() -> None:
    async with drive() as driven:
        await driven.press("j", "j", "j", "space")
        assert driven.engine.requests == [("start", "kafka-1")]
        assert "◉ kafka-1" in driven.text
        await driven.press("space")
        assert driven.engine.requests[-1] == ("stop", "kafka-1")
        assert "○ kafka-1" in driven.text


async def test_stopping_live_connections_says_how_many_were_cut() -> None:
    async with drive() as driven:
        await driven.press("j", "j", "j", "j", "space")
        assert driven.toasts == ["Stopped orders-db, 2 cut."]


async def test_r_restarts() -> None:
    async with drive() as driven:
        await driven.press("j", "r")
        assert driven.engine.requests == [("restart", "grafana")]
        assert "grafana  listening on" in driven.text


async def test_enter_and_esc_go_in_and_out_and_the_cursor_stays() -> None:
    async with drive() as driven:
        await driven.press("j", "enter")
        assert driven.shows(DetailScreen)
        await driven.press("escape")
        assert driven.shows(RoutesScreen)
        assert driven.app.screen.query_one(RouteList).cursor == 1


async def test_y_copies_the_local_address_and_says_so() -> None:
    async with drive() as driven:
        await driven.press("y")
        assert driven.app.clipboard == "127.0.0.1:25432"
        assert driven.toasts == ["Copied the local address by the terminal: 127.0.0.1:25432"]
        await driven.press("j", "j", "j", "y")
        assert driven.toasts[-1].startswith("It has no local address yet")


async def test_filter_narrows_while_typing_and_enter_keeps_it() -> None:
    async with drive() as driven:
        await driven.press("slash")
        await driven.enter_text("db")
        assert driven.app.screen.query_one(RouteList).names == ["billing-db", "orders-db"]
        assert "filter db  2 of 8" in driven.text
        assert driven.lines[-1].startswith(" /  db")
        await driven.press("enter", "j")
        assert driven.app.screen.query_one(RouteList).cursor == 1
        assert "filter db  2 of 8" in driven.text
        await driven.press("escape")
        assert driven.app.screen.query_one(RouteList).names == SORTED
        assert "filter" not in driven.lines[-5]


async def test_escape_in_the_filter_line_clears_it() -> None:
    async with drive() as driven:
        await driven.press("slash")
        await driven.enter_text(":off")
        assert driven.app.screen.query_one(RouteList).names == ["kafka-1"]
        await driven.press("escape")
        assert driven.app.screen.query_one(RouteList).names == SORTED
        assert driven.app.focused is driven.app.screen.query_one(RouteList)


async def test_a_filter_that_fits_nothing_says_so_and_verbs_answer_why_not() -> None:
    async with drive() as driven:
        await driven.press("slash")
        await driven.enter_text("nothing")
        await driven.press("enter")
        assert "No route fits “nothing”." in driven.text
        assert "esc clears the filter." in driven.text
        for key in ("space", "r", "y", "e", "d"):
            await driven.press(key)
            assert driven.toasts == ["No route is selected."]
            driven.app.clear_notifications()
        assert driven.engine.requests == []


async def test_sorting_by_keys_and_by_the_head_line() -> None:
    async with drive() as driven:
        routes = driven.app.screen.query_one(RouteList)
        await driven.press("s")
        assert routes.how.order.column == "STATE"
        assert routes.names[0] == "jump-ssh"
        await driven.press("S")
        assert routes.names[0] == "kafka-1"
        assert "STATE ▼" in driven.lines[2]
        await driven.pilot.click(RouteList, offset=(30, 0))
        await driven.settle()
        assert (routes.how.order.column, routes.how.order.reverse) == ("DESTINATION", False)
        await driven.pilot.click(RouteList, offset=(30, 0))
        await driven.settle()
        assert routes.how.order.reverse
        for _ in range(12):
            await driven.press("s")
        assert routes.row_count == 8


async def test_the_cursor_stays_on_its_route() -> None:
    async with drive() as driven:
        await driven.press("j", "j")
        tunnels = [one for one in every_state() if one.route.name != "billing-db"]
        driven.engine.set(*tunnels)
        await driven.settle()
        routes = driven.app.screen.query_one(RouteList)
        assert [tunnel.route.name for tunnel in [routes.selected] if tunnel] == ["jump-ssh"]
        driven.engine.set()
        await driven.settle()
        assert not routes.names
        assert "No routes yet." in driven.text


async def test_delete_asks_and_undo_brings_back_and_starts_again() -> None:
    async with drive() as driven:
        await driven.press("j", "j", "j", "j", "d")
        assert driven.shows(Question)
        assert "2 open connections are cut." in driven.text
        await driven.press("n")
        assert driven.engine.requests == []
        await driven.press("d", "enter")  # the safe answer has the focus
        assert driven.engine.requests == []
        await driven.press("d", "y")
        assert driven.engine.requests == [("change_routes", "orders-db>")]
        assert driven.toasts[-1] == "Deleted orders-db. u takes it back."
        await driven.press("g", "u")
        assert driven.engine.requests[1:] == [("change_routes", ">orders-db"), ("start", "orders-db")]
        assert driven.lines[7].startswith("▌◉ orders-db"), "the cursor is on what has come back"
        assert driven.toasts == ["orders-db is back."]
        await driven.press("u")
        assert driven.toasts[-1] == "Nothing to undo."


async def test_an_edit_is_taken_back_with_its_name() -> None:
    async with drive() as driven:
        await driven.press("f", "e", "tab", "end")
        await driven.enter_text("-x")
        await driven.press("ctrl+s")
        assert driven.engine.requests == [("change_routes", "billing-db>billing-db-x")]
        assert driven.lines[3].startswith("▌✕ billing-db-x ★")
        await driven.press("j", "u")
        assert driven.engine.requests[-1] == ("change_routes", "billing-db-x>billing-db")
        assert driven.toasts[-1] == "billing-db is as before."
        assert driven.lines[3].startswith("▌✕ billing-db ★")


async def test_what_was_added_has_the_cursor() -> None:
    async with drive() as driven:
        await driven.app.verbs.change_routes([RouteChange(None, Route("new", "new.corp:1"))], "1 route added")
        await driven.settle()
        assert any(line.startswith("▌○ new ") for line in driven.lines)


async def test_marked_routes_are_deleted_together_and_come_back_together() -> None:
    async with drive() as driven:
        await driven.press("m", "m", "d")
        assert "Delete 2 routes?" in driven.text
        assert "billing-db, grafana. u brings them back until" in driven.text
        await driven.press("y")
        (request,) = driven.engine.requests
        assert sorted(request) == ["billing-db>", "change_routes", "grafana>"]
        assert driven.toasts[-1] == "Deleted 2 routes. u takes it back."
        await driven.press("u")
        assert {"billing-db", "grafana"} <= set(driven.app.screen.query_one(RouteList).names)
        assert ("start", "grafana") in driven.engine.requests


async def test_an_undo_leaves_what_was_changed_since() -> None:
    async with drive() as driven:
        one, other = Route("new", "new.corp:1"), Route("newer", "newer.corp:1")
        await driven.app.verbs.change_routes([RouteChange(None, one), RouteChange(None, other)], "2 routes added")
        driven.engine.change("new", route=replace(one, note="mine"))
        await driven.press("u")
        assert driven.engine.requests[-1] == ("change_routes", "newer>")
        assert driven.toasts[-2:] == ["Changed since, and left as they are: new.", "Taken back: 2 routes added."]


async def test_an_undo_that_fails_can_be_tried_again() -> None:
    async with drive() as driven:
        await driven.press("d", "y")
        driven.engine.fail_with = ConfigError("the file can't be written", hint="Free some space.")
        await driven.press("u")
        assert driven.toasts[-1] == "The file can't be written. Free some space."
        await driven.press("u")
        assert "billing-db" in driven.text


async def test_the_question_by_mouse() -> None:
    async with drive() as driven:
        await driven.press("d")
        await driven.pilot.click("#yes")
        await driven.settle()
        assert driven.engine.requests == [("change_routes", "billing-db>")]


async def test_a_and_e_open_the_form_and_i_the_sign_in() -> None:
    async with drive() as driven:
        for key, kind in (("a", RouteForm), ("e", RouteForm), ("i", SignInScreen), ("l", LogScreen), ("L", LogScreen)):
            await driven.press(key)
            assert driven.shows(kind), key
            await driven.press("w" if kind is SignInScreen else "escape")
            assert driven.shows(RoutesScreen), key


async def test_sign_in_needs_a_proxy() -> None:
    async with drive() as driven:
        driven.engine.change("billing-db", proxy="")
        await driven.settle()
        await driven.press("i")
        assert driven.toasts[-1].startswith("The destination does not parse")
    async with drive(ScriptedEngine()) as driven:
        await driven.press("i")
        assert driven.toasts[-1].startswith("Add a route first")


async def test_the_mouse_selects_opens_and_scrolls() -> None:
    async with drive(ScriptedEngine(many(200), [IDENTITY])) as driven:
        routes = driven.app.screen.query_one(RouteList)
        await driven.pilot.click(RouteList, offset=(10, 5))
        assert routes.cursor == 4
        await driven.pilot._post_mouse_events([__import__("textual.events").events.MouseScrollDown], RouteList)
        await driven.settle()
        assert routes.scroll_offset.y > 0
        assert routes.cursor == 4
        await driven.pilot.double_click(RouteList, offset=(10, 3))
        await driven.settle()
        assert driven.shows(DetailScreen)


async def test_keys_of_the_footer_can_be_clicked() -> None:
    async with drive() as driven:
        footer = driven.lines[-1]
        await driven.pilot.hover("#footer", offset=(footer.index("a add"), 0))
        await driven.pilot.click("#footer", offset=(footer.index("a add"), 0))
        await driven.settle()
        assert driven.shows(RouteForm)


async def test_the_footer_keeps_help_to_the_last() -> None:
    for width in (30, 40, 60, 80, 120):
        async with drive(size=(width, 24)) as driven:
            assert driven.lines[-1].rstrip().endswith(("? help", "q quit"))
            assert "? help" in driven.lines[-1]


async def test_panes_come_and_go_with_the_size() -> None:
    async with drive(size=LARGE) as driven:
        assert "┤ Connections 0 ├" in driven.text
        assert "┤ Log: billing-db ├" in driven.text
        await driven.press("tab")
        assert driven.app.focused is not None
        assert driven.app.focused.id == "connections"
        await driven.pilot.resize_terminal(*SMALL)
        await driven.settle()
        assert "Connections" not in driven.text
        assert driven.app.focused is driven.app.screen.query_one(RouteList)
        assert len(driven.lines) == 24
        await driven.pilot.resize_terminal(*LARGE)
        await driven.settle()
        assert "┤ Connections 0 ├" in driven.text


async def test_tab_goes_round_the_panes_and_does_nothing_without_them() -> None:
    async with drive(size=LARGE) as driven:
        seen = []
        for _ in range(4):
            await driven.press("tab")
            seen.append(driven.app.focused.id if driven.app.focused else None)
        assert seen == ["connections", "log", "routes", "connections"]
        await driven.press("escape")
        assert driven.app.focused is driven.app.screen.query_one(RouteList)
    async with drive() as driven:
        await driven.press("tab")
        assert driven.app.focused is driven.app.screen.query_one(RouteList)


async def test_the_log_pane_follows_the_selected_route() -> None:
    async with drive(size=LARGE) as driven:
        for event in events():
            await driven.engine.tell(event)
        await driven.settle()
        assert "sign-in needed" not in driven.text
        await driven.press("j", "j")
        assert "sign-in needed" in driven.text
        await driven.engine.tell(Event("state", NOW, "signed in again", route="jump-ssh"))
        await driven.engine.tell(Event("state", NOW, "not of this route", route="kafka-1"))
        await driven.settle()
        assert "signed in again" in driven.text
        assert "not of this route" not in driven.text


async def test_first_run_offers_only_what_makes_sense() -> None:
    async with drive(ScriptedEngine(), config_path="~/.config/tunnelui/config.toml") as driven:
        assert "No routes yet." in driven.text
        assert "Config: ~/.config/tunnelui/config.toml" in driven.text
        assert driven.lines[-1].split() == ["a", "add", "R", "discover", "?", "help", "^p", "commands", "q", "quit"]
        assert "○ signed out │ 0 routes" in driven.lines[0]
        await driven.press("space", "enter", "d", "slash")
        assert driven.shows(RoutesScreen)
        assert driven.engine.requests == []
        await driven.press("a")
        assert driven.shows(RouteForm)


@pytest.mark.parametrize(
    ("identity", "words"),
    [
        (IDENTITY, "● alice@corp.example 9h12m"),
        (replace(IDENTITY, status=IdentityStatus.EXPIRED), "◌ alice@corp.example expired, i renews"),
        (replace(IDENTITY, status=IdentityStatus.SIGNED_OUT, name=""), "○ signed out"),
        (replace(IDENTITY, status=IdentityStatus.SERVICE_ACCOUNT, name="", expires_at=None), "● service account"),
        (IdentitySnapshot("other", PROXY, IdentityStatus.SIGNED_IN, "bob"), "○ signed out"),
    ],
)
async def test_the_header_says_who_is_signed_in_at_the_selected_routes_proxy(
    identity: IdentitySnapshot, words: str
) -> None:
    async with drive(ScriptedEngine(every_state(), [identity])) as driven:
        assert words in driven.lines[0]


async def test_countdowns_run_with_the_clock() -> None:
    async with drive() as driven:
        assert "retry 8s" in driven.text
        await driven.wait(3)
        assert "retry 5s" in driven.text
        await driven.wait(60)
        assert "9h10m" in driven.lines[0]


async def test_rates_show_while_bytes_flow_and_go_when_they_stop() -> None:
    async with drive() as driven:
        driven.engine.change("orders-db", bytes_in=1_880_985 + 512_000)
        await driven.wait(1)
        assert "↓500K/s" in driven.lines[0]
        await driven.wait(1)
        assert "↓0/s" in driven.lines[0]


async def test_port_profile_column_for_several_profiles() -> None:
    tunnels = list(every_state())
    tunnels[0] = replace(tunnels[0], route=replace(tunnels[0].route, profile="lab"))
    async with drive(ScriptedEngine(tunnels, [IDENTITY]), size=(99, 24)) as driven:
        assert "PROFILE" in driven.lines[2]


async def test_an_engine_that_fails_shows_in_the_strip_and_the_screen_goes_on() -> None:
    async with drive() as driven:
        driven.engine.snapshot_fails = RuntimeError("broken [pipe]")
        await driven.settle()
        assert "the tunnels can't be asked: broken [pipe]" in driven.text
        driven.engine.snapshot_fails = None
        await driven.settle()
        assert "can't be asked" not in "\n".join(driven.lines[-6:])
        assert driven.app.screen.query_one(RouteList).row_count == 8


@pytest.mark.parametrize("state", list(State))
async def test_colour_glyph_and_word_for_every_state_without_colour_and_in_ascii(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    tunnel = replace(every_state()[0], state=state)
    async with drive(ScriptedEngine([tunnel], [IDENTITY]), ascii_only=True) as driven:
        word = state.value if state is not State.LIVE else "live  2"
        assert word in driven.lines[3]
        assert driven.lines[3].startswith(">")
        assert all(character.isascii() for line in driven.lines for character in line), driven.text


async def test_the_panes_fill_and_follow_the_size_under_a_question() -> None:
    async with drive() as driven:
        await driven.press("d")
        assert driven.shows(Question)
        await driven.pilot.resize_terminal(*LARGE)
        await driven.settle()
        assert "Session  alice@corp.example" in driven.text
        assert "┬" in driven.lines[1]
