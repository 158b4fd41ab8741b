"""The lines of the detail: where a tunnel goes, who signed in, what is wrong, how fast it runs, how it was set up."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len

from tunnelui.engine.model import IdentityStatus
from tunnelui.tui.lines.format import bytes_long, clock, duration, milliseconds, rate_long
from tunnelui.tui.lines.graphs import bars, tall_bars
from tunnelui.tui.lines.rows import local_of, target_of
from tunnelui.tui.lines.steps import on_screen
from tunnelui.tui.lines.words import cut, cut_middle, fit, line, pad, safe, wrap
from tunnelui.tui.rates import HISTORY

if TYPE_CHECKING:
    from textual.content import Content

    from tunnelui.engine.model import ConnectionSnapshot, IdentitySnapshot, Problem, StageTimings, TunnelSnapshot
    from tunnelui.tui.rates import Series
    from tunnelui.tui.style.glyphs import Glyphs

__all__ = [
    "NARROW",
    "fact_lines",
    "graph_rows",
    "graphs_apart",
    "identity_words",
    "problem_lines",
    "session_words",
    "stage_lines",
    "stage_words",
    "traffic_lines",
]

_LABEL = 13
_SPARE = 14
"""Rows beyond those of the facts and a few connections, from which on wide panes give the graphs rows of their own."""
_BESIDE = _LABEL + 26
"""Cells beside a tall graph: the numbers, and the margins."""
_TALLEST = 8
"""Rows of a graph at most."""
NARROW: Final = 60
"""Below this width, in cells, labels are short and graphs stand on lines of their own."""


def fact_lines(
    tunnel: TunnelSnapshot, identity: IdentitySnapshot | None, now: float, width: int, glyphs: Glyphs
) -> list[Content]:
    """Local, Destination, Proxy, Session, Tags: one line each, cut to *width* cells."""
    label = _LABEL if width >= NARROW else 9
    room = max(8, width - label - 3)
    local = local_of(tunnel)
    pinned = "" if not local else "  pinned" if tunnel.route.listen else "  free port"
    tls = next((each.tls for each in tunnel.connections if each.tls), "")
    proxy = cut_middle(safe(tunnel.proxy) or "not known: the destination does not parse", room, glyphs.ellipsis)
    tls = f"  {safe(tls)}" if tls and len(proxy) + len(tls) + 2 <= room else ""
    rows: list[tuple[str, list[tuple[str, str]]]] = [
        (
            "Local",
            [(cut_middle(local or "any free port", room - len(pinned), glyphs.ellipsis), ""), (pinned, "$muted")],
        ),
        ("Destination" if label == _LABEL else "To", [(cut_middle(target_of(tunnel), room, glyphs.ellipsis), "")]),
        ("Proxy", [(proxy, ""), (tls, "$muted")]),
        ("Session", [(cut(session_words(identity, now, room), room, glyphs.ellipsis), "")]),
    ]
    tags = cut(safe(", ".join(tunnel.route.tags)) or "none", max(4, room - 20), glyphs.ellipsis)
    auto = "yes" if tunnel.route.autostart else "no"
    rows.append(("Tags", [(tags, "" if tunnel.route.tags else "$muted"), ("   autostart ", "$muted"), (auto, "")]))
    return [line("  ", (pad(name, label), "$muted"), *parts) for name, parts in rows]


def identity_words(identity: IdentitySnapshot | None) -> str:
    """Who it is: an e-mail address, ``service account``, ``signed out``."""
    if identity is None or identity.status is IdentityStatus.SIGNED_OUT:
        return "signed out"
    return safe(identity.name) or identity.status.value


def session_words(identity: IdentitySnapshot | None, now: float, room: int = 80) -> str:
    """``alice@example.com, expires 21:53 (9h12m)``, or shorter where there is no *room* for it."""
    if identity is None:
        return "signed out"
    if identity.sign_in is not None:
        return f"signing in, {duration(math.ceil(identity.sign_in.deadline_at - now))} left"
    name = identity_words(identity)
    if identity.status is IdentityStatus.EXPIRED:
        return f"{name}, expired"
    if identity.expires_at is None or identity.status is IdentityStatus.SIGNED_OUT:
        return name
    left = duration(identity.expires_at - now)
    words = f"{name}, expires {clock(identity.expires_at, seconds=False)} ({left})"
    return words if len(words) <= room else f"{name}, {left} left"


def problem_lines(problem: Problem, identity: IdentitySnapshot | None, width: int, limit: int = 4) -> list[Content]:
    """The problem as *identity* sees it, its next step and its request, wrapped: at most *limit* lines for each."""
    problem = on_screen(problem, identity)
    room = max(10, width - 4)
    rows = [line("  ", (row, "$denied")) for row in wrap(safe(problem.message, 600), room, limit)]
    rows += [line("  ", (row, "")) for row in wrap(safe(problem.hint, 400), room, limit)]
    ends = [f"at {clock(problem.at)}"]
    if problem.request_id:
        ends.append(f"request {safe(problem.request_id)}")
    if cell_len(", ".join(ends)) <= room:
        ends = [", ".join(ends)]
    rows += [line("  ", (cut(end, room), "$muted")) for end in ends]
    return rows


def graphs_apart(width: int, spare: int) -> bool:
    """Whether both graphs get lines of their own in *width* cells, where *spare* rows have no better use."""
    return spare >= 2 if width < NARROW else spare >= _SPARE and width - _BESIDE < HISTORY * 2 / 3


def graph_rows(spare: int) -> int:
    """How many rows each of two graphs gets, where *spare* rows beyond the first have no better use."""
    return min(_TALLEST, 1 + max(0, spare - 1) // 4)


def traffic_lines(
    tunnel: TunnelSnapshot,
    series: tuple[Series, Series],
    width: int,
    glyphs: Glyphs,
    *,
    apart: bool = False,
    rows: int = 1,
) -> list[Content]:
    """In and out: the total, the rate, the last minute as a graph that carries its peak.

    Both graphs have one scale and *rows* rows. *apart* gives each lines of its own; else there is none in a narrow pane
    unless *rows* says so.
    """
    scale = max([0.0, *series[0].history, *series[1].history])
    both = (("In", tunnel.bytes_in, series[0]), ("Out", tunnel.bytes_out, series[1]))
    if rows > 1 and not apart:
        blocks = [_tall_block(name, total, one, scale, width, rows, glyphs) for name, total, one in both]
        return [*blocks[0], line(""), *blocks[1]]
    narrow = width < NARROW
    room = min(int(HISTORY), width - 4) if apart else 0 if narrow else min(int(HISTORY), width - _LABEL - 49)
    lines = []
    for name, total, one in both:
        parts = _numbers(name, total, one, 9 if narrow else _LABEL)
        style = "$ready" if any(one.history) else "$faint"
        if room >= 8 and not apart:
            parts += ["  ", (bars(one.history, room, scale, glyphs, apart=True), style)]
        parts.append((f"  peak {rate_long(one.peak)}" if one.peak else "", "$muted"))
        lines.append(line(*parts))
        if apart:
            pictures = tall_bars(one.history, max(8, room), scale, glyphs, rows=rows)
            lines += [line("  ", (picture, style)) for picture in pictures]
    return lines


def _numbers(name: str, total: int, one: Series, label: int) -> list[str | tuple[str, str]]:
    rate = (fit(rate_long(one.rate), 10, right=True), "$live" if one.rate else "$muted")
    return ["  ", (pad(name, label), "$muted"), fit(bytes_long(total), 8), rate]


def _tall_block(
    name: str, total: int, one: Series, scale: float, width: int, rows: int, glyphs: Glyphs
) -> list[Content]:
    """One direction in *rows* rows: the numbers on the left, the graph beside all of them."""
    room = width - _BESIDE
    cells = max(1, room // int(HISTORY))
    shown = tall_bars(one.history, min(room, cells * int(HISTORY)), scale, glyphs, rows=rows, cells=cells)
    beside: list[list[str | tuple[str, str]]] = [_numbers(name, total, one, _LABEL)]
    for words, rate in (("peak", one.peak), ("scale", scale)):
        text = pad("", _LABEL) + fit(words, 8) + fit(rate_long(rate), 10, right=True)
        beside.append(["  ", (text if rate else "", "$muted")])
    style = "$ready" if any(one.history) else "$faint"
    lines = []
    for row, picture in enumerate(shown):
        parts = beside[row] if row < len(beside) else []
        used = sum(cell_len(part if isinstance(part, str) else part[0]) for part in parts)
        lines.append(line(*parts, " " * (_BESIDE - 2 - used), (picture, style)))
    return lines


_STAGES = (
    ("queue", "$muted"),
    ("dns", "$ready"),
    ("tcp", "$brand"),
    ("tls", "$auth"),
    ("connect", "$retry"),
    ("first_byte", "$live"),
)


def stage_lines(connection: ConnectionSnapshot | None, width: int, glyphs: Glyphs) -> list[Content]:
    """How long each stage took, with a bar whose pieces are as long as the stages, and how it ended."""
    if connection is None:
        return [line(("  No connection selected.", "$muted"))]
    timings = connection.timings
    rows = stage_words(timings, width)
    rows.append(_stage_bar(timings, width, glyphs))
    facts = [each for each in (safe(connection.cause), safe(connection.tls)) if each]
    if timings.connect is not None and timings.tcp is timings.tls is None:
        facts.append("over a connection kept ready")
    if connection.request_id:
        facts.append(f"request {safe(connection.request_id)}")
    ends = [", ".join(facts)]
    if connection.request_id and cell_len(ends[0]) > width - 3:  # a request is for asking about it: it stays whole
        ends = [", ".join(facts[:-1]), facts[-1]]
    rows += [line(("  " + cut(end, width - 3, glyphs.ellipsis), "$muted")) for end in ends if end]
    return rows


def stage_words(timings: StageTimings, width: int) -> list[Content]:
    """Each stage and its time, in as few rows as *width* cells allow."""
    rows: list[list[tuple[str, str]]] = [[]]
    used = 0
    gap = "  " if width < NARROW else "   "
    for name, style in _STAGES:
        words = (name.replace("_", " "), milliseconds(getattr(timings, name)))
        size = len(words[0]) + len(words[1]) + 1 + len(gap)
        if used and used + size - len(gap) > width - 3:
            rows.append([])
            used = 0
        rows[-1] += [(words[0] + " ", style), (words[1] + gap, "")]
        used += size
    return [line("  ", *row) for row in rows]


def _stage_bar(timings: StageTimings, width: int, glyphs: Glyphs) -> Content:
    taken = [(getattr(timings, name) or 0.0, style) for name, style in _STAGES]
    total = sum(seconds for seconds, _ in taken)
    room = min(width - 4, 72)
    parts: list[tuple[str, str]] = []
    if total > 0:
        parts = [
            (glyphs.block * max(1, round(seconds / total * room)), style) for seconds, style in taken if seconds > 0
        ]
    return line("  ", *_trimmed(parts, room))


def _trimmed(parts: list[tuple[str, str]], room: int) -> list[tuple[str, str]]:
    """Rounding up may give a few cells too many; the longest piece gives them back."""
    over = sum(len(text) for text, _ in parts) - room
    if over > 0:
        longest = max(range(len(parts)), key=lambda index: len(parts[index][0]))
        text, style = parts[longest]
        parts[longest] = (text[:-over], style)
    return parts
