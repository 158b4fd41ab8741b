"""The lines of the detail: where a tunnel goes, who signed in, what is wrong, how fast it runs, how it was set up."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len

from tunnelui.engine.model import IdentityStatus
from tunnelui.tui.lines.format import bytes_long, clock, duration, milliseconds, rate_long
from tunnelui.tui.lines.graphs import bars
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
    "graph",
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
    return spare >= 2 if width < NARROW else spare >= _SPARE and _beside(width) < HISTORY * 2 / 3


def _beside(width: int) -> int:
    """How many cells a graph has on the line of its numbers."""
    return min(int(HISTORY), width - _LABEL - 49)


def traffic_lines(
    tunnel: TunnelSnapshot, series: tuple[Series, Series], width: int, glyphs: Glyphs, *, apart: bool = False
) -> list[Content]:
    """In and out: the total, the rate, the last minute as a graph that carries its peak.

    Both graphs have one scale. *apart* gives each a line of its own; else there is none in a narrow pane.
    """
    narrow = width < NARROW
    shared = max([0.0, *series[0].history, *series[1].history])
    room = min(int(HISTORY), width - 4) if apart else 0 if narrow else _beside(width)
    rows = []
    for name, total, one in (("In", tunnel.bytes_in, series[0]), ("Out", tunnel.bytes_out, series[1])):
        label = pad(name, 9 if narrow else _LABEL)
        parts: list[str | tuple[str, str]] = ["  ", (label, "$muted"), fit(bytes_long(total), 8)]
        parts.append((fit(rate_long(one.rate), 10, right=True), "$live" if one.rate else "$muted"))
        picture = (graph(one, max(8, room), shared, glyphs), "$ready" if any(one.history) else "$faint")
        if room >= 8 and not apart:
            parts += ["  ", picture]
        parts.append((f"  peak {rate_long(one.peak)}" if one.peak else "", "$muted"))
        rows.append(line(*parts))
        if apart:
            rows.append(line("  ", picture))
    return rows


def graph(series: Series, width: int, maximum: float, glyphs: Glyphs) -> str:
    """The last *width* seconds, newest on the right; full height is *maximum*, bytes per second."""
    return bars(series.history, width, maximum, glyphs)


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
        if used and used + size - len(gap) > width - 2:
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
