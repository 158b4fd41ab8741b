"""Typographic signs as ASCII, for terminals whose font has no others: the last thing that is done to every line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.segment import Segment
from textual.filter import LineFilter

if TYPE_CHECKING:
    from textual.color import Color

__all__ = ["PlainSigns"]

_PLAIN: Final = str.maketrans(
    {"“": '"', "”": '"', "‘": "'", "’": "'", "…": "~", "–": "-", "—": "-", "·": "-", "→": ">"}
)
"""Each takes the place of one sign of the same width. What people called their routes stays as it is."""


class PlainSigns(LineFilter):
    """Quotation marks, dashes and the like, which words from all over the program contain."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        if all(segment.text.isascii() for segment in segments):
            return segments
        return [Segment(text.translate(_PLAIN), style, control) for text, style, control in segments]
