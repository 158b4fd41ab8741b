"""Rows: in order, in groups, and kept where they are as long as nothing moves them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.support.tunnel_scenes import every_state, many
from tunnelui.engine.model import State, TunnelSnapshot
from tunnelui.tui.lines.rows import Column
from tunnelui.tui.listing.arrange import Arrangement, Group, Grouping
from tunnelui.tui.listing.filtering import RouteFilter
from tunnelui.tui.listing.order import SortOrder
from tunnelui.tui.listing.row_model import Change, RowModel

if TYPE_CHECKING:
    from collections.abc import Callable

ALL = RouteFilter()


def _words(model: RowModel) -> list[str]:
    return [
        f"[{item.name} {item.count} {item.up} {item.trouble}{' folded' if item.folded else ''}]"
        if isinstance(item, Group)
        else item.route.name
        for item in model.items
    ]


def _model(how: Arrangement | None = None, tunnels: tuple[TunnelSnapshot, ...] | None = None) -> RowModel:
    model = RowModel()
    if how:
        model.arrange(how)
    model.take(every_state() if tunnels is None else tunnels, ALL)
    return model


def test_groups_by_the_first_tag_with_what_is_up_and_in_trouble() -> None:
    assert _words(_model(Arrangement(grouping=Grouping.TAG))) == [
        "[db 2 1 1]",
        "billing-db",
        "orders-db",
        "[lab 6 1 4]",
        "grafana",
        "jump-ssh",
        "kafka-1",
        "redis-stage",
        "vnc-lab",
        "win-rdp",
    ]


def test_routes_without_a_tag_come_last() -> None:
    one, other = many(2)
    bare = replace(one, route=replace(one.route, tags=()))
    assert _words(_model(Arrangement(grouping=Grouping.TAG), (bare, other))) == [
        "[lab 1 1 0]",
        "route-0001",
        "[ 1 1 0]",
        "route-0000",
    ]


def test_groups_by_profile_and_folded() -> None:
    how = Arrangement(grouping=Grouping.PROFILE, folded=frozenset({"corp"}))
    assert _words(_model(how)) == ["[corp 8 2 5 folded]"]
    assert _model(how).match_count == 8


@pytest.mark.parametrize("reverse", [False, True])
def test_favourites_stand_first_in_whatever_order(reverse: bool) -> None:
    how = Arrangement(SortOrder(Column.NAME, reverse), favourites=frozenset({"orders-db", "kafka-1"}))
    names = _words(_model(how))
    assert names[:2] == (["orders-db", "kafka-1"] if reverse else ["kafka-1", "orders-db"])
    assert sorted(names) == sorted(tunnel.route.name for tunnel in every_state())


def test_a_filter_opens_groups_and_closing_one_meanwhile_is_not_for_good() -> None:
    model = _model(Arrangement(grouping=Grouping.TAG, folded=frozenset({"db", "lab"})))
    model.take(model.source, RouteFilter("db"))
    assert _words(model) == ["[db 2 1 1]", "billing-db", "orders-db"]
    model.fold(frozenset({"db"}))
    assert _words(model) == ["[db 2 1 1 folded]"]
    model.take(model.source, RouteFilter("d"))
    assert "billing-db" in _words(model)
    model.take(model.source, ALL)
    assert _words(model) == ["[db 2 1 1 folded]", "[lab 6 1 4 folded]"]


def _with(tunnels: tuple[TunnelSnapshot, ...], name: str, **fields: object) -> tuple[TunnelSnapshot, ...]:
    return tuple(
        replace(one, **fields) if one.route.name == name else one  # type: ignore[arg-type]  # names are the test's
        for one in tunnels
    )


def test_what_moves_rows_and_what_does_not() -> None:
    tunnels = every_state()
    model = _model(tunnels=tunnels)
    assert model.take(tunnels, ALL) is Change.IN_PLACE
    busy = _with(tunnels, "orders-db", bytes_in=99)
    assert model.take(busy, ALL) is Change.IN_PLACE
    assert model.items[model.places["orders-db"]] is busy[0]
    down = _with(busy, "orders-db", state=State.OFF)
    assert model.take(down, ALL) is Change.IN_PLACE
    moved = _with(down, "kafka-1", local="127.0.0.1:4000")
    assert model.take(moved, ALL) is Change.WORDS
    assert model.take(moved[1:], ALL) is Change.WORDS
    assert "orders-db" not in model.places


@pytest.mark.parametrize(
    ("how", "wanted", "fields"),
    [
        (Arrangement(SortOrder(Column.IN)), ALL, {"bytes_in": 10**9}),
        (Arrangement(SortOrder(Column.STATE)), ALL, {"state": State.LIVE}),
        (Arrangement(grouping=Grouping.TAG), ALL, {"state": State.LIVE}),
        (Arrangement(), RouteFilter(":off"), {"state": State.LIVE}),
        (Arrangement(), RouteFilter("", hides_stopped=True), {"state": State.LIVE}),
    ],
)
def test_what_changes_the_order_the_match_or_a_groups_numbers_arranges_anew(
    how: Arrangement, wanted: RouteFilter, fields: dict[str, object]
) -> None:
    tunnels = every_state()
    model = _model(how, tunnels)
    model.take(tunnels, wanted)
    changed = _with(tunnels, "kafka-1", **fields)
    assert model.take(changed, wanted) is Change.ORDER
    fresh = _model(how, changed)
    fresh.take(changed, wanted)
    assert _words(model) == _words(fresh)
    assert all(item in changed for item in model.items if not isinstance(item, Group))


def test_the_next_match_goes_round_and_finds_what_is_folded() -> None:
    model = _model()
    assert model.next_match(RouteFilter("db"), model.places["billing-db"], 1) == "orders-db"
    assert model.next_match(RouteFilter("db"), model.places["orders-db"], 1) == "billing-db"
    assert model.next_match(RouteFilter("db"), model.places["orders-db"], -1) == "billing-db"
    assert model.next_match(RouteFilter("nothing"), 0, 1) is None
    model.arrange(Arrangement(grouping=Grouping.TAG, folded=frozenset({"db"})))
    assert model.next_match(RouteFilter("billing"), 0, 1) == "billing-db"
    assert RowModel().next_match(RouteFilter("x"), 0, 1) is None


# Rows that are held.

BY_STATE = Arrangement(order=SortOrder(Column.STATE))


def _changed(tunnels: tuple[TunnelSnapshot, ...], name: str, **fields: object) -> tuple[TunnelSnapshot, ...]:
    return tuple(replace(one, **fields) if one.route.name == name else one for one in tunnels)  # type: ignore[arg-type]


def test_a_row_that_is_held_keeps_its_place_and_shows_what_it_is_now() -> None:
    model, tunnels = _model(BY_STATE, many(4)), many(4)
    before = _words(model)
    tunnels = _changed(tunnels, "route-0002", state=State.DENIED)
    model.take(tunnels, ALL, held=True)
    assert _words(model) == before
    shown = model.items[2]
    assert isinstance(shown, TunnelSnapshot)
    assert (shown.route.name, shown.state) == ("route-0002", State.DENIED)
    tunnels = _changed(tunnels, "route-0003", bytes_in=5)
    assert model.take(tunnels, ALL, held=True) is Change.IN_PLACE
    assert model.is_late
    assert model.take(tunnels, ALL, held=False) is Change.ORDER
    assert _words(model) == ["route-0002", "route-0000", "route-0001", "route-0003"]
    moved = model.items[0]
    assert isinstance(moved, TunnelSnapshot)
    assert moved.state is State.DENIED


def test_what_a_filter_no_longer_lets_through_stays_while_it_is_held() -> None:
    model, tunnels, ready = RowModel(), many(4), RouteFilter(":ready")
    model.take(tunnels, ready)
    model.take(_changed(tunnels, "route-0001", state=State.OFF), ready, held=True)
    assert _words(model) == ["route-0000", "route-0001", "route-0002", "route-0003"]
    assert model.match_count == 4
    model.arrange()
    assert _words(model) == ["route-0000", "route-0002", "route-0003"]
    assert not model.is_late


def test_groups_that_are_held_count_what_is_up_now() -> None:
    how = Arrangement(order=SortOrder(Column.STATE), grouping=Grouping.TAG)
    model, tunnels = _model(how, many(3)), many(3)
    assert model.take(_changed(tunnels, "route-0002", state=State.DENIED), ALL, held=True) is Change.ORDER
    assert _words(model) == ["[lab 3 2 1]", "route-0000", "route-0001", "route-0002"]
    model.arrange()
    assert _words(model) == ["[lab 3 2 1]", "route-0002", "route-0000", "route-0001"]


def test_new_routes_another_filter_and_another_order_are_held_up_by_nothing() -> None:
    tunnels = many(4)
    changed = _changed(tunnels, "route-0002", state=State.DENIED)
    acts: tuple[Callable[[RowModel], object], ...] = (
        lambda model: model.take(changed[1:], ALL, held=True),
        lambda model: model.take(changed, RouteFilter("route"), held=True),
        lambda model: model.take((*changed[:3], replace(changed[3], route=many(5)[4].route)), ALL, held=True),
        lambda model: model.arrange(BY_STATE),
    )
    for act in acts:
        model = _model(BY_STATE, tunnels)
        model.take(changed, ALL, held=True)
        act(model)
        assert not model.is_late
        assert _words(model)[0] == "route-0002"


def test_a_started_route_whose_address_is_new_is_held_and_measured() -> None:
    tunnels = many(3)
    model = _model(BY_STATE, tunnels)
    news = _changed(tunnels, "route-0002", state=State.DENIED, local="127.0.0.1:5")
    assert model.take(news, ALL, held=True) is Change.WORDS
    assert _words(model) == ["route-0000", "route-0001", "route-0002"]
