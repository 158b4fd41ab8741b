"""Which columns of the route list fit into a width, and how wide each one is.

When the width runs out, columns give way in a fixed order: the graph and the rates, OUT, IN, PROFILE, the host part of
LOCAL, the middle of DESTINATION, then LOCAL and DESTINATION as a whole. NAME and STATE always stay. Rates and graph
come only where all others have what they ask for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.cells import cell_len

from tunnelui.frozen import frozen
from tunnelui.tui.lines.rows import Column

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from tunnelui.tui.lines.rows import RouteRow

__all__ = ["LEAD", "RIGHT", "Layout", "Slot", "choose_layout", "port_only", "widest_rows"]

LEAD: Final = 3
"""Cells before the first column: the bar, the sign of the state, a space."""

RIGHT: Final = frozenset({Column.IN, Column.OUT, Column.RATE_IN, Column.RATE_OUT})
_STATE_WIDTH: Final = 9
_NUMBER_WIDTH: Final = 5
_LEAST: Final = {Column.NAME: 6, Column.DESTINATION: 11, Column.LOCAL: 6, Column.PROFILE: 7}
# What a column may ask for before others give way; what is left over afterwards is shared out.
_COMFORT: Final = {Column.NAME: 20, Column.DESTINATION: 22, Column.LOCAL: 16, Column.PROFILE: 10}
# How far a column is widened before the others are: one very long name leaves the destinations readable.
_FAIR: Final = {Column.NAME: 32, Column.DESTINATION: 48}
_NAME_KEEPS: Final = 12
"""A name is not cut below this while LOCAL or DESTINATION stand beside it."""
_ROOM_FOR_RATES: Final = 100
"""Cells from which on rates may stand in the list."""
_RATE_WIDTH: Final = 6
_GRAPH_LEAST: Final = 21
_GRAPH_MOST: Final = 60
_WIDEST_GAP: Final = 3
_TAIL: Final = 1


@frozen
class Slot:
    """One column: where it starts, how wide it is."""

    column: Column
    x: int
    width: int

    @property
    def right(self) -> bool:
        return self.column in RIGHT


@frozen
class Layout:
    """The columns from left to right; ``short_local`` leaves the host part of LOCAL out."""

    slots: tuple[Slot, ...]
    short_local: bool = False

    def width_of(self, column: Column) -> int:
        """Return how wide a column is, 0 where there is none."""
        return next((slot.width for slot in self.slots if slot.column is column), 0)

    def at(self, x: int) -> Column | None:
        """Return the column at the cell *x*, for the mouse."""
        return next((slot.column for slot in reversed(self.slots) if x >= slot.x), None)


def choose_layout(width: int, rows: Sequence[RouteRow], *, profiles: bool, totals: bool = True) -> Layout:
    """Return the layout for *width* cells.

    :param profiles: whether the PROFILE column would tell anything.
    :param totals: without it IN and OUT stay only where nothing else is cut for them; a pane beside the list has them.
    """
    wanted = {column: _widest(column, rows) for column in (Column.NAME, Column.DESTINATION, Column.LOCAL)}
    wanted[Column.STATE] = _STATE_WIDTH
    wanted[Column.PROFILE] = _widest(Column.PROFILE, rows)
    wanted[Column.IN] = wanted[Column.OUT] = _NUMBER_WIDTH
    columns = [column for column in Column if column in wanted and (profiles or column is not Column.PROFILE)]
    widths = {column: min(wanted[column], _COMFORT.get(column, wanted[column])) for column in columns}
    short_local = False

    def spare() -> int:
        return width - LEAD - _TAIL - sum(widths.values()) - (len(widths) - 1)

    if not totals and spare() < sum(wanted[column] - own for column, own in widths.items()):
        del widths[Column.OUT], widths[Column.IN]
    for column in (Column.OUT, Column.IN, Column.PROFILE):
        if spare() < 0:
            widths.pop(column, None)
    if spare() < 0:
        short_local = True
        widths[Column.LOCAL] = _LEAST[Column.LOCAL]
    for column, least in ((Column.DESTINATION, _LEAST[Column.DESTINATION]), (Column.NAME, _NAME_KEEPS)):
        if spare() < 0:
            widths[column] = max(min(least, widths[column]), widths[column] + spare())
    for column in (Column.LOCAL, Column.DESTINATION):
        if spare() < 0:
            del widths[column]
    if spare() < 0:
        widths[Column.NAME] = max(_LEAST[Column.NAME], widths[Column.NAME] + spare())
    for limits in (_FAIR, wanted):
        for column in (Column.NAME, Column.DESTINATION, Column.LOCAL, Column.PROFILE):
            if column in widths and spare() > 0 and not (short_local and column is Column.LOCAL):
                goal = min(wanted[column], limits.get(column, wanted[column]))
                widths[column] += min(spare(), max(0, goal - widths[column]))
    if width >= _ROOM_FOR_RATES and Column.OUT in widths:
        if spare() >= 2 * (_RATE_WIDTH + 1):
            widths[Column.RATE_IN] = widths[Column.RATE_OUT] = _RATE_WIDTH
        if spare() > _GRAPH_LEAST + len(widths):
            widths[Column.GRAPH] = min(_GRAPH_MOST, spare() - len(widths))
    return Layout(_place(widths, spare()), short_local)


def widest_rows(rows: Iterable[RouteRow]) -> list[RouteRow]:
    """Return those few of *rows* that decide how wide the columns are."""
    found: dict[Column, tuple[int, RouteRow]] = {}
    for row in rows:
        for column in (Column.NAME, Column.DESTINATION, Column.LOCAL, Column.PROFILE):
            size = cell_len(row.cell(column))
            if column not in found or size > found[column][0]:
                found[column] = (size, row)
    return [row for _, row in found.values()]


def _widest(column: Column, rows: Collection[RouteRow]) -> int:
    return max([_LEAST[column], *(cell_len(row.cell(column)) for row in rows)])


def _place(widths: dict[Column, int], spare: int) -> tuple[Slot, ...]:
    columns = [column for column in Column if column in widths]
    gaps = [1] * (len(columns) - 1)
    for _ in range(_WIDEST_GAP - 1):
        for index in range(len(gaps)):
            if spare > 0:
                gaps[index] += 1
                spare -= 1
    slots = []
    x = LEAD
    for index, column in enumerate(columns):
        slots.append(Slot(column, x, widths[column]))
        x += widths[column] + (gaps[index] if index < len(gaps) else 0)
    return tuple(slots)


def port_only(local: str) -> str:
    """``127.0.0.1:15432`` as ``:15432``; anything without a port as it is."""
    _, colon, port = local.rpartition(":")
    return f":{port}" if colon and port.isascii() and port.isdigit() else local
