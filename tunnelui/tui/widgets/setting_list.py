"""Settings, one a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len

from tunnelui.tui.lines.words import fit, line, safe
from tunnelui.tui.widgets.row_list import RowList

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.content import Content

    from tunnelui.tui.style.glyphs import Glyphs
    from tunnelui.tui.surroundings import SettingRow

__all__ = ["SettingList"]

_LABEL, _SOURCE = 15, 20
_VALUE = 40
"""Cells for the values where none of them needs more."""


class SettingList(RowList):
    """Name, value, and where that comes from."""

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.glyphs = glyphs
        self._rows: Sequence[SettingRow] = ()
        self._longest = _VALUE

    @property
    def row_count(self) -> int:
        return len(self._rows)

    @property
    def selected(self) -> SettingRow | None:
        return self._rows[self.cursor] if self._rows else None

    def show(self, rows: Sequence[SettingRow]) -> None:
        if rows != self._rows:
            self._rows = rows
            self._longest = max([_VALUE, *(cell_len(safe(row.value, 300)) for row in rows if row.source)])
            self.rows_changed()

    def head_line(self, width: int) -> Content:
        return line("   ", (self._cells("SETTING", "VALUE", "FROM", width), "$muted"))

    def row_line(self, index: int, width: int, *, selected: bool) -> Content:
        row = self._rows[index]
        bar = self.cursor_mark(self.glyphs, selected=selected)
        label, rest = fit(row.label, _LABEL), width - 4 - _LABEL
        text = self._cells("", safe(row.value, 300), safe(row.source, 60), width)[_LABEL:]
        style = "bold $brand" if row.action else "$ink"
        return line(" ", bar, " ", (label, style), (text[: max(0, rest)], "$ink"))

    def _cells(self, label: str, value: str, source: str, width: int) -> str:
        ellipsis = self.glyphs.ellipsis
        if not source:  # its room is the value's
            return f"{fit(label, _LABEL)}{fit(value, max(8, width - 4 - _LABEL), ellipsis, middle=True)}"
        room = max(8, min(self._longest, width - 4 - _LABEL - _SOURCE - 2))
        return f"{fit(label, _LABEL)}{fit(value, room, ellipsis, middle=True)}  {fit(source, _SOURCE, ellipsis)}"
