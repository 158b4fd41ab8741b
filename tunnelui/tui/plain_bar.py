"""A scroll bar of plain characters, for terminals without block signs, and where colours are not to be used."""

from __future__ import annotations

from rich.segment import Segment, Segments
from rich.style import Style
from textual.scrollbar import ScrollBarRender

__all__ = ["PlainBar"]


class PlainBar(ScrollBarRender):
    """``#`` is the part in sight, ``|`` the rest; both can be clicked and dragged as usual."""

    @classmethod
    def render_bar(cls, size: int = 25, *arguments: object, **options: object) -> Segments:
        drawn = super().render_bar(size, *arguments, **options)  # type: ignore[arg-type]  # handed on as they came
        segments = []
        for segment in drawn.segments:
            meta = segment.style.meta if segment.style else {}
            thumb = meta.get("@mouse.down") == "grab"
            sign = "#" if thumb else "|" if meta else " "
            segments.append(Segment(sign * len(segment.text), Style(meta=meta)))
        return Segments(segments, new_lines=drawn.new_lines)
