"""The connections of one tunnel."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tunnelui.engine.model import ConnectionSnapshot, ConnectionState
from tunnelui.tui.lines.format import bytes_long, bytes_short, clock, milliseconds
from tunnelui.tui.lines.words import cut, fit, line, safe
from tunnelui.tui.widgets.row_list import RowList

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.content import Content

    from tunnelui.tui.style.glyphs import Glyphs

__all__ = ["ConnectionList"]

_COLOURS = {
    ConnectionState.SIGN_IN: "$auth",
    ConnectionState.CONNECTING: "$retry",
    ConnectionState.OPEN: "$live",
    ConnectionState.HALF_CLOSED: "$ready",
    ConnectionState.CLOSED: "$off",
}
# Title, width, to the right, the narrowest list that shows it.
_COLUMNS = (
    ("PEER", 17, False, 0),
    ("OPENED", 8, False, 58),
    ("IN", 7, True, 0),
    ("OUT", 7, True, 0),
    ("HANDSHAKE", 9, True, 66),
    ("STATE", 0, False, 0),
)


_NARROW = 54


class ConnectionList(RowList):
    """One row a connection: the live ones, then what is left of the closed ones."""

    EMPTY: ClassVar[str] = "No connection yet."

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.glyphs = glyphs
        self._connections: Sequence[ConnectionSnapshot] = ()

    @property
    def row_count(self) -> int:
        return len(self._connections)

    @property
    def connections(self) -> Sequence[ConnectionSnapshot]:
        return self._connections

    @property
    def selected(self) -> ConnectionSnapshot | None:
        """The connection under the cursor."""
        return self._connections[self.cursor] if self._connections else None

    def show(self, connections: Sequence[ConnectionSnapshot]) -> None:
        """Show *connections* in the order given; the cursor stays on its connection while somebody is here."""
        if connections == self._connections:
            return
        selected, before = self.selected, self._connections
        self._connections = connections
        if not self.has_focus:
            self.cursor = 0  # the newest
        elif selected is not None:
            self.cursor = next((row for row, each in enumerate(connections) if each.id == selected.id), self.cursor)
        if len(before) != len(connections):
            self.rows_changed()
            self.show_cursor_row()
            return
        self.rows_changed({row for row, (old, new) in enumerate(zip(before, connections, strict=True)) if old != new})

    def head_line(self, width: int) -> Content:
        return line("   ", (self._cells([title for title, *_ in _COLUMNS], width), "$muted"))

    def row_line(self, index: int, width: int, *, selected: bool) -> Content:
        one = self._connections[index]
        state = safe(one.cause) if one.state is ConnectionState.CLOSED and one.cause else one.state.value
        amount = bytes_short if width < _NARROW else bytes_long
        cells = [
            safe(one.peer),
            clock(one.opened_at),
            amount(one.bytes_in),
            amount(one.bytes_out),
            milliseconds(one.timings.handshake),
            "",
        ]
        text = self._cells(cells, width)
        bar = self.cursor_mark(self.glyphs, selected=selected)
        room = width - 4 - len(text)
        closed = one.state is ConnectionState.CLOSED
        return line(
            " ",
            bar,
            " ",
            (text, "$off" if closed else "$ink"),
            (cut(state, room, self.glyphs.ellipsis), _COLOURS[one.state]),
        )

    def _cells(self, cells: Sequence[str], width: int) -> str:
        gap = "  " if width < 90 else "   "
        shown = []
        for text, (title, size, right, least) in zip(cells, _COLUMNS, strict=True):
            if width < least:
                continue
            if right and width < _NARROW:
                size = 5
            shown.append(fit(text, size, self.glyphs.ellipsis, right=right, middle=title == "PEER") if size else text)
        return gap.join(shown)
