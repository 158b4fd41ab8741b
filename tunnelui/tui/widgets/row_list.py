"""A list of one-line rows on the line API: a cursor, keys, the mouse, and a head line that stays put.

Its cost does not depend on the number of rows: only lines on the screen are made, and of these only the ones that
changed. (A table of widgets or a `DataTable` costs ten times as much at two refreshes a second.) Rows that scroll are
made once, when they come into sight.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollBar

from tunnelui.tui.guard import Guarded
from tunnelui.tui.keys.bindings import MOVE
from tunnelui.tui.lines.words import line
from tunnelui.tui.listing.hold import Hold
from tunnelui.tui.widgets.line_view import to_strip
from tunnelui.tui.widgets.plain_lines import PlainLines

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual import events
    from textual.binding import BindingType
    from textual.content import Content
    from textual.strip import Strip
    from textual.style import Style

    from tunnelui.tui.style.glyphs import Glyphs

__all__ = ["RowList"]


class RowList(Guarded, ScrollView, PlainLines, can_focus=True):
    """The base; a subclass says what stands in a row and calls `rows_changed` when that is different."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [*MOVE]
    COMPONENT_CLASSES: ClassVar[set[str]] = {"row-list--cursor", "row-list--head"}
    glyphs: Glyphs
    HOLD: ClassVar[float] = 2.0
    """Seconds after the last key, click or turn of the wheel for which rows should stay where they are."""
    EMPTY: ClassVar[str] = ""
    """Stands where the first row would be, while there is none."""
    HEAD: ClassVar[int] = 1
    """Lines above the rows that do not scroll."""

    class Moved(Message):
        """The cursor stands on another row."""

        def __init__(self, rows: RowList) -> None:
            super().__init__()
            self.rows = rows

        @property
        def control(self) -> RowList:
            return self.rows

        def can_replace(self, message: Message) -> bool:
            """Of several in a row the last one counts: a key is held down."""
            return type(message) is type(self) is RowList.Moved

    class Opened(Moved):
        """The row under the cursor was chosen by a double click."""

    class HeadClicked(Message):
        """The head line was clicked at the cell *x*."""

        def __init__(self, rows: RowList, x: int) -> None:
            super().__init__()
            self.rows = rows
            self.x = x

        @property
        def control(self) -> RowList:
            return self.rows

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.cursor = 0
        self.hold = Hold(self.HOLD, time.monotonic)
        self.follower: Callable[[], None] | None = None
        """Shows elsewhere what the cursor stands on; called at once, so that it gets into the same picture."""

    # What a subclass gives.

    @property
    def empty_words(self) -> str:
        """What stands there while there is no row."""
        return self.EMPTY

    @property
    @abstractmethod
    def row_count(self) -> int: ...

    @abstractmethod
    def head_line(self, width: int) -> Content:
        """Return the line above the rows."""

    @abstractmethod
    def row_line(self, index: int, width: int, *, selected: bool) -> Content:
        """Return the row *index*, at most *width* cells."""

    # Drawing.

    def render_line(self, y: int) -> Strip:
        if y < self.HEAD:
            return self.kept(f"head {y}", lambda: self._strip(self.head_line(self._row_width)))
        index = y - self.HEAD + self.scroll_offset.y
        if not self.row_count and not index:
            mark = self.cursor_mark(self.glyphs, selected=self.has_focus)
            return self._strip(line(mark, "  ", (self.empty_words, "$muted")))
        if index >= self.row_count:
            return self.blank()
        if index == self.cursor and self.shows_cursor:
            return self.kept(f"cursor {index} {self.has_focus}", lambda: self._cursor_strip(index))
        return self.kept(index, lambda: self._strip(self.row_line(index, self._row_width, selected=False)))

    def _cursor_strip(self, index: int) -> Strip:
        words = self.row_line(index, self._row_width, selected=True)
        return self._strip(words, self.get_visual_style("row-list--cursor"))

    @property
    def _row_width(self) -> int:
        """Cells of a row: those that the scroll bar leaves."""
        return self.scrollable_content_region.width

    def _strip(self, content: Content, style: Style | None = None) -> Strip:
        return to_strip(content, self.size.width, style or self.visual_style, self)

    def forget_hidden(self) -> None:
        """Make rows anew that come into sight: what stands in those out of sight may be different now."""
        top = self.scroll_offset.y
        sight = range(top, top + self.page)

        def is_seen(key: int | str) -> bool:
            if isinstance(key, int):
                return key in sight
            return self.cursor in sight or not key.startswith("cursor")

        self.forget_unless(is_seen)

    def cursor_mark(self, glyphs: Glyphs, *, selected: bool) -> tuple[str, str]:
        """Return the first cell of a row and its style: it tells the row under the cursor, and where the focus is."""
        if not selected:
            return " ", ""
        return (glyphs.bar, "$brand") if self.has_focus else (glyphs.bar_without_focus, "$faint")

    @property
    def shows_cursor(self) -> bool:
        return True

    def rows_changed(self, changed: set[int] | None = None, *, head: bool = False) -> None:
        """Repaint the rows *changed*, or everything (``None``); the number of rows may have changed too."""
        size = Size(0, self.row_count + self.HEAD)
        if size != self.virtual_size:
            self.virtual_size = size
            changed = None
        self.cursor = max(0, min(self.cursor, self.row_count - 1))
        if changed is None:
            self.refresh()
            return
        self.forget_hidden()
        for index in changed:
            self._refresh_row(index)
        if head:
            self.forget_unless(lambda key: isinstance(key, int))
            self.refresh(Region(0, 0, self.size.width, self.HEAD))

    def _refresh_row(self, index: int) -> None:
        for key in (index, f"cursor {index} True", f"cursor {index} False"):
            self.forget(key)
        y = index - self.scroll_offset.y + self.HEAD
        if self.HEAD <= y < self.size.height:
            self.refresh(Region(0, y, self.size.width, 1))

    # Moving.

    @property
    def page(self) -> int:
        """How many rows are in sight."""
        return max(1, self.size.height - self.HEAD)

    def shows_row(self, index: int) -> bool:
        """Whether the row *index* is in sight."""
        return 0 <= index - self.scroll_offset.y < self.page

    def move_cursor(self, index: int) -> None:
        """Put the cursor on the row *index* or the nearest there is, and bring it into sight."""
        index = max(0, min(index, self.row_count - 1))
        if index != self.cursor:
            old, self.cursor = self.cursor, index
            self._refresh_row(old)
            self._refresh_row(index)
            self.post_message(self.Moved(self))
        self.show_cursor_row()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """As in a `ScrollView`, but the scroll bar is drawn again only where it looks different."""
        if self.show_vertical_scrollbar and self._thumb(old_value) == self._thumb(new_value):
            self.vertical_scrollbar.set_reactive(ScrollBar.position, new_value)
            self.refresh(self.size.region)
        else:
            super().watch_scroll_y(old_value, new_value)

    def _thumb(self, scrolled: float) -> int:
        """Where the scroll bar shows *scrolled* rows, in eighths of a cell: what Textual can draw of it."""
        bar = self.vertical_scrollbar
        room, rows, seen = bar.size.height, bar.window_virtual_size, bar.window_size
        if rows <= seen:
            return 0
        return int(scrolled / (rows - seen) * (room - max(1, seen * room / rows)) * 8)

    def _on_row_list_moved(self) -> None:
        if self.follower is not None:
            self.follower()

    def show_cursor_row(self) -> None:
        """Scroll as little as is needed to have the cursor in sight."""
        # Forced: rows that came a moment ago may not have brought the scroll bar yet.
        top = self.scroll_offset.y
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, force=True)
        elif self.cursor >= top + self.page:
            self.scroll_to(y=self.cursor - self.page + 1, animate=False, force=True)

    def on_resize(self) -> None:
        self.show_cursor_row()

    def on_focus(self) -> None:
        self._refresh_row(self.cursor)

    def on_blur(self) -> None:
        self._refresh_row(self.cursor)

    def on_click(self, event: events.Click) -> None:
        if event.y < self.HEAD:
            self.post_message(self.HeadClicked(self, event.x))
            return
        index = event.y - self.HEAD + self.scroll_offset.y
        if index < self.row_count:
            self.move_cursor(index)
            if event.chain == 2:
                self.post_message(self.Opened(self))

    def on_key(self) -> None:
        self.hold.touch()

    def on_mouse_down(self) -> None:
        self.hold.touch()

    def on_mouse_scroll_down(self) -> None:
        self.hold.touch()

    def on_mouse_scroll_up(self) -> None:
        self.hold.touch()

    def action_move(self, rows: int) -> None:
        self.move_cursor(self.cursor + rows)

    def action_move_to(self, where: str) -> None:
        self.move_cursor(0 if where == "top" else self.row_count - 1)

    def action_move_page(self, pages: float) -> None:
        step = max(1, int(self.page * abs(pages)))
        self.move_cursor(self.cursor + (step if pages > 0 else -step))
