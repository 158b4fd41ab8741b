"""The parts of the first screen. Those in sight are there from the start; the others, and their modules, when needed.

The first picture takes as long as there are parts: each is mounted, styled, laid out and drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from textual.containers import Horizontal

from tunnelui.tui.widgets.key_footer import KeyFooter
from tunnelui.tui.widgets.route_list import RouteList
from tunnelui.tui.widgets.rules import ColumnRule, Rule
from tunnelui.tui.widgets.status_bar import StatusBar
from tunnelui.tui.widgets.strip import TroubleStrip

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.app import ComposeResult
    from textual.geometry import Size
    from textual.screen import Screen
    from textual.widget import Widget

    from tunnelui.tui.host import Host
    from tunnelui.tui.view import View
    from tunnelui.tui.widgets.detail_panel import DetailPanel
    from tunnelui.tui.widgets.event_log import EventLog
    from tunnelui.tui.widgets.notes import NoteBand
    from tunnelui.tui.widgets.tag_bar import TagBar
    from tunnelui.tui.widgets.welcome import Welcome
    from tunnelui.tui.widgets.word_bar import WordBar

__all__ = ["TALL", "WIDE", "RouteParts"]

WIDE: Final = 100
TALL: Final = 30
"""From this many cells on the panes stand beside the list."""
_AROUND: Final = 8
"""Rows above and below those of the list; the log takes _LOG more."""
_LOG: Final = 6
_VERY_TALL: Final = 45
"""From this many rows on the log has more of them."""


class RouteParts:
    """The parts of *screen*. What is ``None`` was not needed yet."""

    def __init__(self, screen: Screen[None], host: Host) -> None:
        glyphs = host.glyphs
        self._screen = screen
        self._host = host
        self.status = StatusBar(glyphs, host.key_name, id="status")
        self.top_rule = Rule(glyphs, id="top-rule")
        self.routes = RouteList(glyphs, id="routes")
        self.strip_rule = Rule(glyphs, id="strip-rule")
        self.strip = TroubleStrip(glyphs, host.key_name, id="strip")
        self._foot_rule = Rule(glyphs)
        self._footer = KeyFooter(id="footer")
        self._body = Horizontal(id="body")
        self.column: ColumnRule | None = None
        self.detail: DetailPanel | None = None
        self.log_rule: Rule | None = None
        self.log: EventLog | None = None
        self.notes: NoteBand | None = None
        self._welcome: Welcome | None = None
        self._filter: WordBar | None = None
        self._tags: TagBar | None = None

    def compose(self, size: Size, view: View) -> ComposeResult:
        """Yield what a screen of *size* cells shows of *view*."""
        # Textual finds out after the first picture whether a list has a scroll bar, and would lay all out anew for it.
        room = size.height - _AROUND - (_LOG if self.fit(size) else 0)
        self.routes.show_vertical_scrollbar = len(view.snapshot.tunnels) > room
        yield self.status
        yield self.top_rule
        with self._body:
            yield self.routes
            if not view.snapshot.tunnels:
                yield self._make_welcome()
            if self.fit(size):
                yield from self._make_detail()
        if self.fit(size):
            yield from self._make_log()
        if view.snapshot.notes:
            yield self._make_notes()
        yield self.strip_rule
        yield self.strip
        yield self._foot_rule
        yield self._footer

    @staticmethod
    def fit(size: Size) -> bool:
        """Whether a screen of *size* cells has room for the panes."""
        return size.width >= WIDE and size.height >= TALL

    @classmethod
    def classes(cls, size: Size) -> dict[str, bool]:
        """Return which classes a screen of *size* cells has, and which not."""
        return {"-panes": cls.fit(size), "-very-tall": size.height >= _VERY_TALL}

    # What is made later.

    def need_panes(self) -> bool:
        """Make the detail and the log; return whether they are new."""
        if self.detail is not None:
            return False
        self._body.mount(*self._make_detail())
        self._screen.mount(*self._make_log(), before=self.notes or self.strip_rule)
        return True

    def need_welcome(self) -> None:
        if self._welcome is None:
            self._body.mount(self._make_welcome(), after=self.routes)

    def need_notes(self) -> NoteBand:
        if self.notes is not None:
            return self.notes
        notes = self._make_notes()
        self._screen.mount(notes, before=self.strip_rule)
        return notes

    @property
    def filter(self) -> WordBar:
        """The line in which a filter is typed."""
        if self._filter is None:
            from tunnelui.tui.widgets.word_bar import FILTER_WORDS, WordBar

            self._filter = WordBar(*FILTER_WORDS, id="filter")
            self._mount_bar(self._filter)
        return self._filter

    @property
    def tags(self) -> TagBar:
        """The line in which tags are typed."""
        if self._tags is None:
            from tunnelui.tui.widgets.tag_bar import TagBar

            self._tags = TagBar(id="tag-bar")
            self._mount_bar(self._tags)
        return self._tags

    def _mount_bar(self, bar: Widget) -> None:
        self._host.read_layout()
        self._screen.mount(bar, before=self._footer)

    def _make_detail(self) -> Iterable[Widget]:
        from tunnelui.tui.widgets.detail_panel import DetailPanel

        self.column = ColumnRule(self._host.glyphs, id="pane-rule")
        self.detail = DetailPanel(self._host.glyphs, id="pane")
        return self.column, self.detail

    def _make_log(self) -> Iterable[Widget]:
        from tunnelui.tui.widgets.event_log import EventLog

        self.log_rule = Rule(self._host.glyphs, id="log-rule")
        self.log = EventLog(self._host.glyphs, id="log")
        return self.log_rule, self.log

    def _make_notes(self) -> NoteBand:
        from tunnelui.tui.widgets.notes import NoteBand

        self.notes = NoteBand(self._host.key_name, id="notes")
        return self.notes

    def _make_welcome(self) -> Welcome:
        from tunnelui.tui.widgets.welcome import Welcome

        self._welcome = Welcome(self._host.glyphs, self._host.key_name, self._host.config_path, id="welcome")
        return self._welcome
