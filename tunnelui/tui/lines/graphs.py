"""Rates as a row of bars."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tunnelui.tui.style.glyphs import Glyphs

__all__ = ["bars", "tall_bars"]

_COARSE = 4
"""The steps of the sets whose signs fill a cell or do not."""


def bars(values: Sequence[float], width: int, maximum: float, glyphs: Glyphs, *, apart: bool = False) -> str:
    """The last *width* of *values*, newest on the right; full height is *maximum*. Anything above nothing shows.

    *apart* leaves a little room above the highest, for a graph that stands right below another one, where the signs
    are fine enough.
    """
    steps = glyphs.graph[:-1] if apart and len(glyphs.graph) > _COARSE else glyphs.graph
    shown = list(islice(values, max(0, len(values) - width), None))
    out = [steps[0]] * (width - len(shown))
    for value in shown:
        level = 0 if maximum <= 0 or value <= 0 else 1 + int(value / maximum * (len(steps) - 2) + 0.5)
        out.append(steps[min(level, len(steps) - 1)])
    return "".join(out)


def tall_bars(
    values: Sequence[float], width: int, maximum: float, glyphs: Glyphs, *, rows: int, cells: int = 1
) -> list[str]:
    """The same in *rows* rows, the uppermost first, with each value in *cells* cells beside each other."""
    steps = glyphs.graph
    in_row = len(steps) - 1
    shown = list(islice(values, max(0, len(values) - width // cells), None))
    levels = [0] * (width - len(shown) * cells)
    for value in shown:
        level = 0 if maximum <= 0 or value <= 0 else max(1, round(min(value / maximum, 1.0) * in_row * rows))
        levels += [level] * cells
    return [
        "".join(steps[min(level - below, in_row)] if level > below else " " if below else steps[0] for level in levels)
        for below in range((rows - 1) * in_row, -1, -in_row)
    ]
