"""Thin lines between the parts of a screen, with or without a title."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.widget import Widget

from tunnelui.tui.widgets.line_view import to_strip
from tunnelui.tui.words import cut, line

if TYPE_CHECKING:
    from textual.strip import Strip

    from tunnelui.tui.glyphs import Glyphs

__all__ = ["ColumnRule", "Rule"]


class Rule(Widget):
    """A line across, one row high. *tee* marks where a `ColumnRule` meets it: cells from the right edge."""

    ALLOW_SELECT = False

    def __init__(self, glyphs: Glyphs, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.glyphs = glyphs
        self._title = ""
        self._tee: tuple[int, bool] | None = None

    def show(self, title: str = "", *, tee: int | None = None, below: bool = True) -> None:
        """Put *title* into the line; *tee* cells from the right edge a column meets it, *below* or above."""
        mark = None if tee is None else (tee, below)
        if (title, mark) != (self._title, self._tee):
            self._title, self._tee = title, mark
            self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        left, right, down, up = tuple(self.glyphs.tees)
        rule = [self.glyphs.rule] * width
        if self._tee is not None and 0 <= width - self._tee[0] < width:
            rule[width - self._tee[0]] = down if self._tee[1] else up
        if not self._title:
            return to_strip(line(("".join(rule), "$rule"), limit=10_000), width, self.visual_style, self)
        title = cut(self._title, width - 6, self.glyphs.ellipsis)
        head = line((left, "$rule"), (f" {title} ", "$muted"), (right, "$rule"))
        rest = line(("".join(rule[head.cell_length :]), "$rule"), limit=10_000)
        return to_strip(head + rest, width, self.visual_style, self)


class ColumnRule(Widget):
    """A line down, one cell wide."""

    ALLOW_SELECT = False

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.glyphs = glyphs

    def render_line(self, y: int) -> Strip:
        return to_strip(line((self.glyphs.column, "$rule")), self.size.width, self.visual_style, self)
