"""Typographic signs as ASCII, for terminals whose font has no others: the last thing that is done to every line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.segment import Segment
from textual.filter import LineFilter

if TYPE_CHECKING:
    from textual.color import Color

    from tunnelui.tui.style.glyphs import Glyphs

__all__ = ["PlainSigns"]

_PLAIN: Final = {"“": '"', "”": '"', "‘": "'", "’": "'", "…": "~", "–": "-", "—": "-", "·": "-", "→": ">"}
"""Each takes the place of one sign of the same width. What people called their routes stays as it is."""


class PlainSigns(LineFilter):
    """Quotation marks, dashes and the like, which words from all over the program contain; but what *glyphs* has."""

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__()
        own = f"{glyphs.graph}{glyphs.arrow}"
        self._plain = str.maketrans({sign: plain for sign, plain in _PLAIN.items() if sign not in own})

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        if all(segment.text.isascii() for segment in segments):
            return segments
        return [Segment(text.translate(self._plain), style, control) for text, style, control in segments]
