"""Thin lines between the parts of a screen, with or without a title."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunnelui.tui.lines.words import cut, line
from tunnelui.tui.widgets.line_view import to_strip
from tunnelui.tui.widgets.plain_lines import PlainLines

if TYPE_CHECKING:
    from textual.content import Content
    from textual.strip import Strip

    from tunnelui.tui.style.glyphs import Glyphs

__all__ = ["ColumnRule", "Rule", "rule_line"]


def rule_line(width: int, glyphs: Glyphs, title: str = "", mark: tuple[int, str] | None = None) -> Content:
    """Return a line of *width* cells that carries *title*; *mark* is a cell and the sign that stands there."""
    rule = [glyphs.rule] * width
    if mark is not None and 0 <= mark[0] < width:
        rule[mark[0]] = mark[1]
    if not title:
        return line(("".join(rule), "$rule"), limit=10_000)
    left, right, *_ = tuple(glyphs.tees)
    head = line((left, "$rule"), (f" {cut(title, width - 6, glyphs.ellipsis)} ", "$muted"), (right, "$rule"))
    return head + line(("".join(rule[head.cell_length :]), "$rule"), limit=10_000)


class Rule(PlainLines):
    """A line across, one row high, with a mark where it meets a `ColumnRule` that is in sight."""

    ALLOW_SELECT = False

    def __init__(self, glyphs: Glyphs, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.glyphs = glyphs
        self._title = ""
        self._column: ColumnRule | None = None
        self._below = True
        self._drawn: tuple[int, str] | None = None

    def show(self, title: str = "", column: ColumnRule | None = None, *, below: bool = True) -> None:
        """Put *title* into the line, and a mark where *column* meets it, *below* it or above, if that is in sight."""
        self._column, self._below = column, below
        if title != self._title or self._mark() != self._drawn:
            self._title = title
            self.refresh()

    def _mark(self) -> tuple[int, str] | None:
        """The cell where the column is, and the sign for it. Known once the screen is laid out, so when it is drawn."""
        if self._column is None or not self._column.region:
            return None
        *_, down, up = tuple(self.glyphs.tees)
        return self._column.region.x - self.region.x, down if self._below else up

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        mark = self._drawn = self._mark()
        return self.kept(
            f"{mark}",
            lambda: to_strip(rule_line(width, self.glyphs, self._title, mark), width, self.visual_style, self),
        )


class ColumnRule(PlainLines):
    """A line down, one cell wide."""

    ALLOW_SELECT = False

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.glyphs = glyphs

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        return self.kept(0, lambda: to_strip(line((self.glyphs.column, "$rule")), width, self.visual_style, self))
