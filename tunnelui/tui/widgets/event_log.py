"""What happened, as lines that follow their end until somebody scrolls up."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import deque
from typing import TYPE_CHECKING, ClassVar, Final

from rich.cells import cell_len

from tunnelui.frozen import frozen
from tunnelui.tui.lines.log_lines import LEVELS, day_of, level_words, message_of, rank, stamp
from tunnelui.tui.lines.words import cut, fit, line, safe, wrap
from tunnelui.tui.widgets.row_list import RowList

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from textual.content import Content

    from tunnelui.engine.model import Event
    from tunnelui.tui.style.glyphs import Glyphs

__all__ = ["EventLog"]

_LIMIT: Final = 5000
_HEAD: Final = 1 + 13 + 6
"""Cells of bar, time and level."""
_WIDE: Final = 100
_MOST_ROWS: Final = 30
"""Of one wrapped line."""


@frozen
class _Entry:
    """An event and where it stands: its first row, counted from the first event that there ever was."""

    event: Event
    row: int
    rows: tuple[str, ...]

    @property
    def end(self) -> int:
        return self.row + len(self.rows)


_LEAST_WORDS: Final = {LEVELS.index("warning"): "warning and no error", LEVELS.index("error"): "error"}


class EventLog(RowList):
    """Events of one route, or of all (``route`` empty), of a level or worse. The oldest are forgotten beyond 5,000.

    The cursor stands on the first row of an event; an event has several rows where lines are wrapped.
    """

    EMPTY: ClassVar[str] = "Nothing has happened yet."
    HEAD: ClassVar[int] = 0

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.glyphs = glyphs
        self.route = ""
        self.least = 0
        """The least level shown, as `tunnelui.tui.lines.log_lines.rank` counts."""
        self.follow = True
        self.missed = 0
        """How many lines arrived since the end is not followed."""
        self.wrapped = False
        self.keeps_cursor = False
        """Whether the cursor shows while something else has the focus."""
        self._entries: deque[_Entry] = deque()
        self._marked: dict[int, Event] = {}  # by identity; held, so that no other event gets it
        self._needle: re.Pattern[str] | None = None
        self._today: tuple[int, ...] = ()
        self._routes: set[str] = set()
        self._longest = 0
        """Cells of the longest name of a route in ``_routes``."""

    # What is shown.

    @property
    def row_count(self) -> int:
        return self._entries[-1].end - self._entries[0].row if self._entries else 0

    @property
    def line_count(self) -> int:
        """How many events are shown."""
        return len(self._entries)

    @property
    def selected(self) -> Event | None:
        """The event under the cursor."""
        return self._entries[self._at(self.cursor)].event if self._entries else None

    @property
    def marked(self) -> list[Event]:
        """The marked events, in their order."""
        return [entry.event for entry in self._entries if id(entry.event) in self._marked]

    @property
    def shown(self) -> list[Event]:
        return [entry.event for entry in self._entries]

    @property
    def empty_words(self) -> str:
        """A level may leave out all that has happened."""
        return f"No {_LEAST_WORDS[self.least]} so far." if self.least in _LEAST_WORDS else self.EMPTY

    @property
    def shows_cursor(self) -> bool:
        return self.has_focus or self.keeps_cursor

    def show(self, events: Iterable[Event], route: str = "", least: int = 0) -> None:
        """Show the *events* of *route* and those of no route, all of them when *route* is empty, from *least* on."""
        kept = self.selected
        self.route, self.least = route, least
        self._entries.clear()
        self._routes, self._longest = set(), 0
        self._append(event for event in events if self._wanted(event))
        self.rows_changed()
        if self.follow:
            self.follow_end()
        elif kept is not None:
            self._go_to(kept)

    def add(self, events: Iterable[Event]) -> None:
        """Show what happened since, as far as it is wanted: once for all of it, however much it is."""
        wanted = [event for event in events if self._wanted(event)]
        if not wanted:
            return
        first = self._entries[0].row if self._entries else 0
        before, names = self.row_count, self._longest
        self._append(wanted)
        gone = self._entries[0].row - first
        self.cursor = max(0, self.cursor - gone)
        if self.wrapped and names != self._longest:  # there is less room for what was wrapped before
            self._lay_out()
            self.missed += 0 if self.follow else len(wanted)
            return
        self.rows_changed(None if gone or names != self._longest else set(range(before, self.row_count)))
        if self.follow:
            self.follow_end()
            return
        self.missed += len(wanted)
        if gone:  # what somebody reads stays where it is
            self.scroll_to(y=max(0, self.scroll_offset.y - gone), animate=False, force=True)

    def wrap_lines(self, on: bool) -> None:
        """Show long lines whole, or cut."""
        self.wrapped = on
        self._lay_out()

    def mark(self) -> None:
        """Mark the line under the cursor or take its mark away, and go on to the next."""
        event = self.selected
        if event is not None:
            if self._marked.pop(id(event), None) is None:
                self._marked[id(event)] = event
            self.action_move(1)
            self.refresh()

    def clear_marks(self) -> None:
        self._marked.clear()
        self.refresh()

    # Finding.

    def look_for(self, text: str) -> None:
        """Point out *text* in every line; nothing when it is empty."""
        self._needle = re.compile(re.escape(text), re.IGNORECASE) if text else None
        self.refresh()

    def find(self, step: int) -> None:
        """Go to the next line that has the text (*step* 1), to the one before (-1), or stay on one that has (0)."""
        found = self._found
        if not found:
            return
        here = self._at(self.cursor)
        if step >= 0:
            index = next((each for each in found if each >= here + step), found[0])
        else:
            index = next((each for each in reversed(found) if each < here), found[-1])
        self._go_to(self._entries[index].event)

    @property
    def place(self) -> tuple[int, int]:
        """Which of the lines that have the text the cursor is on, from 1, or 0; and how many there are."""
        found = self._found
        here = self._at(self.cursor)
        return (found.index(here) + 1 if here in found else 0), len(found)

    @property
    def _found(self) -> list[int]:
        needle = self._needle
        if needle is None:
            return []
        return [
            index
            for index, entry in enumerate(self._entries)
            if needle.search(entry.event.message) or needle.search(entry.event.route)
        ]

    # Moving.

    def follow_end(self) -> None:
        """Go to the newest line and stay at the end."""
        self.follow = True
        self.missed = 0
        self.move_cursor(self.row_count - 1)

    def stay(self) -> None:
        """Stay where we are, whatever arrives."""
        self.follow = False

    def move_cursor(self, index: int) -> None:
        before = self.cursor
        if self._entries:
            index = self._start(self._at(index))
        super().move_cursor(index)
        if self.wrapped and self.cursor != before:
            self.refresh()
        self._now_following(self.cursor >= self._start(len(self._entries) - 1))

    def show_cursor_row(self) -> None:
        if self._entries and self.wrapped:
            last = self.cursor + len(self._entries[self._at(self.cursor)].rows) - 1
            if last >= self.scroll_offset.y + self.page:
                self.scroll_to(y=last - self.page + 1, animate=False, force=True)
        super().show_cursor_row()

    def action_move(self, rows: int) -> None:
        if self._entries:
            index = max(0, min(self._at(self.cursor) + rows, len(self._entries) - 1))
            self.move_cursor(self._start(index))

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if new_value < old_value and new_value < self.max_scroll_y:
            self._now_following(False)
        elif new_value >= self.max_scroll_y:
            self._now_following(True)

    def on_resize(self) -> None:
        if self.wrapped:
            self._lay_out()
        super().on_resize()

    # Drawing.

    def head_line(self, width: int) -> Content:
        return line("")

    def row_line(self, index: int, width: int, *, selected: bool) -> Content:
        entry = self._entries[self._at(index)]
        event = entry.event
        selected = self._entries[self._at(self.cursor)] is entry and self.shows_cursor
        mark = id(event) in self._marked
        parts: list[str | tuple[str, str]] = [self.cursor_mark(self.glyphs, selected=selected)]
        part = index + self._entries[0].row - entry.row
        if part == 0:
            level, colour = level_words(event)
            parts += [(stamp(event, self._today), "$muted"), (self.glyphs.mark if mark else " ", "bold $brand")]
            parts.append((f"{level:<5} ", colour))
            if not self.route:
                name = fit(safe(event.route), self._names(width), self.glyphs.ellipsis)
                parts += [*self._pointed(name, "$muted"), "  "]
        else:
            parts.append(" " * (self._indent(width) - 1))
        text = entry.rows[part]
        if not self.wrapped:
            text = cut(message_of(event), width - self._indent(width) - 1, self.glyphs.ellipsis)
        parts += self._pointed(text, "$ink" if rank(event) else "$off")
        return line(*parts, limit=1000)

    def _pointed(self, text: str, style: str = "$ink") -> list[str | tuple[str, str]]:
        """*text* with what is looked for pointed out."""
        if self._needle is None:
            return [(text, style)]
        parts: list[str | tuple[str, str]] = []
        end = 0
        for match in self._needle.finditer(text):
            parts += [(text[end : match.start()], style), (match[0], f"bold reverse {style}")]
            end = match.end()
        return [*parts, (text[end:], style)]

    # Inside.

    def _wanted(self, event: Event) -> bool:
        return rank(event) >= self.least and (not self.route or event.route in ("", self.route))

    def _append(self, events: Iterable[Event]) -> None:
        row = self._entries[-1].end if self._entries else 0
        for event in events:
            if event.route not in self._routes:
                self._routes.add(event.route)
                self._longest = max(self._longest, cell_len(safe(event.route)))
            entry = _Entry(event, row, self._rows_of(event))
            self._entries.append(entry)
            row = entry.end
        while len(self._entries) > _LIMIT:
            self._marked.pop(id(self._entries.popleft().event), None)
        if self._entries:
            self._today = day_of(self._entries[-1].event)

    def _rows_of(self, event: Event) -> tuple[str, ...]:
        if not self.wrapped:
            return ("",)
        width = self.scrollable_content_region.width
        return tuple(wrap(message_of(event), max(10, width - self._indent(width) - 1), _MOST_ROWS)) or ("",)

    def _lay_out(self) -> None:
        kept = self.selected
        events: Sequence[Event] = self.shown
        self._entries.clear()
        self._append(events)
        self.rows_changed()
        if self.follow:
            self.follow_end()
        elif kept is not None:
            self._go_to(kept)

    def _go_to(self, event: Event) -> None:
        """Put the cursor on *event*, or on the first one after its time."""
        found = next((entry for entry in self._entries if entry.event is event), None)
        found = found or next((entry for entry in self._entries if entry.event.at >= event.at), None)
        if found is not None:
            self.move_cursor(found.row - self._entries[0].row)

    def _now_following(self, follow: bool) -> None:
        self.follow = follow
        if follow:
            self.missed = 0

    def _at(self, row: int) -> int:
        """Return which event stands in the *row*."""
        if not self._entries:
            return 0
        row = max(0, row) + self._entries[0].row
        return min(bisect_right(self._entries, row, key=lambda entry: entry.row), len(self._entries)) - 1

    def _start(self, index: int) -> int:
        """Return the first row of an event."""
        return self._entries[index].row - self._entries[0].row if self._entries else 0

    def _names(self, width: int) -> int:
        """Cells for the names of routes: as many as the longest needs, within reason."""
        return min(13 if width < _WIDE else 20, self._longest)

    def _indent(self, width: int) -> int:
        return _HEAD + (0 if self.route else self._names(width) + 2)
