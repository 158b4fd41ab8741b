"""Where the time of connections goes: a bar for each, all on one scale, every stage with a sign of its own."""

from __future__ import annotations

import math
from statistics import median
from typing import TYPE_CHECKING, Final

from tunnelui.tui.lines.format import milliseconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tunnelui.engine.model import StageTimings
    from tunnelui.tui.style.glyphs import Glyphs

__all__ = ["STAGES", "Part", "bar", "scale_of", "sign_words", "summary", "total_of"]

Part = tuple[str, str]

STAGES: Final = (
    ("queue", "q", "queue", "$muted"),
    ("dns", "d", "dns", "$ready"),
    ("tcp", "t", "tcp", "$brand"),
    ("tls", "s", "tls", "$auth"),
    ("connect", "c", "connect", "$retry"),
    ("first_byte", "f", "first byte", "$live"),
)
"""Field, sign, word and colour of each stage, in their order."""
_STEPS: Final = (1, 1.5, 2, 3, 4, 5, 6, 8, 10)
_OUTLIER: Final = 6
"""So many times the median is too long for the scale of the others."""


def _seconds(timings: StageTimings) -> list[float]:
    return [getattr(timings, field) or 0.0 for field, *_ in STAGES]


def total_of(timings: StageTimings) -> float:
    """Return the sum of all stages, in seconds."""
    return sum(_seconds(timings))


def scale_of(all_timings: Iterable[StageTimings]) -> float:
    """Return how many seconds a whole bar stands for: a round number that the longest one fits in.

    One that is far longer than most, as after a sign-in, is left to stick out; the others could not be told apart.
    """
    totals = sorted(total for timings in all_timings if (total := total_of(timings)) > 0)
    if not totals:
        return 0.0
    middle, longest = median(totals), totals[-1]
    if longest > _OUTLIER * middle:
        longest = max(total for total in totals if total <= _OUTLIER * middle)
    unit = 10.0 ** math.floor(math.log10(longest))
    return unit * next(step for step in _STEPS if step * unit >= longest * 0.999)


def bar(timings: StageTimings, scale: float, width: int, glyphs: Glyphs) -> list[Part]:
    """Return the bar, at most *width* cells: each stage begins with its sign. What sticks out ends in an ellipsis.

    A stage of less than half a cell is left out, but the longest one never is.
    """
    seconds = _seconds(timings)
    if scale <= 0 or not any(seconds):
        return []
    parts: list[Part] = []
    x, at = 0, 0.0
    for taken, (_, sign, _, colour) in zip(seconds, STAGES, strict=True):
        at += taken
        size = round(at / scale * width) - x
        if taken / scale * width < 0.5 or size < 1:
            if taken != max(seconds):
                continue
            size = 1
        if x + size > width:
            end = glyphs.ellipsis if at / scale > 1.001 else ""
            text = (sign + glyphs.block * width)[: max(0, width - x - len(end))] + end
            return [*parts, (text, colour)] if width > x else parts
        parts.append((sign + glyphs.block * (size - 1), colour))
        x += size
    return parts


def sign_words(timings: StageTimings, width: int) -> list[list[Part]]:
    """Return each stage's sign, word and time, in as few rows of *width* cells as there may be."""
    rows: list[list[Part]] = [[]]
    used = 0
    for field, sign, word, colour in STAGES:
        time = milliseconds(getattr(timings, field))
        size = len(sign) + len(word) + len(time) + 5
        if used and used + size - 3 > width:
            rows.append([])
            used = 0
        rows[-1] += [(sign, f"bold {colour}"), (f" {word} ", colour), (f"{time}   ", "")]
        used += size
    return rows


def summary(all_timings: Sequence[StageTimings]) -> str:
    """Return the answer in words: which stage takes most of the time of a usual connection."""
    whole = [timings for timings in all_timings if total_of(timings) > 0]
    if not whole:
        return "Nothing was measured yet."
    usual = median(map(total_of, whole))
    stages = [median(_seconds(timings)[index] for timings in whole) for index in range(len(STAGES))]
    most = max(range(len(STAGES)), key=stages.__getitem__)
    count = "1 connection" if len(whole) == 1 else f"the median of {len(whole)} connections"
    return f"{milliseconds(usual)}, {count}; most of it {STAGES[most][2]}, {milliseconds(stages[most])}."
