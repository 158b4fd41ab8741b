"""One tunnel in full, with pages below the facts: connections, timeline, log, configuration, ways to connect."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from tunnelui.tui.lines.connect_as import ways_to_connect
from tunnelui.tui.lines.route_config import config_rows
from tunnelui.tui.lines.timeline import sign_words, summary
from tunnelui.tui.lines.words import cut_middle, line, pad
from tunnelui.tui.widgets.choice_list import ChoiceList
from tunnelui.tui.widgets.connection_list import ConnectionList
from tunnelui.tui.widgets.detail_panel import DetailPanel, stages_of
from tunnelui.tui.widgets.event_log import EventLog
from tunnelui.tui.widgets.row_list import RowList
from tunnelui.tui.widgets.tab_rule import TabRule
from tunnelui.tui.widgets.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from textual.content import Content
    from textual.geometry import Size
    from textual.widget import Widget

    from tunnelui.engine.model import ConnectionSnapshot, Event, TunnelSnapshot
    from tunnelui.tui.lines.connect_as import Way
    from tunnelui.tui.style.glyphs import Glyphs
    from tunnelui.tui.view import View

__all__ = ["CONNECTIONS", "CONNECT_AS", "LOG", "DetailPages"]

CONNECTIONS: Final = 0
TIMELINE: Final = 1
LOG: Final = 2
CONFIG: Final = 3
CONNECT_AS: Final = 4
_COUNT: Final = 5
_ENTER: Final = {LOG: "{} shows the whole log, with levels and find", CONNECT_AS: "{} copies it"}
_LABEL: Final = 13


class _Config(RowList):
    """The settings of a route, one a row."""

    HEAD: ClassVar[int] = 0

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__(id="config")
        self.glyphs = glyphs
        self._rows: Sequence[tuple[str, str, bool]] = ()

    @property
    def row_count(self) -> int:
        return len(self._rows)

    def show(self, rows: Sequence[tuple[str, str, bool]]) -> None:
        if rows != self._rows:
            self._rows = rows
            self.rows_changed()

    def head_line(self, width: int) -> Content:
        return line("")

    def row_line(self, index: int, width: int, *, selected: bool) -> Content:
        name, value, said = self._rows[index]
        bar = self.cursor_mark(self.glyphs, selected=selected)
        words = cut_middle(value, max(8, width - _LABEL - 4), self.glyphs.ellipsis)
        return line(" ", bar, (pad(name, _LABEL), "$muted"), (words, "$ink" if said else "$muted"))


class DetailPages(DetailPanel):
    """A `DetailPanel` with tabs; one page at a time has the room and the focus."""

    def __init__(self, glyphs: Glyphs, *, lead: str = " ", id: str | None = None) -> None:
        super().__init__(glyphs, lead=lead, id=id)
        self.page = CONNECTIONS
        self._tabs = TabRule(glyphs)
        self._timeline = Timeline(glyphs, id="timeline")
        self._log = EventLog(glyphs, id="log")
        self._config = _Config(glyphs)
        self._ways = ChoiceList(glyphs, (), keys=False, id="ways")
        self._lists: tuple[RowList, ...] = (self.connections, self._timeline, self._log, self._config, self._ways)

    def pages(self) -> Iterator[Widget]:
        yield self._tabs
        yield from self._lists

    def head_end(self, tunnel: TunnelSnapshot, width: int) -> list[Content]:
        return []  # the tabs stand there

    @property
    def connection(self) -> ConnectionSnapshot | None:
        """The selected connection, on the pages that have some."""
        page = self._lists[self.page]
        return page.selected if isinstance(page, ConnectionList) else None

    @property
    def way(self) -> Way | None:
        """The selected way to connect, on its page."""
        ways = self._ways.ways
        return ways[self._ways.cursor] if self.page == CONNECT_AS and ways else None

    def enter_words(self, key: str) -> str:
        """What *key*, which takes what the page shows, does there; empty where it does nothing."""
        return _ENTER.get(self.page, "").format(key)

    def begin(self, events: Iterable[Event], route: str) -> None:
        """Show the *events* of *route* on the page for them, and give the first page the focus."""
        self._log.show(events, route, 1)
        self.turn_to(self.page)

    def add_events(self, events: Iterable[Event]) -> None:
        self._log.add(events)

    def turn(self, step: int) -> None:
        """Go to the next page (*step* 1), or to the one before (-1)."""
        self.turn_to((self.page + step) % _COUNT)

    def turn_to(self, page: int) -> None:
        self.page = page
        if self._shown:
            self.show(*self._shown)
        self._lists[page].focus()

    def show_pages(self, view: View, tunnel: TunnelSnapshot) -> None:
        for index, page in enumerate(self._lists):
            page.display = index == self.page
        titles = [f"Connections {tunnel.live}", "Timeline", "Log", "Config", "Connect as"]
        self._tabs.show(titles, self.page)
        self.connections.show(tunnel.connections)
        self._timeline.show(tunnel.connections)
        self._config.show(config_rows(tunnel))
        self._ways.show(ways_to_connect(tunnel))

    def on_row_list_moved(self, event: ConnectionList.Moved) -> None:
        event.stop()
        self._show_stages()

    def _foot_lines(self, view: View, tunnel: TunnelSnapshot, place: Size) -> list[Content]:
        return super()._foot_lines(view, tunnel, place) if self.page in (CONNECTIONS, TIMELINE) else []

    def stages(self, width: int) -> tuple[str, list[Content]]:
        if self.page != TIMELINE:
            return super().stages(width)
        selected = self._timeline.selected
        if selected is None:
            return stages_of(None), [line(("  No connection yet.", "$muted"))]
        rows = [line("  ", *row) for row in sign_words(selected.timings, width - 4)]
        words = summary([one.timings for one in self._timeline.connections])
        return stages_of(selected), [*rows, line("  ", (words, "$ink"))]
