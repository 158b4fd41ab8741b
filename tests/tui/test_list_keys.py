"""The list by its keys and by mouse: groups, favourites, tags, the next match, panes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.screens import LARGE, Driven, drive
from tests.support.scripted_engine import ScriptedEngine
from tests.support.tunnel_scenes import IDENTITY, every_state, many
from tunnelui.tui.widgets.route_list import RouteList


def _focused(driven: Driven) -> str | None:
    return driven.app.focused.id if driven.app.focused else None


async def test_b_groups_by_tag_by_profile_and_not_at_all() -> None:
    async with drive() as driven:
        await driven.press("b")
        assert driven.lines[3].startswith(" ▾ db  2 routes   1 up   1 ▲")
        assert driven.lines[4].startswith("▌✕ billing-db")  # the cursor stays on its route
        assert driven.toasts[-1] == "Grouped by tag."
        await driven.press("b")
        assert driven.lines[3].startswith(" ▾ corp  8 routes")
        await driven.press("b")
        assert driven.lines[3].startswith("▌✕ billing-db")
        assert driven.toasts == ["No groups."]  # one message, the newest
        for tunnel in driven.engine.state.tunnels:
            driven.engine.change(tunnel.route.name, route=replace(tunnel.route, tags=()))
        await driven.settle()
        await driven.press("b")
        assert driven.toasts == ["Grouped by tag, but no route has one yet: t gives it some."]


@pytest.mark.parametrize("key", ["space", "enter", "left"])
async def test_a_group_folds_and_opens_by_any_of_its_keys(key: str) -> None:
    async with drive() as driven:
        await driven.press("b", "g", key)
        assert driven.lines[3].startswith("▌▸ db  2 routes")
        assert driven.lines[4].startswith(" ▾ lab")
        assert "opens the group" in driven.text
        await driven.press("right" if key == "left" else key)
        assert driven.lines[4].startswith(" ✕ billing-db")
        assert "folds the group" in driven.text
        assert driven.engine.requests == []


async def test_left_on_a_route_folds_its_group_and_a_route_that_is_gone_to_opens_it() -> None:
    async with drive() as driven:
        await driven.press("b", "j", "left")
        assert driven.lines[3].startswith("▌▸ db")
        driven.app.screen.go_to("orders-db")  # type: ignore[attr-defined]  # the routes
        await driven.settle()
        assert any(line.startswith("▌● orders-db") for line in driven.lines)


async def test_a_click_on_a_group_folds_it_and_one_more_opens_it() -> None:
    async with drive() as driven:
        await driven.press("b")
        await driven.pilot.click(RouteList, offset=(6, 1))
        await driven.settle()
        assert driven.lines[3].startswith("▌▸ db")
        await driven.pilot.click(RouteList, offset=(6, 1))
        await driven.settle()
        assert driven.lines[4].startswith(" ✕ billing-db")


async def test_m_on_a_group_marks_its_routes_and_takes_the_marks_away() -> None:
    async with drive() as driven:
        await driven.press("b", "g", "left", "m")
        assert [tunnel.route.name for tunnel in driven.app.screen.query_one(RouteList).marked] == [
            "billing-db",
            "orders-db",
        ]
        assert "2 marked" in driven.text
        await driven.press("m")
        assert driven.app.screen.query_one(RouteList).marked == []


async def test_f_puts_a_route_first_with_a_star_and_the_cursor_goes_along() -> None:
    async with drive() as driven:
        await driven.press("G", "f")
        assert driven.lines[3].startswith("▌▲ win-rdp ★")
        await driven.press("f")
        assert driven.lines[10].startswith("▌▲ win-rdp  ")
        await driven.press("g", "m", "m", "f")
        assert [line[3:16].strip() for line in driven.lines[3:5]] == ["billing-db ★", "grafana ★"]


async def test_t_edits_the_tags_of_a_route() -> None:
    async with drive() as driven:
        await driven.press("t")
        assert driven.lines[-1].startswith(" tags billing-db  db, prod,")
        await driven.enter_text("la")
        await driven.pilot.pause(0.1)
        await driven.press("tab", "enter")
        assert driven.engine.requests == [("change_routes", "billing-db>billing-db")]
        tunnel = driven.engine.snapshot().tunnel("billing-db")
        assert tunnel is not None
        assert tunnel.route.tags == ("db", "prod", "lab")
        assert driven.toasts[-1] == "Tagged 1 route. u takes it back."
        assert driven.app.focused is driven.app.screen.query_one(RouteList)


async def test_t_edits_the_tags_of_all_marked_routes() -> None:
    async with drive() as driven:
        await driven.press("m", "m", "t")
        assert driven.lines[-1].startswith(" tags of 2 routes ")
        await driven.enter_text("new")
        await driven.press("enter")
        tags = {tunnel.route.name: tunnel.route.tags for tunnel in driven.engine.snapshot().tunnels}
        assert tags["billing-db"] == ("db", "prod", "new")
        assert tags["grafana"] == ("lab", "new")
        assert tags["kafka-1"] == ("lab",)
        assert driven.toasts == ["Tagged 2 routes. u takes it back."]
        await driven.press("u")
        tags = {tunnel.route.name: tunnel.route.tags for tunnel in driven.engine.snapshot().tunnels}
        assert (tags["billing-db"], tags["grafana"]) == (("db", "prod"), ("lab",))
        assert driven.toasts == ["The tags of 2 routes are as before."]  # instead of what was said before


async def test_a_wrong_tag_is_told_and_nothing_is_lost_and_esc_changes_nothing() -> None:
    async with drive() as driven:
        await driven.press("t")
        await driven.enter_text("x" * 40)
        await driven.press("enter")
        assert "is no tag. A tag has 1 to 32 printable characters and no comma." in driven.toasts[-1]
        assert "xxxx" in driven.lines[-1]
        await driven.press("escape")
        assert driven.engine.requests == []
        assert driven.lines[-1].endswith("? help ")


async def test_n_goes_from_match_to_match_with_and_without_the_filter() -> None:
    async with drive() as driven:
        await driven.press("n")
        assert driven.toasts[-1] == "There was no filter yet: / begins one."
        await driven.press("slash", "d", "b", "enter", "n")
        assert driven.lines[4].startswith("▌● orders-db")
        await driven.press("escape", "N")  # every route is shown again
        assert driven.lines[3].startswith("▌✕ billing-db")
        await driven.press("n")
        assert driven.lines[7].startswith("▌● orders-db")
        await driven.press("n")
        assert driven.lines[3].startswith("▌✕ billing-db")


async def test_z_gives_a_pane_all_the_room_and_tab_takes_it_along() -> None:
    async with drive(size=LARGE) as driven:
        await driven.press("z")
        assert "OUT/s" in driven.lines[2]
        assert "┤ Connections" not in driven.text
        assert "┤ Log:" not in driven.text
        await driven.press("tab")
        assert _focused(driven) == "connections"
        assert "NAME" not in driven.text
        assert "Destination" in driven.text
        await driven.press("tab")
        assert _focused(driven) == "log"
        assert driven.lines[1].startswith("┤ Log: billing-db ├")
        await driven.press("shift+tab")
        assert _focused(driven) == "connections"
        await driven.press("z")
        assert "NAME" in driven.text
        assert "┤ Log:" in driven.text
        await driven.press("z", "escape")
        assert "NAME" in driven.text


async def test_a_full_pane_ends_when_the_terminal_gets_too_small_for_panes() -> None:
    async with drive(size=LARGE) as driven:
        await driven.press("tab", "tab", "z")
        await driven.pilot.resize_terminal(80, 24)
        await driven.settle()
        assert driven.lines[3].startswith("▌✕ billing-db")
        await driven.press("z")
        assert driven.toasts[-1].startswith("The panes stand beside the list from 100x30 on.")


async def test_a_row_of_a_group_is_never_taken_for_a_route() -> None:
    async with drive(size=LARGE) as driven:
        await driven.press("b", "g", "y", "e", "d", "T", "t", "f", "tab", "escape")
        assert driven.engine.requests == []
        assert {"No route is selected."} == set(driven.toasts[1:])
        assert "db: 2 routes, 1 up, 1 in trouble." in driven.text


async def test_folding_among_thousands_keeps_the_cursor_in_sight() -> None:
    async with drive(ScriptedEngine(many(2000), [IDENTITY])) as driven:
        await driven.press("b", "G", "left")
        assert driven.lines[3].startswith("▌▸ lab  2000 routes")
        await driven.press("right", "G")
        assert any(line.startswith("▌◉ route-1999") for line in driven.lines)


async def test_a_route_that_goes_while_its_tags_are_typed_is_told() -> None:
    async with drive() as driven:
        await driven.press("t")
        driven.engine.set(*(one for one in every_state() if one.route.name != "billing-db"))
        await driven.settle()
        await driven.press("x", "enter")
        assert driven.toasts[-1] == "Not tagged, since it was removed or renamed elsewhere: billing-db."
        assert driven.engine.requests == []
