"""The list of routes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunnelui.tui.columns import LEAD, Layout, choose_layout, port_only
from tunnelui.tui.glyphs import COLOURS
from tunnelui.tui.rows import Column, RouteRow, SortOrder, ordered, route_row
from tunnelui.tui.widgets.row_list import RowList
from tunnelui.tui.words import fit, line, pad

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.content import Content

    from tunnelui.engine.model import TunnelSnapshot
    from tunnelui.tui.filtering import RouteFilter
    from tunnelui.tui.glyphs import Glyphs

__all__ = ["RouteList"]


class RouteList(RowList):
    """One row a route. The cursor stays on its route, whatever is added, removed, sorted or filtered."""

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.glyphs = glyphs
        self.order = SortOrder()
        self._marked: set[str] = set()
        self._totals = True
        self._tunnels: list[TunnelSnapshot] = []
        self._rows: list[RouteRow] = []
        self._profiles = False
        self._layout = (0, Layout(()))

    @property
    def row_count(self) -> int:
        return len(self._rows)

    @property
    def selected(self) -> TunnelSnapshot | None:
        """The tunnel under the cursor."""
        return self._tunnels[self.cursor] if self._tunnels else None

    @property
    def names(self) -> list[str]:
        """The names of the routes, in the order of the screen."""
        return [tunnel.route.name for tunnel in self._tunnels]

    @property
    def marked(self) -> list[TunnelSnapshot]:
        """The tunnels that are marked and shown."""
        return [tunnel for tunnel in self._tunnels if tunnel.route.name in self._marked]

    def mark(self) -> None:
        """Mark the row under the cursor, or take its mark away, and go to the next one."""
        if self.selected is not None:
            self._marked ^= {self.selected.route.name}
            self.rows_changed({self.cursor})
            self.move_cursor(self.cursor + 1)

    def mark_shown(self) -> None:
        """Mark every row; take all marks away where every row has one."""
        self._marked = set() if len(self.marked) == self.row_count else set(self.names)
        self.rows_changed()

    def clear_marks(self) -> None:
        self._marked = set()
        self.rows_changed()

    def show(self, tunnels: Sequence[TunnelSnapshot], now: float, wanted: RouteFilter) -> None:
        """Show the *tunnels* that *wanted* lets through; *now* is Unix time."""
        selected = self.selected
        before = self._rows
        self._tunnels = ordered((tunnel for tunnel in tunnels if wanted.matches(tunnel)), self.order)
        self._rows = [route_row(tunnel, now) for tunnel in self._tunnels]
        self._marked &= {tunnel.route.name for tunnel in tunnels}
        profiles = len({tunnel.route.profile for tunnel in tunnels}) > 1
        names = self.names
        cursor = self.cursor
        if selected is not None and selected.route.name in names:
            self.cursor = names.index(selected.route.name)
        if self._layout_words(before) != self._layout_words(self._rows) or profiles != self._profiles:
            self._profiles = profiles
            self._layout = (0, Layout(()))
            self.rows_changed()
        elif self._rows != before or cursor != self.cursor:
            changed = {index for index, (old, new) in enumerate(zip(before, self._rows, strict=True)) if old != new}
            self.rows_changed(changed | {cursor, self.cursor} if cursor != self.cursor else changed)
        else:
            return
        if cursor != self.cursor:
            self.show_cursor_row()

    def select(self, name: str) -> None:
        """Put the cursor on the route *name*, if it is shown."""
        if name in self.names:
            self.move_cursor(self.names.index(name))

    @staticmethod
    def _layout_words(rows: Sequence[RouteRow]) -> list[tuple[str, str, str, str]]:
        return [(row.name, row.target, row.local, row.profile) for row in rows]

    def show_totals(self, wanted: bool) -> None:
        """Say whether IN and OUT are worth cutting other columns for."""
        if wanted != self._totals:
            self._totals = wanted
            self._layout = (0, Layout(()))
            self.rows_changed()

    def layout_for(self, width: int) -> Layout:
        """Return the columns for *width* cells."""
        if self._layout[0] != width:
            self._layout = (width, choose_layout(width, self._rows, profiles=self._profiles, totals=self._totals))
        return self._layout[1]

    def head_line(self, width: int) -> Content:
        layout = self.layout_for(width)
        parts: list[tuple[str, str]] = []
        x = 0
        for slot in layout.slots:
            title = slot.column.value
            mark = ""
            if slot.column is self.order.column:
                mark = self.glyphs.descending if self.order.reverse else self.glyphs.ascending
            if mark and not slot.right:
                title = f"{title} {mark}"
            elif mark:
                title = f"{mark}{title}"
            parts.append((" " * (slot.x - x), ""))
            style = "bold $ink" if mark else "$muted"
            parts.append((fit(title, slot.width, self.glyphs.ellipsis, right=slot.right), style))
            x = slot.x + slot.width
        return line(*parts)

    def row_line(self, index: int, width: int, *, selected: bool) -> Content:
        row = self._rows[index]
        layout = self.layout_for(width)
        colour = f"${COLOURS[row.state]}"
        bar = (self.glyphs.bar, "$brand" if self.has_focus else "$faint") if selected else (" ", "")
        parts: list[tuple[str, str]] = [bar, (self.glyphs.state(row.state), colour)]
        marked = self._tunnels[index].route.name in self._marked
        parts.append((self.glyphs.mark, "bold $brand") if marked else (" ", ""))
        x = LEAD
        for slot in layout.slots:
            text = row.cell(slot.column)
            if slot.column is Column.LOCAL and layout.short_local:
                text = port_only(text)
            middle = slot.column in (Column.DESTINATION, Column.LOCAL)
            parts.append((pad("", slot.x - x), ""))
            parts.append(
                (
                    fit(text, slot.width, self.glyphs.ellipsis, right=slot.right, middle=middle),
                    self._cell_style(row, slot.column, colour, selected=selected),
                )
            )
            x = slot.x + slot.width
        return line(*parts)

    @staticmethod
    def _cell_style(row: RouteRow, column: Column, colour: str, *, selected: bool) -> str:
        if column is Column.NAME:
            return "bold $ink" if selected else "$muted" if row.state == "off" else "$ink"
        if column is Column.STATE:
            return colour
        if row.state == "off" or row.cell(column) in ("0", "auto"):
            return "$off"
        return "$ink" if column in (Column.IN, Column.OUT) else "$muted"
