"""A widget that shows ready-made lines and repaints only when they differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.segment import Segment
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from tunnelui.tui.widgets.plain_lines import PlainLines

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.content import Content
    from textual.style import Style

__all__ = ["LineView", "same_lines", "to_strip"]

_NOWHERE: Final = Size(0, 0)


def to_strip(content: Content, width: int, base: Style, widget: Widget) -> Strip:
    """Return *content* as exactly *width* cells on the style *base*; the theme of *widget*'s app gives the colours."""
    parse = widget.app.stylesheet.parse_style
    text, at = content.plain, 0
    segments: list[Segment] = []
    # What `line` makes has one style after the other. `Content.render` would look for any that lie over each other.
    for start, end, style in content.spans:
        if start < at or end > len(text):
            pieces = content.render(base, end="", parse_style=parse)
            segments = [Segment(piece, its.rich_style) for piece, its in pieces]
            break
        if start > at:
            segments.append(Segment(text[at:start], base.rich_style))
        if end > start:
            segments.append(Segment(text[start:end], (base + parse(style)).rich_style))
        at = end
    else:
        if at < len(text) or not text:
            segments.append(Segment(text[at:], base.rich_style))
    return Strip(segments).adjust_cell_length(width, base.rich_style)


def same_lines(old: Sequence[Content], new: Sequence[Content]) -> bool:
    """Whether both look the same; ``==`` of content does not look at styles."""
    return len(old) == len(new) and all(one.is_same(other) for one, other in zip(old, new, strict=True))


class LineView(PlainLines):
    """Lines of content, one row each, cut at the right edge. The height follows the number of lines if it is auto."""

    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._lines: tuple[Content, ...] = ()
        self._make: Callable[[Size], Sequence[Content]] | None = None
        self._made_for = _NOWHERE

    @property
    def lines(self) -> tuple[Content, ...]:
        return self._lines

    def show(self, *lines: Content) -> None:
        """Show *lines*; nothing is repainted when they are the ones on the screen."""
        self._make = None
        self._put(lines)

    def show_for(self, make: Callable[[Size], Sequence[Content]]) -> None:
        """Show what *make* returns for the width of the view and the height of what it stands in, both in cells: now,
        and whenever these are others.

        Before the first layout nothing is made: the first picture has the lines, and needs no second one.
        """
        self._make, self._made_for = make, self._place
        if self._made_for.width:
            self._put(tuple(make(self._made_for)))
        elif self._lines:  # out of sight just now: what was laid out and drawn before does not count any more
            self.refresh(layout=True)

    def _put(self, lines: tuple[Content, ...]) -> None:
        before, self._lines = self._lines, lines
        if len(before) != len(lines):
            self.refresh(layout=True)
            return
        changed = [y for y, (old, new) in enumerate(zip(before, lines, strict=True)) if not old.is_same(new)]
        for y in changed:
            self.forget(y)
        if changed:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in changed))

    @property
    def _place(self) -> Size:
        return Size(self.size.width, self.parent.size.height if isinstance(self.parent, Widget) else 0)

    def _make_for(self, place: Size) -> None:
        if self._make is not None and place != self._made_for:
            self._lines, self._made_for = tuple(self._make(place)), place
            self.forget_all()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        self._make_for(Size(width, container.height))
        return len(self._lines)

    def render_lines(self, crop: Region) -> list[Strip]:
        self._make_for(self._place)
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        if y >= len(self._lines):
            return self.blank()
        return self.kept(y, lambda: to_strip(self._lines[y], self.size.width, self.visual_style, self))
