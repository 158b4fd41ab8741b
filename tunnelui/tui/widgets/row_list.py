"""A list of one-line rows on the line API: a cursor, keys, the mouse, and a head line that stays put.

Its cost does not depend on the number of rows: only lines on the screen are made, and of these only the ones that
changed. (A table of widgets or a `DataTable` costs ten times as much at two refreshes a second.)
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tunnelui.tui.keys.bindings import MOVE
from tunnelui.tui.lines.words import line
from tunnelui.tui.widgets.line_view import to_strip

if TYPE_CHECKING:
    from textual import events
    from textual.binding import BindingType
    from textual.content import Content

    from tunnelui.tui.style.glyphs import Glyphs

__all__ = ["RowList"]


class RowList(ScrollView, can_focus=True):
    """The base; a subclass says what stands in a row and calls `rows_changed` when that is different."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [*MOVE]
    COMPONENT_CLASSES: ClassVar[set[str]] = {"row-list--cursor", "row-list--head"}
    glyphs: Glyphs
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
        width = self.scrollable_content_region.width
        if y < self.HEAD:
            return to_strip(self.head_line(width), width, self.visual_style, self)
        index = y - self.HEAD + self.scroll_offset.y
        if not self.row_count and not index:
            mark = self.cursor_mark(self.glyphs, selected=self.has_focus)
            return to_strip(line(mark, "  ", (self.empty_words, "$muted")), width, self.visual_style, self)
        if index >= self.row_count:
            return Strip.blank(width, self.rich_style)
        selected = index == self.cursor and self.shows_cursor
        style = self.visual_style
        if selected:
            style = self.get_visual_style("row-list--cursor")
        return to_strip(self.row_line(index, width, selected=selected), width, style, self)

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
        for index in changed:
            self._refresh_row(index)
        if head:
            self.refresh(Region(0, 0, self.size.width, self.HEAD))

    def _refresh_row(self, index: int) -> None:
        y = index - self.scroll_offset.y + self.HEAD
        if self.HEAD <= y < self.size.height:
            self.refresh(Region(0, y, self.size.width, 1))

    # Moving.

    @property
    def page(self) -> int:
        """How many rows are in sight."""
        return max(1, self.size.height - self.HEAD)

    def move_cursor(self, index: int) -> None:
        """Put the cursor on the row *index* or the nearest there is, and bring it into sight."""
        index = max(0, min(index, self.row_count - 1))
        if index != self.cursor:
            old, self.cursor = self.cursor, index
            self._refresh_row(old)
            self._refresh_row(index)
            self.post_message(self.Moved(self))
        self.show_cursor_row()

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

    def action_move(self, rows: int) -> None:
        self.move_cursor(self.cursor + rows)

    def action_move_to(self, where: str) -> None:
        self.move_cursor(0 if where == "top" else self.row_count - 1)

    def action_move_page(self, pages: float) -> None:
        step = max(1, int(self.page * abs(pages)))
        self.move_cursor(self.cursor + (step if pages > 0 else -step))
