"""Trying a route once: one tunnel is opened and closed, whatever the list says."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.containers import Vertical

from tunnelui.engine.model import State
from tunnelui.errors import TunnelError
from tunnelui.tui.bindings import PROBE
from tunnelui.tui.facts import stage_words
from tunnelui.tui.format import milliseconds
from tunnelui.tui.key_hints import hints
from tunnelui.tui.screens.base import Dialog
from tunnelui.tui.steps import in_screen_words, next_step
from tunnelui.tui.widgets.line_view import LineView
from tunnelui.tui.words import line, reason, safe, wrap

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.content import Content

__all__ = ["Probe"]

_WIDTH = 62


class Probe(Dialog[None]):
    """Says how long each stage took, or where it ended and what to do. Closing it gives the attempt up."""

    BINDINGS: ClassVar[list[BindingType]] = [*PROBE]

    def __init__(self, name: str) -> None:
        super().__init__()
        self._route = name
        self._asking = False

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield LineView(id="probe")

    def on_mount(self) -> None:
        self.action_again()

    def action_again(self) -> None:
        if not self._asking:
            self._asking = True
            self._show(line(("Opening a tunnel…", "$muted")))
            self.run_worker(self._probe(), exit_on_error=False)

    async def _probe(self) -> None:
        glyphs = self.tunnels.glyphs
        try:
            timings = await self.tunnels.engine.probe(self._route)
        except TunnelError as error:
            words, hint = safe(in_screen_words(str(error)), 400), safe(next_step(error.code, error.hint), 400)
            if error.request_id:
                hint = f"{hint} Request {safe(error.request_id, 80)}.".strip()
            bad = (f"{glyphs.state(State.DENIED)} ", "$denied")
            first, *more = wrap(words, _WIDTH - 8, 4) or [""]
            self._show(
                line(bad, (first, "$ink")),
                *(line("  ", (row, "$ink")) for row in more),
                *(line("  ", (row, "$muted")) for row in wrap(hint, _WIDTH - 8, 4)),
            )
        except Exception as error:  # a fault of ours ends the attempt and nothing else
            self._show(*(line((row, "$denied")) for row in wrap(reason(error), _WIDTH - 6, 4)))
        else:
            total = milliseconds(timings.handshake)
            good = (f"{glyphs.state(State.LIVE)} ", "$live")
            self._show(
                line(good, (f"The far side took a connection, after {total}.", "$ink")),
                *stage_words(timings, _WIDTH - 6),
            )
        finally:
            self._asking = False

    def _show(self, *rows: Content) -> None:
        title = line(("Test", "bold $ink"), "  ", (safe(self._route, 48), "$muted"))
        foot = hints((self.tunnels.key_name("tunnel.test"), "again", "screen.again"), ("esc", "close", "screen.back"))
        self.query_one("#probe", LineView).show(title, line(""), *rows, line(""), foot)

    def action_back(self) -> None:
        self.dismiss()
