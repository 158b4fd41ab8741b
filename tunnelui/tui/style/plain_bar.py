"""A scroll bar of plain characters, for terminals without block signs, and where colours are not to be used."""

from __future__ import annotations

from functools import cache
from typing import ClassVar

from rich.segment import Segment, Segments
from rich.style import Style
from textual.scrollbar import ScrollBarRender

__all__ = ["bar_of"]


class _PlainBar(ScrollBarRender):
    """The first of ``signs`` is the part in sight, the other one the rest; both can be clicked and dragged as usual."""

    signs: ClassVar[str]

    @classmethod
    def render_bar(cls, size: int = 25, *arguments: object, **options: object) -> Segments:
        drawn = super().render_bar(size, *arguments, **options)  # type: ignore[arg-type]  # handed on as they came
        segments = []
        for segment in drawn.segments:
            meta = segment.style.meta if segment.style else {}
            thumb = meta.get("@mouse.down") == "grab"
            sign = cls.signs[0] if thumb else cls.signs[1] if meta else " "
            segments.append(Segment(sign * len(segment.text), Style(meta=meta)))
        return Segments(segments, new_lines=drawn.new_lines)


@cache
def bar_of(signs: str) -> type[ScrollBarRender]:
    """Return a scroll bar that is drawn with *signs*: the part in sight, and the rest."""
    return type("PlainBar", (_PlainBar,), {"signs": signs})
