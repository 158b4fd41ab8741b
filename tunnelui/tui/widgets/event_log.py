"""What happened, as lines that follow their end until somebody scrolls up."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, ClassVar

from tunnelui.tui.format import clock
from tunnelui.tui.widgets.row_list import RowList
from tunnelui.tui.words import cut, fit, line, safe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.content import Content

    from tunnelui.engine.model import Event
    from tunnelui.tui.glyphs import Glyphs

__all__ = ["EventLog"]

_LEVELS = {
    "debug": ("DEBUG", "$off"),
    "info": ("INFO", "$ready"),
    "warning": ("WARN", "$auth"),
    "error": ("ERROR", "$denied"),
}
_LIMIT = 2000


class EventLog(RowList):
    """Events of one route, or of all (``route`` empty). The oldest are forgotten beyond 2,000."""

    EMPTY: ClassVar[str] = "Nothing has happened yet."
    HEAD: ClassVar[int] = 0

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.glyphs = glyphs
        self.route = ""
        self.follow = True
        self._events: deque[Event] = deque(maxlen=_LIMIT)

    @property
    def row_count(self) -> int:
        return len(self._events)

    @property
    def selected(self) -> Event | None:
        """The event under the cursor."""
        return self._events[self.cursor] if self._events else None

    @property
    def shows_cursor(self) -> bool:
        return self.has_focus

    def show(self, events: Iterable[Event], route: str = "") -> None:
        """Show the *events* of *route* and those of no route; all of them when *route* is empty."""
        self.route = route
        self._events = deque((event for event in events if self._wanted(event)), _LIMIT)
        self.rows_changed()
        if self.follow:
            self.follow_end()

    def add(self, event: Event) -> None:
        """Show one more event, if it is of the route shown."""
        if not self._wanted(event):
            return
        full = len(self._events) == _LIMIT
        self._events.append(event)
        self.rows_changed(None if full else {len(self._events) - 1})
        if self.follow:
            self.follow_end()

    def _wanted(self, event: Event) -> bool:
        return not self.route or event.route in ("", self.route)

    def follow_end(self) -> None:
        """Go to the newest line and stay at the end."""
        self.follow = True
        self.move_cursor(self.row_count - 1)

    def move_cursor(self, index: int) -> None:
        super().move_cursor(index)
        self.follow = self.cursor >= self.row_count - 1

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if new_value < old_value and new_value < self.max_scroll_y:
            self.follow = False
        elif new_value >= self.max_scroll_y:
            self.follow = True

    def head_line(self, width: int) -> Content:
        return line("")

    def row_line(self, index: int, width: int, *, selected: bool) -> Content:
        event = self._events[index]
        level, colour = _LEVELS.get(event.level, (safe(event.level)[:5].upper(), "$ink"))
        bar = (self.glyphs.bar, "$brand") if selected else (" ", "")
        parts: list[str | tuple[str, str]] = [bar]
        stamp = f"{clock(event.at)}.{int(event.at * 1000) % 1000:03} "
        parts += [(stamp, "$muted"), (f"{level:<5} ", colour)]
        used = 1 + len(stamp) + 6
        if not self.route:
            parts.append((fit(safe(event.route), 13, self.glyphs.ellipsis) + " ", "$ink"))
            used += 14
        message = safe(event.message, 400)
        parts.append(
            (cut(message, width - used - 1, self.glyphs.ellipsis), "$ink" if event.level != "debug" else "$off")
        )
        return line(*parts, limit=500)
