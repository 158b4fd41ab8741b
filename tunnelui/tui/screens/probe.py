"""Trying a route once: one tunnel is opened and closed, whatever the list says."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.containers import Vertical

from tunnelui.engine.model import State
from tunnelui.errors import TunnelError
from tunnelui.tui.keys.bindings import PROBE
from tunnelui.tui.lines.facts import stage_words
from tunnelui.tui.lines.format import milliseconds
from tunnelui.tui.lines.key_hints import hints
from tunnelui.tui.lines.steps import in_screen_words, next_step
from tunnelui.tui.lines.words import line, reason, safe, wrap
from tunnelui.tui.screens.base import Dialog
from tunnelui.tui.widgets.line_view import LineView

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.content import Content

__all__ = ["Probe"]

_WIDTH = 62
_OPENS, _WAITS = ("Opening a tunnel…", "$muted"), ("It waits for your sign-in.", "$auth")
_EVERY = 0.5
"""Seconds between two looks whether the attempt waits for a sign-in."""


class Probe(Dialog[None]):
    """Says how long each stage took, or where it ended and what to do. Closing it gives the attempt up."""

    BINDINGS: ClassVar[list[BindingType]] = [*PROBE]

    def __init__(self, name: str) -> None:
        super().__init__()
        self._route = name
        self._asking = False
        self._waits = False

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield LineView(id="probe")

    def on_mount(self) -> None:
        self.action_again()
        self.set_interval(_EVERY, self._look)

    def action_again(self) -> None:
        if not self._asking:
            self._asking, self._waits = True, False
            self._show(line(_OPENS))
            self.run_worker(self._probe(), exit_on_error=False)

    def _look(self) -> None:
        """Say that it waits for a sign-in, where it does."""
        if not self._asking:
            return
        view = self.tunnels.view
        tunnel = view.snapshot.tunnel(self._route)
        identity = view.identity(tunnel) if tunnel else None
        waits = identity is not None and identity.sign_in is not None
        if waits != self._waits:
            self._waits = waits
            self._show(line(_WAITS if waits else _OPENS))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A sign-in is offered while the attempt waits for one."""
        return action != "sign_in" or (self._asking and self._waits)

    def action_sign_in(self) -> None:
        """Show the sign-in; the attempt goes on when it is done."""
        self.tunnels.verbs.sign_in(self.tunnels.view.snapshot.tunnel(self._route))

    async def _probe(self) -> None:
        glyphs = self.tunnels.glyphs
        try:
            timings = await self.tunnels.engine.probe(self._route)
        except TunnelError as error:
            self._asking = False
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
            self._asking = False
            self._show(*(line((row, "$denied")) for row in wrap(reason(error), _WIDTH - 6, 4)))
        else:
            self._asking = False
            total = milliseconds(timings.handshake)
            good = (f"{glyphs.state(State.LIVE)} ", "$live")
            self._show(
                line(good, (f"The far side took a connection, after {total}.", "$ink")),
                *stage_words(timings, _WIDTH - 6),
            )

    def _show(self, *rows: Content) -> None:
        title = line(("Test", "bold $ink"), "  ", (safe(self._route, 48), "$muted"))
        key = self.tunnels.key_name
        keys = [("esc", "close", "screen.back")]
        if not self._asking:
            keys.insert(0, (key("tunnel.test"), "again", "screen.again"))
        elif self._waits:
            keys.insert(0, (key("access.sign_in"), "shows it", "screen.sign_in"))
        foot = hints(*keys)
        self.query_one("#probe", LineView).show(title, line(""), *rows, line(""), foot)

    def action_back(self) -> None:
        self.dismiss()
