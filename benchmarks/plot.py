"""The results as a picture: one panel of horizontal bars for each measurement, medians with their least and most."""

from __future__ import annotations

from html import escape
from statistics import median
from typing import TYPE_CHECKING, Final

from benchmarks.cases.profile import PARTS
from benchmarks.summary import OURS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.summary import Results, Series

__all__ = ["render_svg"]

_COLUMNS: Final = 2
_PANEL: Final = 520  # all lengths in pixels
_LABEL: Final = 210
_VALUE: Final = 62
_BAR: Final = 16
_LINE: Final = 22
_HEAD: Final = 34
_GAP: Final = 22
_BACKGROUND: Final = ("process", "kernel, all ends", "streams", *PARTS)
"""Metrics that explain others and need no picture."""
_STYLE: Final = """
  text { font: 12px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600 }
  .paper { fill: #ffffff }
  .bar { fill: #9aa7b5 }
  .ours { fill: #2f6fde }
  .range { stroke: #24292f; stroke-width: 1.2; fill: none }
  @media (prefers-color-scheme: dark) {
    text { fill: #d7dde4 }
    .paper { fill: #14181d }
    .bar { fill: #5b6673 }
    .ours { fill: #6ea0ff }
    .range { stroke: #d7dde4 }
  }
"""


def render_svg(results: Results) -> str:
    """Return the picture; without results it is empty but valid."""
    shown = [series for series in results.series if series.metric not in _BACKGROUND]
    heights = [_GAP] * _COLUMNS
    panels: list[str] = []
    for series in shown:
        column = heights.index(min(heights))
        panels.append(_panel(series, _GAP + column * (_PANEL + _GAP), heights[column]))
        heights[column] += _HEAD + _LINE * len(series.samples) + _GAP
    width, height = _GAP + _COLUMNS * (_PANEL + _GAP), max(heights)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" role="img" aria-label="Benchmark results">',
            f"<style>{_STYLE}</style>",
            f'<rect class="paper" width="{width}" height="{height}"/>',
            *panels,
            "</svg>\n",
        ]
    )


def _panel(series: Series, left: int, top: int) -> str:
    sign = "more is better" if series.better == "higher" else "less is better"
    title = f"{series.case}: {series.metric}, {series.unit}"
    most = max((value for peer in series.samples for value in series.values(peer)), default=0.0)
    scale = (_PANEL - _LABEL - _VALUE) / most if most > 0 else 0.0
    parts = [
        f'<g transform="translate({left} {top})">',
        f'<text class="title" y="12">{escape(title)}</text>',
        f'<text y="27">{sign}</text>',
    ]
    for number, peer in enumerate(series.samples):
        parts += _bar(peer, series.values(peer), _HEAD + number * _LINE, scale)
    return "\n".join([*parts, "</g>"])


def _bar(peer: str, values: Sequence[float], top: int, scale: float) -> list[str]:
    middle = top + _BAR / 2
    low, high = (_LABEL + max(bound, 0.0) * scale for bound in (min(values), max(values)))
    kind = "bar ours" if peer.startswith(OURS) else "bar"
    value = median(values)
    return [
        f'<text x="{_LABEL - 8}" y="{middle + 4:.1f}" text-anchor="end">{escape(peer)}</text>',
        f'<rect class="{kind}" x="{_LABEL}" y="{top}" width="{max(value, 0.0) * scale:.1f}" height="{_BAR}"/>',
        f'<path class="range" d="M{low:.1f} {middle:.1f}H{high:.1f}M{low:.1f} {top + 4}v8M{high:.1f} {top + 4}v8"/>',
        f'<text x="{high + 6:.1f}" y="{middle + 4:.1f}">{value:.3g}</text>'
        if value < 1000
        else f'<text x="{high + 6:.1f}" y="{middle + 4:.1f}">{value:,.0f}</text>',
    ]
