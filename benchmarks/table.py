"""The results as text, in columns."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Final

from benchmarks.summary import OURS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.musts import Verdict
    from benchmarks.summary import Results, Series

__all__ = ["columns", "render_musts", "render_results"]

_IDLE_RELAY: Final = 0.85
"""Below this share of its core a relay was waiting for somebody: its throughput is not its own limit."""


def render_results(results: Results) -> str:
    """Return a table for each case."""
    blocks: list[str] = []
    for case in dict.fromkeys(series.case for series in results.series):
        rows = [["", "median", "min", "max", f"{OURS} / it", "busy"]]
        for series in results.series:
            if series.case == case:
                rows.append([f"{series.metric}, {series.unit}"])
                rows += [_row(series, peer) for peer in series.samples]
        blocks.append(f"{case}\n{columns(rows)}")
    notes = _notes(results)
    return "\n\n".join([*blocks, *([notes] if notes else [])]) + "\n"


def _row(series: Series, peer: str) -> list[str]:
    values = series.values(peer)
    ratio = None if peer == OURS else series.ratio(OURS, peer)
    busy = series.busy(peer)
    return [
        f"  {peer}",
        *(_number(value) for value in (median(values), min(values), max(values))),
        "" if ratio is None else f"{ratio:.2f}",
        "" if busy is None else f"{busy:.2f}{'' if busy >= _IDLE_RELAY or series.metric != 'throughput' else ' *'}",
    ]


def _notes(results: Results) -> str:
    lines = [
        "busy: cores that the relay's processes used; *: it waited for others, so its throughput is no limit of its own"
    ]
    if foreign := results.foreign():
        lines.append(f"cores kept busy by other programs: median {median(foreign):.2f}, most {max(foreign):.2f}")
    lines += [f"! {problem}" for problem in results.problems]
    return "\n".join(lines)


def render_musts(verdicts: Sequence[Verdict]) -> str:
    """Return the table of what must be reached."""
    rows = [["case", "against", "must", "aim", "ratio", "", "at"]]
    for verdict in verdicts:
        must = verdict.must
        sign = "≥" if must.bound == "at least" else "≤"
        rows.append(
            [
                must.what,
                must.reference,
                f"{sign} {must.must:g}",
                f"{sign} {must.aim:g}",
                "" if verdict.ratio is None else f"{verdict.ratio:.2f}",
                verdict.word,
                verdict.where,
            ]
        )
    return columns(rows, left=(0, 1, 5, 6)) + "\n"


def columns(rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> str:
    """Align *rows*; the columns of *left* to the left, the others to the right. Rows may be short."""
    count = max(len(row) for row in rows)
    # A row with one cell is a heading: it may be wider than its column.
    widths = [max((len(row[i]) for row in rows if len(row) > max(i, 1)), default=0) for i in range(count)]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(widths[i]) if i in left else cell.rjust(widths[i]) for i, cell in enumerate(row) if len(row) > 1
        ]
        lines.append(("  ".join(cells) if cells else "".join(row)).rstrip())
    return "\n".join(lines)


def _number(value: float) -> str:
    """Three digits that count."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"
