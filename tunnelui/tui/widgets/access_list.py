"""The profiles at their proxies."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len

from tunnelui.tui.lines.access_rows import expiry_words, sign_of
from tunnelui.tui.lines.facts import identity_words
from tunnelui.tui.lines.words import fit, line, safe
from tunnelui.tui.style.glyphs import COLOURS
from tunnelui.tui.widgets.row_list import RowList

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.content import Content

    from tunnelui.tui.lines.access_rows import AccessRow
    from tunnelui.tui.style.glyphs import Glyphs

__all__ = ["AccessList"]

_EXPIRES, _ROUTES = 10, 6
_LEAST: tuple[int, ...] = (8, 16, 16)
"""Cells of the names, the proxies and the identities, however short they are."""


class AccessList(RowList):
    """One row a profile and proxy; the cursor stays on its row when others come and go."""

    EMPTY: ClassVar[str] = "No profile and no route names a proxy yet."

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.glyphs = glyphs
        self._rows: Sequence[AccessRow] = ()
        self._now = 0.0
        self._wanted = _LEAST

    @property
    def row_count(self) -> int:
        return len(self._rows)

    @property
    def selected(self) -> AccessRow | None:
        return self._rows[self.cursor] if self._rows else None

    def show(self, rows: Sequence[AccessRow], now: float) -> None:
        """Show *rows* as they are at *now*, Unix time."""
        selected = self.selected
        self._rows, self._now = rows, now
        cells = [[cell_len(words) for words in self._words(row)] for row in rows]
        self._wanted = tuple(max([least, *(row[at] for row in cells)]) for at, least in enumerate(_LEAST))
        if selected is not None:
            self.cursor = next((at for at, row in enumerate(rows) if row.key == selected.key), self.cursor)
        self.rows_changed()

    def select(self, profile: str, proxy: str) -> None:
        """Put the cursor on a row, if there is one."""
        for at, row in enumerate(self._rows):
            if row.key == (profile, proxy):
                self.move_cursor(at)

    def head_line(self, width: int) -> Content:
        return line("     ", (self._cells(("PROFILE", "PROXY", "IDENTITY", "EXPIRES", "ROUTES"), width), "$muted"))

    def row_line(self, index: int, width: int, *, selected: bool) -> Content:
        row = self._rows[index]
        state = sign_of(row)
        return line(
            " ",
            self.cursor_mark(self.glyphs, selected=selected),
            " ",
            (self.glyphs.state(state), f"${COLOURS[state]}"),
            " ",
            (self._cells(self._words(row), width), "$ink"),
        )

    def _words(self, row: AccessRow) -> tuple[str, str, str, str, str]:
        words, _ = expiry_words(row, self._now)
        identity = "signing in" if row.identity and row.identity.sign_in else identity_words(row.identity)
        if row.settings is not None and row.settings.service_account:
            identity = "service account"
        proxy = safe(row.proxy).removeprefix("https://") or "-"  # the usual; another one stands out then
        return safe(row.profile, 64), proxy, identity, words, str(len(row.routes))

    def _cells(self, cells: Sequence[str], width: int) -> str:
        room = max(20, width - 6 - _EXPIRES - _ROUTES - 8)
        name, proxy, who = self._wanted
        if name + proxy + who > room:  # what one column does not need, another has
            name = min(name, max(7, room // 5))
            who = min(who, max((room - name) * 2 // 5, room - name - proxy, 8))
            proxy = room - name - who
        sizes = (name, proxy, who, _EXPIRES, _ROUTES)
        gap = "  "
        return gap.join(
            fit(text, size, self.glyphs.ellipsis, right=place == 4, middle=place == 1)
            for place, (text, size) in enumerate(zip(cells, sizes, strict=True))
        )
