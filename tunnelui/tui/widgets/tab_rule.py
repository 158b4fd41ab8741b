"""A line across with the titles of what can stand below it; one of them does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message
from textual.widget import Widget

from tunnelui.tui.lines.words import cut, line
from tunnelui.tui.widgets.line_view import to_strip

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.strip import Strip

    from tunnelui.tui.style.glyphs import Glyphs

__all__ = ["TabRule"]


class TabRule(Widget):
    """``┤ Connections 2 ├─ Timeline ─ Log ───``: a click on a title chooses it."""

    ALLOW_SELECT = False
    DEFAULT_CSS = "TabRule { height: 1; width: 1fr; }"

    class Chosen(Message):
        """The title *index* was clicked."""

        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.glyphs = glyphs
        self._titles: tuple[str, ...] = ()
        self._current = 0

    def show(self, titles: Sequence[str], current: int) -> None:
        if (tuple(titles), current) != (self._titles, self._current):
            self._titles, self._current = tuple(titles), current
            self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        left, right, *_ = tuple(self.glyphs.tees)
        parts: list[tuple[str, str]] = []
        for index, title in enumerate(self._titles):
            if index == self._current:
                parts += [(left, "$rule"), (f" {title} ", "bold $ink"), (right, "$rule")]
            else:
                parts += [(self.glyphs.rule, "$rule"), (f" {title} ", "$muted")]
        whole = line(*parts)
        rest = max(0, width - whole.cell_length)
        return to_strip(whole + line((self.glyphs.rule * rest, "$rule"), limit=1000), width, self.visual_style, self)

    def on_click(self, event: events.Click) -> None:
        x = 0
        for index, title in enumerate(self._titles):
            x += len(cut(title, 60)) + 3 + (index == self._current)
            if event.x < x:
                self.post_message(self.Chosen(index))
                return
