"""The log as a screen of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tunnelui.engine.model import State
from tunnelui.tui.bindings import LOG
from tunnelui.tui.screens.base import TunnelScreen
from tunnelui.tui.widgets.event_log import EventLog
from tunnelui.tui.widgets.key_footer import KeyFooter
from tunnelui.tui.widgets.line_view import LineView
from tunnelui.tui.widgets.rules import Rule
from tunnelui.tui.words import line, safe, wrap

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from tunnelui.engine.model import Event
    from tunnelui.tui.view import View

__all__ = ["LogScreen"]


class LogScreen(TunnelScreen[None]):
    """Events of one route, or of all (*route* empty); ``a`` switches."""

    HELP_TITLE: ClassVar[str] = "Log"
    BINDINGS: ClassVar[list[BindingType]] = [*LOG]

    def __init__(self, route: str = "") -> None:
        super().__init__()
        self._route = route
        self._of = route

    def compose(self) -> ComposeResult:
        glyphs = self.tunnels.glyphs
        yield LineView(id="top")
        yield Rule(glyphs)
        yield EventLog(glyphs, id="log")
        yield Rule(glyphs)
        yield LineView(id="message")
        yield Rule(glyphs)
        yield KeyFooter()

    def on_mount(self) -> None:
        self.query_one(EventLog).focus()
        self.query_one(EventLog).show(self.tunnels.events, self._of)
        self._show_top()

    def show_view(self, view: View) -> None:
        self._show_top()

    def show_event(self, event: Event) -> None:
        self.query_one(EventLog).add(event)
        self._show_top()

    def on_row_list_moved(self) -> None:
        self._show_top()

    def _show_top(self) -> None:
        log = self.query_one(EventLog)
        glyphs = self.tunnels.glyphs
        follow = (f"follow {glyphs.state(State.LIVE)}", "$live") if log.follow else ("paused", "$auth")
        width = self.size.width
        event = log.selected
        words = wrap(safe(event.message, 600), max(10, width - 3), 2) if event else []
        self.query_one("#message", LineView).show(*(line(" ", (row, "$ink"), limit=700) for row in words))
        count = "1 line" if log.row_count == 1 else f"{log.row_count:,} lines"
        self.query_one("#top", LineView).show(
            line(
                (f" {glyphs.back} ", "$brand"),
                ("Log", "bold $ink"),
                ("  ", ""),
                (safe(self._of, 64) or "all routes", "$ink"),
                ("   ", ""),
                follow,
                (f" {glyphs.separator} ", "$rule"),
                (count, "$muted"),
            )
        )

    def action_back(self) -> None:
        self.dismiss()

    def action_follow(self) -> None:
        log = self.query_one(EventLog)
        if log.follow:
            log.follow = False
        else:
            log.follow_end()
        self._show_top()

    def action_toggle_all(self) -> None:
        self._of = "" if self._of else self._route
        log = self.query_one(EventLog)
        log.follow = True
        log.show(self.tunnels.events, self._of)
        self._show_top()
