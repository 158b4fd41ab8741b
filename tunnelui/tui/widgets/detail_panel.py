"""One tunnel in full: where it goes, who signed in, what is wrong, the traffic, the connections and their stages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.containers import Vertical
from textual.message import Message

from tunnelui.tui.lines.facts import (
    NARROW,
    fact_lines,
    graph_rows,
    graphs_apart,
    problem_lines,
    stage_lines,
    traffic_lines,
)
from tunnelui.tui.lines.format import age
from tunnelui.tui.lines.rows import state_words
from tunnelui.tui.lines.words import cut, line, safe
from tunnelui.tui.style.glyphs import COLOURS
from tunnelui.tui.widgets.connection_list import ConnectionList
from tunnelui.tui.widgets.line_view import LineView
from tunnelui.tui.widgets.rules import rule_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textual.app import ComposeResult
    from textual.content import Content
    from textual.geometry import Size
    from textual.widget import Widget

    from tunnelui.engine.model import ConnectionSnapshot, TunnelSnapshot
    from tunnelui.tui.style.glyphs import Glyphs
    from tunnelui.tui.view import View

__all__ = ["DetailPanel", "stages_of", "title_line"]


def title_line(tunnel: TunnelSnapshot, now: float, width: int, glyphs: Glyphs, lead: str = " ") -> Content:
    """``orders-db      ● live · 2 connections · up 2h14m``."""
    words = [" ".join(state_words(tunnel, now).split()) if tunnel.state != "live" else "live"]
    if tunnel.live:
        words.append("1 connection" if tunnel.live == 1 else f"{tunnel.live} connections")
    if tunnel.started_at is not None and tunnel.state != "off" and width >= 60:
        words.append(f"up {age(now - tunnel.started_at)}")
    right = f"{glyphs.state(tunnel.state)} " + (" · " if glyphs.rule != "-" else ", ").join(words)
    name = cut(safe(tunnel.route.name), max(6, width - cell_len(lead) - cell_len(right) - 3), glyphs.ellipsis)
    space = width - cell_len(lead) - cell_len(name) - cell_len(right) - 1
    return line((lead, "$brand"), (name, "bold $ink"), " " * space, (right, f"${COLOURS[tunnel.state]}"))


_LEAST_ROWS = 13
"""Title, facts, totals, and a few connections, with the rules between them. What else there is has to fit below."""
_STAGE_ROWS = 6


class _Plan:
    """What of the details there is room for in a panel of the size *place*."""

    def __init__(self, view: View, tunnel: TunnelSnapshot, place: Size) -> None:
        room = place.height - _LEAST_ROWS
        self.problem = _problem(view, tunnel, place.width, room)
        room -= len(self.problem) + 1 if self.problem else 0
        self.graphs = graphs_apart(place.width, room)
        room -= 2 if self.graphs else 0
        self.stages = room >= _STAGE_ROWS
        room -= _STAGE_ROWS if self.stages else 0
        self.gap = room >= 1
        self.graph_rows = graph_rows(room - 1) if self.graphs or place.width >= NARROW else 1


def _problem(view: View, tunnel: TunnelSnapshot, width: int, room: int) -> list[Content]:
    """The problem in as many words as there is *room* for; a low pane leaves it to the strip."""
    if tunnel.problem is None:
        return []
    for limit in (5, 3, 2) if width < NARROW else (5, 3, 2, 1):
        rows = problem_lines(tunnel.problem, view.identity(tunnel), width, limit)
        if len(rows) < room:
            return rows
    return []


class DetailPanel(Vertical):
    """Used as a pane beside the list and as a screen of its own."""

    class Resized(Message):
        """The panel has another size now."""

    def __init__(self, glyphs: Glyphs, *, lead: str = " ", id: str | None = None) -> None:
        super().__init__(id=id)
        self.glyphs = glyphs
        self._lead = lead
        self._shown: tuple[View, TunnelSnapshot] | None = None
        self._head = LineView()
        self.connections = ConnectionList(glyphs, id="connections")
        self._foot = LineView()

    def compose(self) -> ComposeResult:
        yield self._head
        yield from self.pages()
        yield self._foot

    def pages(self) -> Iterator[Widget]:
        """What stands below the facts."""
        yield self.connections

    def show(self, view: View, tunnel: TunnelSnapshot) -> None:
        """Show *tunnel* as it is in *view*."""
        self._shown = (view, tunnel)
        self._head.show_for(lambda place: self._head_lines(view, tunnel, place))
        self.show_pages(view, tunnel)
        self._show_stages()

    def _head_lines(self, view: View, tunnel: TunnelSnapshot, place: Size) -> list[Content]:
        """Everything above the pages, for a panel of the size *place*."""
        width = place.width
        plan = _Plan(view, tunnel, place)
        traffic = traffic_lines(
            tunnel,
            view.rates.of(tunnel.route.name),
            width,
            self.glyphs,
            apart=plan.graphs,
            rows=plan.graph_rows,
        )
        return [
            title_line(tunnel, view.now, width, self.glyphs, self._lead),
            rule_line(width, self.glyphs),
            *fact_lines(tunnel, view.identity(tunnel), view.now, width, self.glyphs),
            *([line("")] if plan.gap else []),
            *traffic,
            *([rule_line(width, self.glyphs, "Problem"), *plan.problem] if plan.problem else []),
            *self.head_end(tunnel, width),
        ]

    def head_end(self, tunnel: TunnelSnapshot, width: int) -> list[Content]:
        """Return the line above the pages."""
        closed = len(tunnel.connections) - tunnel.live
        title = f"Connections {tunnel.live}" + (f", {closed} closed" if closed > 0 else "")
        return [rule_line(width, self.glyphs, title)]

    def show_pages(self, view: View, tunnel: TunnelSnapshot) -> None:
        """Show what stands below the facts."""
        self.connections.show(tunnel.connections)

    def on_resize(self) -> None:
        self.post_message(self.Resized())

    def on_row_list_moved(self, event: ConnectionList.Moved) -> None:
        if event.control is self.connections:
            event.stop()
            self._show_stages()

    def _show_stages(self) -> None:
        if self._shown is not None:
            view, tunnel = self._shown
            self._foot.show_for(lambda place: self._foot_lines(view, tunnel, place))

    def _foot_lines(self, view: View, tunnel: TunnelSnapshot, place: Size) -> list[Content]:
        """The stages of one connection, for a panel of the size *place*; nothing where there is no room."""
        if not _Plan(view, tunnel, place).stages:
            return []
        title, rows = self.stages(place.width)
        return [rule_line(place.width, self.glyphs, title), *rows]

    def stages(self, width: int) -> tuple[str, list[Content]]:
        """Return the title and the lines of the stages."""
        selected = self.connections.selected
        return stages_of(selected), stage_lines(selected, width, self.glyphs)


def stages_of(selected: ConnectionSnapshot | None) -> str:
    return f"Stages of {safe(selected.peer, 60)}" if selected else "Stages"
