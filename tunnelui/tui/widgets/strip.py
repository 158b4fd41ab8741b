"""The two lines under the list: what the selected row's state means and which keys help."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len

from tunnelui.tui.keys.bindings import TABLE
from tunnelui.tui.lines.advice import advise
from tunnelui.tui.lines.key_hints import clickable
from tunnelui.tui.lines.words import cut, line, safe, wrap
from tunnelui.tui.style.glyphs import COLOURS
from tunnelui.tui.widgets.line_view import LineView

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.content import Content

    from tunnelui.engine.model import TunnelSnapshot
    from tunnelui.tui.lines.advice import Advice
    from tunnelui.tui.style.glyphs import Glyphs
    from tunnelui.tui.view import View

__all__ = ["TroubleStrip", "strip_lines"]

_QUIET = ("off", "ready", "live")


class TroubleStrip(LineView):
    """Always two lines high, so that nothing jumps."""

    def __init__(self, glyphs: Glyphs, key_name: Callable[[str], str], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.glyphs = glyphs
        self._key_name = key_name

    def show_tunnel(self, tunnel: TunnelSnapshot, view: View) -> None:
        """Show the words for *tunnel*."""
        self.show_for(lambda place: self._lines_of(tunnel, view, place.width))

    def _lines_of(self, tunnel: TunnelSnapshot, view: View, width: int) -> tuple[Content, ...]:
        advice = advise(tunnel, view.identity(tunnel), view.now)
        colour = "$ink" if tunnel.state in _QUIET and not tunnel.problem else f"${COLOURS[tunnel.state]}"
        if tunnel.state in _QUIET and tunnel.problem:
            colour = "$denied"
        return strip_lines(safe(tunnel.route.name, 64), advice, colour, self._key_name, width, self.glyphs)

    def show_words(self, first: str, second: str = "") -> None:
        """Show two plain lines instead."""
        self.show_for(
            lambda place: [
                line(" ", (cut(safe(words), max(1, place.width - 2)), style))
                for words, style in ((first, "$ink"), (second, "$muted"))
            ]
        )


def strip_lines(
    name: str, advice: Advice, colour: str, key_name: Callable[[str], str], width: int, glyphs: Glyphs
) -> tuple[Content, Content]:
    """Return both lines, at most *width* cells each. A long sentence runs on into the second line."""
    name = cut(name, max(8, width // 4), glyphs.ellipsis)
    room = width - cell_len(name) - 4
    what = wrap(safe(advice.what, 600), room, 2) or [""]
    first = line(" ", (name, "bold $ink"), "  ", (what[0], colour))
    parts: list[Content] = [line(" ")]
    left = width - 2
    hints = [(key, hint.words) for hint in advice.hints if (key := key_name(hint.binding))]
    acts = {key_name(hint.binding): f"screen.{TABLE[hint.binding].action}" for hint in advice.hints}
    lead = what[1] if len(what) > 1 else safe(advice.then, 300)
    fuller = f"{lead} {safe(advice.more)}" if advice.more and len(what) == 1 else lead
    if cell_len(fuller) + sum(len(key) + len(words) + 4 for key, words in hints) <= left - 1:
        lead = fuller
    while len(hints) > 1 and cell_len(lead) + 2 + sum(len(key) + len(words) + 4 for key, words in hints) > left + 3:
        hints.pop()
    if lead:
        needed = sum(len(key) + len(words) + 4 for key, words in hints)
        lead = cut(lead, max(20, left - needed), glyphs.ellipsis)
        parts.append(line((lead, colour if len(what) > 1 else "$muted"), "  "))
        left -= cell_len(lead) + 2
    for key, words in hints:
        size = len(key) + len(words) + 1
        if size <= left:
            parts.append(clickable(line((key, "bold $brand"), (f" {words}   ", "$muted")), acts[key]))
            left -= size + 3
    return first, line("").join(parts)
