"""A short list of things to choose from, each with a key."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.message import Message

from tunnelui.tui.lines.words import fit, line, pad, safe
from tunnelui.tui.widgets.row_list import RowList

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.content import Content
    from textual.geometry import Size

    from tunnelui.tui.lines.connect_as import Way
    from tunnelui.tui.style.glyphs import Glyphs

__all__ = ["ChoiceList"]

_TITLE = 13


class ChoiceList(RowList):
    """Key, title and text of each way; a click chooses."""

    HEAD: ClassVar[int] = 0

    class Chosen(Message):
        """The way *index* was clicked."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self, glyphs: Glyphs, ways: Sequence[Way], *, keys: bool = True, id: str | None = None) -> None:
        """*keys*: whether the key of a way chooses it here, and so is shown."""
        super().__init__(id=id)
        self._keys = keys
        self.glyphs = glyphs
        self._ways = ways

    @property
    def row_count(self) -> int:
        return len(self._ways)

    def on_mount(self) -> None:
        self.rows_changed()

    @property
    def ways(self) -> Sequence[Way]:
        return self._ways

    def show(self, ways: Sequence[Way]) -> None:
        """Offer *ways* instead; the cursor stays in its row."""
        if list(ways) != list(self._ways):
            self._ways = ways
            self.rows_changed()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self._ways)

    def head_line(self, width: int) -> Content:
        return line("")

    def row_line(self, index: int, width: int, *, selected: bool) -> Content:
        way = self._ways[index]
        room = max(1, width - _TITLE - 6)
        return line(
            self.cursor_mark(self.glyphs, selected=selected),
            (f" {way.key} " if self._keys else "  ", "bold $brand"),
            (pad(way.title, _TITLE), "$muted"),
            (fit(safe(way.text, 400), room, self.glyphs.ellipsis, middle=True), "$ink"),
        )

    def on_click(self, event: events.Click) -> None:
        index = event.y + self.scroll_offset.y
        if index < self.row_count:
            self.move_cursor(index)
            self.post_message(self.Chosen(index))
