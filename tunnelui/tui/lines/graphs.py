"""Rates as a row of bars."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tunnelui.tui.style.glyphs import Glyphs

__all__ = ["bars"]


def bars(values: Sequence[float], width: int, maximum: float, glyphs: Glyphs) -> str:
    """The last *width* of *values*, newest on the right; full height is *maximum*. Anything above nothing shows."""
    steps = glyphs.graph
    shown = list(islice(values, max(0, len(values) - width), None))
    out = [steps[0]] * (width - len(shown))
    for value in shown:
        level = 0 if maximum <= 0 or value <= 0 else 1 + int(value / maximum * (len(steps) - 2) + 0.5)
        out.append(steps[min(level, len(steps) - 1)])
    return "".join(out)
