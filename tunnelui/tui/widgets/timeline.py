"""The last connections as bars on one scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunnelui.engine.model import ConnectionState
from tunnelui.tui.lines.format import clock, milliseconds
from tunnelui.tui.lines.timeline import bar, scale_of, total_of
from tunnelui.tui.lines.words import fit, line, pad, safe
from tunnelui.tui.widgets.connection_list import ConnectionList

if TYPE_CHECKING:
    from textual.content import Content

__all__ = ["Timeline"]

_PEER = 17
_CLOCK = 10
_TOTAL = 8
_NARROW = 60


class Timeline(ConnectionList):
    """The rows of a `ConnectionList`, each with a bar of its stages."""

    @property
    def scale(self) -> float:
        """How many seconds a whole bar stands for."""
        return scale_of(one.timings for one in self._connections)

    def _room(self, width: int) -> int:
        return max(4, width - 3 - _PEER - 2 - (0 if width < _NARROW else _CLOCK) - _TOTAL - 2)

    def head_line(self, width: int) -> Content:
        lead = "PEER".ljust(_PEER + 2) + ("" if width < _NARROW else "OPENED".ljust(_CLOCK))
        room, scale = self._room(width), self.scale
        ends = milliseconds(scale) if scale else ""
        middle = milliseconds(scale / 2) if scale and room > 30 else ""
        half = room // 2
        axis = "0".ljust(half - len(middle)) + middle if scale else ""
        axis = axis.ljust(room - len(ends)) + ends
        return line("   ", (lead + axis + "TOTAL".rjust(_TOTAL + 1), "$muted"))

    def row_line(self, index: int, width: int, *, selected: bool) -> Content:
        one = self._connections[index]
        room = self._room(width)
        mark = self.cursor_mark(self.glyphs, selected=selected)
        peer = fit(safe(one.peer), _PEER, self.glyphs.ellipsis, middle=True) + "  "
        when = "" if width < _NARROW else pad(clock(one.opened_at), _CLOCK)
        parts = bar(one.timings, self.scale, room, self.glyphs)
        used = sum(len(text) for text, _ in parts)
        total = total_of(one.timings)
        words = milliseconds(total) if total else "-"
        closed = one.state is ConnectionState.CLOSED
        return line(
            " ",
            mark,
            " ",
            (peer + when, "$off" if closed else "$ink"),
            *parts,
            " " * (room - used),
            (words.rjust(_TOTAL + 1), "$off" if closed else "$ink"),
        )
