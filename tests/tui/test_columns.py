"""Rows, orders and columns."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.tunnel_scenes import NOW, every_state, many
from tunnelui.config.route import Route
from tunnelui.engine.model import State, TunnelSnapshot
from tunnelui.tui.lines.rows import Column, RouteRow, route_row, state_words
from tunnelui.tui.listing.columns import LEAD, choose_layout, port_only, widest_rows
from tunnelui.tui.listing.order import SortOrder, ordered

_TOTALS = {Column.IN, Column.OUT}
_RATES = {Column.RATE_IN, Column.RATE_OUT, Column.GRAPH}


def _rows() -> list[RouteRow]:
    return [route_row(tunnel, NOW) for tunnel in every_state()]


def _columns(width: int, *, profiles: bool = False) -> list[Column]:
    return [slot.column for slot in choose_layout(width, _rows(), profiles=profiles).slots]


def test_the_order_in_which_columns_give_way() -> None:
    everything = [column for column in Column if column not in _RATES]
    assert [column for column in _columns(100, profiles=True) if column not in _RATES] == everything
    given_up: list[Column] = []
    for width in range(100, 20, -1):
        now = _columns(width, profiles=True)
        for column in everything:
            if column not in now and column not in given_up:
                given_up.append(column)
    assert given_up == [Column.OUT, Column.IN, Column.PROFILE, Column.LOCAL, Column.DESTINATION]


def test_the_local_host_goes_before_the_destination_is_cut() -> None:
    shortened = [choose_layout(width, _rows(), profiles=False).short_local for width in range(75, 50, -1)]
    first = shortened.index(True)
    layout = choose_layout(75 - first, _rows(), profiles=False)
    assert next(slot.width for slot in layout.slots if slot.column is Column.DESTINATION) >= 21


@pytest.mark.parametrize("width", range(24, 200))
def test_columns_never_overlap_nor_leave_the_line(width: int) -> None:
    layout = choose_layout(width, _rows(), profiles=True)
    end = LEAD
    for slot in layout.slots:
        assert slot.x >= end
        end = slot.x + slot.width + 1
    assert end - 1 <= width
    assert [slot.column for slot in layout.slots][:2] == [Column.NAME, Column.STATE]


def test_one_very_long_name_leaves_the_destinations_whole() -> None:
    """Where there is room: the name takes what the others have left over."""
    long = replace(every_state()[0], target="orders.production.corp.example.com:5432")
    rows = [route_row(replace(long, route=Route("n" * 64, "db:5432")), NOW)]
    layout = choose_layout(115, rows, profiles=False)
    assert layout.width_of(Column.DESTINATION) == len(rows[0].cell(Column.DESTINATION)) == 39
    assert layout.width_of(Column.NAME) >= 32
    assert choose_layout(160, rows, profiles=False).width_of(Column.NAME) == 64


def test_a_single_profile_is_no_column() -> None:
    assert Column.PROFILE not in _columns(200)


def test_a_long_destination_does_not_push_numbers_out() -> None:
    tunnel = every_state()[0]
    row = route_row(replace(tunnel, target="x" * 90 + ":1"), NOW)
    assert Column.OUT in [slot.column for slot in choose_layout(80, [row], profiles=False).slots]


def test_the_column_under_the_mouse() -> None:
    layout = choose_layout(80, _rows(), profiles=False)
    assert layout.at(LEAD) is Column.NAME
    assert layout.at(79) is Column.OUT
    assert layout.at(0) is None


@pytest.mark.parametrize(
    ("local", "short"), [("127.0.0.1:22", ":22"), ("[::1]:22", ":22"), ("unix:/run/x", "unix:/run/x"), ("auto", "auto")]
)
def test_port_only(local: str, short: str) -> None:
    assert port_only(local) == short


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"state": State.LIVE, "live": 2}, "live  2"),
        ({"state": State.LIVE, "live": 12_345}, "live 12k"),
        ({"state": State.RETRY, "retry_at": NOW + 7.2}, "retry 8s"),
        ({"state": State.RETRY, "retry_at": NOW - 1}, "retry"),
        ({"state": State.RETRY, "retry_at": NOW + 4000}, "retry"),
        ({"state": State.PORT_BUSY}, "port busy"),
    ],
)
def test_states_in_at_most_nine_cells(fields: dict[str, object], words: str) -> None:
    tunnel = replace(TunnelSnapshot(Route("a", "b:1"), State.OFF), **fields)  # type: ignore[arg-type]  # table of fields
    assert state_words(tunnel, NOW) == words
    assert len(words) <= 9


def test_an_off_tunnel_without_a_port_says_auto_and_counts_nothing() -> None:
    row = route_row(TunnelSnapshot(Route("a", "b:1"), State.OFF), NOW)
    assert (row.local, row.bytes_in, row.target) == ("auto", "", "b:1")


@pytest.mark.parametrize(
    ("order", "first"),
    [
        (SortOrder(Column.NAME), "billing-db"),
        (SortOrder(Column.NAME, reverse=True), "win-rdp"),
        (SortOrder(Column.STATE), "jump-ssh"),
        (SortOrder(Column.DESTINATION), "billing-db"),
        (SortOrder(Column.LOCAL), "jump-ssh"),
        (SortOrder(Column.PROFILE), "billing-db"),
        (SortOrder(Column.IN), "orders-db"),
        (SortOrder(Column.OUT), "orders-db"),
    ],
)
def test_orders(order: SortOrder, first: str) -> None:
    assert ordered(every_state(), order)[0].route.name == first


def test_many_rows_sort_by_name() -> None:
    names = [tunnel.route.name for tunnel in ordered(reversed(many(50)), SortOrder())]
    assert names == sorted(names)


def test_beside_a_pane_the_totals_give_way_before_anything_is_cut() -> None:
    full = choose_layout(200, _rows(), profiles=False, totals=False)
    assert {Column.IN, Column.OUT} <= {slot.column for slot in full.slots}
    seen = set()
    for width in range(110, 60, -1):
        layout = choose_layout(width, _rows(), profiles=False, totals=False)
        columns = {slot.column for slot in layout.slots}
        whole = {
            column: next(slot.width for slot in layout.slots if slot.column is column) for column in columns - _TOTALS
        }
        if columns & _TOTALS:
            assert columns >= _TOTALS  # both or none
            assert all(whole[column] >= max(len(row.cell(column)) for row in _rows()) for column in whole)
        seen.add(bool(columns & _TOTALS))
    assert seen == {True, False}


def test_rates_and_the_graph_come_last_and_cost_no_other_column_a_cell() -> None:
    seen: list[Column] = []
    for width in range(80, 220):
        layout = choose_layout(width, _rows(), profiles=True)
        columns = [slot.column for slot in layout.slots]
        seen += [column for column in columns if column in _RATES and column not in seen]
        if _RATES & set(columns):
            assert width >= 100
            assert set(columns) >= {column for column in Column if column not in _RATES}
            for column in (Column.NAME, Column.DESTINATION, Column.LOCAL):
                assert layout.width_of(column) >= max(len(row.cell(column)) for row in _rows())
    assert seen == [Column.RATE_IN, Column.RATE_OUT, Column.GRAPH]
    assert layout.width_of(Column.GRAPH) >= 60


def test_the_widest_rows_give_the_same_columns_as_all_of_them() -> None:
    rows = [route_row(tunnel, NOW) for tunnel in (*every_state(), *many(200))]
    few = widest_rows(rows)
    assert len(few) <= 4
    for width in (60, 80, 120, 200):
        assert choose_layout(width, few, profiles=True) == choose_layout(width, rows, profiles=True)
