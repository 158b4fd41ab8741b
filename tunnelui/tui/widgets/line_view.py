"""A widget that shows ready-made lines and repaints only when they differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.content import Content
    from textual.geometry import Size
    from textual.style import Style

__all__ = ["LineView", "same_lines", "to_strip"]


def to_strip(content: Content, width: int, base: Style, widget: Widget) -> Strip:
    """Return *content* as exactly *width* cells on the style *base*; the theme of *widget*'s app gives the colours."""
    pieces = content.render(base, end="", parse_style=widget.app.stylesheet.parse_style)
    segments = [Segment(text, style.rich_style) for text, style in pieces]
    return Strip(segments).adjust_cell_length(width, base.rich_style)


def same_lines(old: Sequence[Content], new: Sequence[Content]) -> bool:
    """Whether both look the same; ``==`` of content does not look at styles."""
    return len(old) == len(new) and all(one.is_same(other) for one, other in zip(old, new, strict=True))


class LineView(Widget):
    """Lines of content, one row each, cut at the right edge. The height follows the number of lines if it is auto."""

    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._lines: tuple[Content, ...] = ()

    @property
    def lines(self) -> tuple[Content, ...]:
        return self._lines

    def show(self, *lines: Content) -> None:
        """Show *lines*; nothing is repainted when they are the ones on the screen."""
        if same_lines(self._lines, lines):
            return
        grown = len(lines) != len(self._lines)
        self._lines = lines
        self.refresh(layout=grown)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self._lines)

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if y >= len(self._lines):
            return Strip.blank(width, self.rich_style)
        return to_strip(self._lines[y], width, self.visual_style, self)
