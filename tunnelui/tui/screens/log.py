"""The log as a screen of its own."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, ClassVar

from tunnelui.engine.model import State
from tunnelui.tui.keys.bindings import LOG
from tunnelui.tui.lines.log_lines import LEVELS, message_of, plain_line
from tunnelui.tui.lines.words import cut_middle, line, safe, wrap
from tunnelui.tui.screens.base import TunnelScreen
from tunnelui.tui.screens.save_as import SaveAs
from tunnelui.tui.widgets.event_log import EventLog
from tunnelui.tui.widgets.key_footer import KeyFooter
from tunnelui.tui.widgets.line_view import LineView
from tunnelui.tui.widgets.rules import Rule
from tunnelui.tui.widgets.word_bar import WordBar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from tunnelui.engine.model import Event
    from tunnelui.tui.view import View

__all__ = ["LogScreen"]

_LEAST_PATH = 16


class LogScreen(TunnelScreen[None]):
    """Events of one route, or of all (*route* empty); ``a`` switches."""

    HELP_TITLE: ClassVar[str] = "Log"
    BINDINGS: ClassVar[list[BindingType]] = [*LOG]

    def __init__(self, route: str = "") -> None:
        super().__init__()
        self._route = route
        self._of = route
        self._least = 1
        self._needle = ""

    def compose(self) -> ComposeResult:
        glyphs = self.tunnels.glyphs
        yield LineView(id="top")
        yield Rule(glyphs)
        yield EventLog(glyphs, id="log")
        yield Rule(glyphs, id="message-rule")
        yield LineView(id="message")
        yield Rule(glyphs)
        yield WordBar(id="find")
        yield KeyFooter(id="footer")

    def on_mount(self) -> None:
        self.log_lines.keeps_cursor = True
        self.log_lines.focus()
        self._show_all()

    @property
    def log_lines(self) -> EventLog:
        return self.query_one(EventLog)

    def show_view(self, view: View) -> None:
        self._show_top()

    def show_events(self, events: Sequence[Event]) -> None:
        self.log_lines.add(events)
        self._show_top()

    def on_resize(self) -> None:
        self.call_after_refresh(self._show_top)

    def on_row_list_moved(self) -> None:
        self._show_top()

    def _show_all(self) -> None:
        self.log_lines.show(self.tunnels.events, self._of, self._least)
        self._show_top()

    # The lines above and below.

    def _show_top(self) -> None:
        log, glyphs, width = self.log_lines, self.tunnels.glyphs, self.size.width
        event = None if log.wrapped else log.selected
        words = wrap(message_of(event), max(10, width - 3), 2) if event else []
        self.query_one("#message", LineView).show(*(line(" ", (row, "$ink"), limit=700) for row in words))
        level = LEVELS[self._least] + ("+" if self._least < len(LEVELS) - 1 else "")
        if log.follow:
            follow = (f"follow {glyphs.state(State.LIVE)}", "$live")
        else:
            follow = (f"paused {glyphs.state(State.OFF)}" + (f" +{log.missed:,} new" if log.missed else ""), "$auth")
        parts: list[str | tuple[str, str]] = [
            (f" {glyphs.back} ", "$brand"),
            ("Log", "bold $ink"),
            ("  ", ""),
            (safe(self._of, 64) or "all routes", "$ink"),
            ("  ", ""),
            (level, "$ink"),
            ("  ", ""),
            follow,
        ]
        gap = (f" {glyphs.separator} ", "$rule")
        parts += [gap, ("1 line" if log.line_count == 1 else f"{log.line_count:,} lines", "$muted")]
        if self._needle:
            place, count = log.place
            found = f" {place or '-'}/{count}" if count else " not here"
            parts += [gap, (f"/{safe(self._needle, 20)}", "$ink"), (found, "$muted" if count else "$auth")]
        if marked := len(log.marked):
            parts += [gap, (f"{marked} marked", "$brand")]
        room = width - line(*parts).cell_length - 4
        path = _from_home(self.tunnels.log_path)
        if path and room >= _LEAST_PATH:
            words_for = "faults " if room >= len(path) + 7 else ""
            parts += [gap, (words_for + cut_middle(safe(path), room - len(words_for), glyphs.ellipsis), "$muted")]
        self.query_one("#top", LineView).show(line(*parts))

    # What is shown.

    def action_follow(self) -> None:
        log = self.log_lines
        if log.follow:
            log.stay()
        else:
            log.follow_end()
        self._show_top()

    def action_level(self, least: int) -> None:
        self._least = least
        self._show_all()

    def action_toggle_all(self) -> None:
        """From one route to all; from all to the one before, or that of the selected line."""
        if self._of:
            self._of = ""
        else:
            event = self.log_lines.selected
            self._of = self._route or (event.route if event else "")
            if not self._of:
                self.tunnels.say("The selected line is of no route.", "warning")
        self._show_all()

    def action_wrap(self) -> None:
        on = not self.log_lines.wrapped
        self.query_one("#message").display = self.query_one("#message-rule").display = not on
        self.log_lines.wrap_lines(on)
        self._show_top()

    # Finding.

    def action_find(self) -> None:
        self.set_class(True, "-finding")
        self.query_one(WordBar).open()

    def on_word_bar_changed(self, event: WordBar.Changed) -> None:
        self._needle = event.text
        self.log_lines.look_for(event.text)
        self.log_lines.find(0)
        self._show_top()

    def on_word_bar_closed(self) -> None:
        self.set_class(False, "-finding")
        self.log_lines.focus()

    def action_find_next(self, step: int) -> None:
        if not self._needle:
            self.action_find()
            return
        self.log_lines.find(step)
        self._show_top()

    # Taking lines away.

    def _taken(self) -> tuple[list[Event], str]:
        """What a copy or a file is made of, and what to call it: the marked lines, or else what is shown."""
        log = self.log_lines
        marked = log.marked
        lines = marked or log.shown
        count = "1 line" if len(lines) == 1 else f"{len(lines):,} lines"
        return lines, f"{count}, marked" if marked else f"{count} of {safe(self._of, 40) or 'all routes'}"

    async def action_copy_lines(self) -> None:
        selected = self.log_lines.selected
        lines = self.log_lines.marked or ([selected] if selected else [])
        if not lines:
            self.tunnels.say("There is no line yet.", "warning")
        elif len(lines) == 1:
            await self.tunnels.copy(plain_line(lines[0]), "the line")
        else:
            text = "\n".join(map(plain_line, lines))
            await self.tunnels.copy(text, f"{len(lines)} lines")

    def action_mark(self) -> None:
        self.log_lines.mark()
        self._show_top()

    def action_save(self) -> None:
        lines, what = self._taken()
        if not lines:
            self.tunnels.say("There is no line yet.", "warning")
            return

        def saved(path: str | None) -> None:
            if path is not None:
                self.tunnels.say(f"Saved {what} in {_from_home(path)}.")

        text = "".join(f"{plain_line(event)}\n" for event in lines)
        at = time.strftime("%Y%m%d-%H%M%S", time.localtime(self.tunnels.view.now or None))
        self.app.push_screen(SaveAs(what, text, f"~/tunnelui-{at}.log"), saved)

    def action_back(self) -> None:
        """Look for nothing, then unmark, then leave."""
        if self._needle:
            self.query_one(WordBar).clear()
        elif self.log_lines.marked:
            self.log_lines.clear_marks()
            self._show_top()
        else:
            self.dismiss()


def _from_home(path: str) -> str:
    home = os.path.expanduser("~")  # noqa: PTH111  (for people to read)
    return f"~{path.removeprefix(home)}" if home != "/" and path.startswith(home + os.sep) else path
