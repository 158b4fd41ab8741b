"""One tunnel in full: where it goes, who signed in, what is wrong, the traffic, the connections and their stages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.containers import Vertical
from textual.message import Message

from tunnelui.tui.facts import NARROW, fact_lines, graphs_apart, problem_lines, stage_lines, traffic_lines
from tunnelui.tui.format import age
from tunnelui.tui.glyphs import COLOURS
from tunnelui.tui.rows import state_words
from tunnelui.tui.widgets.connection_list import ConnectionList
from tunnelui.tui.widgets.line_view import LineView
from tunnelui.tui.widgets.rules import Rule
from tunnelui.tui.words import cut, line, safe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textual import events
    from textual.app import ComposeResult
    from textual.content import Content
    from textual.widget import Widget

    from tunnelui.engine.model import TunnelSnapshot
    from tunnelui.tui.glyphs import Glyphs
    from tunnelui.tui.view import View

__all__ = ["DetailPanel", "title_line"]


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
        """The panel is *width* cells wide now."""

        def __init__(self, width: int) -> None:
            super().__init__()
            self.width = width

    def __init__(self, glyphs: Glyphs, *, lead: str = " ", id: str | None = None) -> None:
        super().__init__(id=id)
        self.glyphs = glyphs
        self._lead = lead
        self._shown: tuple[View, TunnelSnapshot] | None = None
        self._title = LineView(classes="title")
        self._facts = LineView(classes="facts")
        self._problem_rule = Rule(glyphs, classes="problem")
        self._problem = LineView(classes="problem")
        self._rule = Rule(glyphs)
        self.connections = ConnectionList(glyphs, id="connections")
        self._stage_rule = Rule(glyphs)
        self._stages = LineView(classes="stages")

    def compose(self) -> ComposeResult:
        yield self._title
        yield Rule(self.glyphs)
        yield self._facts
        yield self._problem_rule
        yield self._problem
        yield from self.pages()

    def pages(self) -> Iterator[Widget]:
        """What stands below the facts."""
        yield self._rule
        yield self.connections
        yield self._stage_rule
        yield self._stages

    def show(self, view: View, tunnel: TunnelSnapshot) -> None:
        """Show *tunnel* as it is in *view*."""
        self._shown = (view, tunnel)
        width = self.size.width
        if not width:
            return
        room = self.size.height - _LEAST_ROWS
        problem = _problem(view, tunnel, width, room)
        room -= len(problem) + 1 if problem else 0
        graphs = graphs_apart(width, room)
        room -= 2 if graphs else 0
        stages = room >= _STAGE_ROWS
        room -= _STAGE_ROWS if stages else 0
        self._title.show(title_line(tunnel, view.now, width, self.glyphs, self._lead))
        traffic = traffic_lines(tunnel, view.rates.of(tunnel.route.name), width, self.glyphs, apart=graphs)
        facts = fact_lines(tunnel, view.identity(tunnel), view.now, width, self.glyphs)
        gap = [line("")] if room >= 1 else []
        self._facts.show(*facts, *gap, *traffic)
        if not self._facts.size.height:  # the first layout was asked for while the screen was not the current one yet
            self._facts.refresh(layout=True)
        self._problem.display = self._problem_rule.display = bool(problem)
        self._problem_rule.show("Problem")
        self._problem.show(*problem)
        self.show_pages(view, tunnel, stages)

    def show_pages(self, view: View, tunnel: TunnelSnapshot, stages: bool) -> None:
        """Show what stands below the facts; *stages* is whether there is room for those of one connection."""
        self._stages.display = self._stage_rule.display = stages
        count = len(tunnel.connections)
        closed = count - tunnel.live
        self._rule.show(f"Connections {tunnel.live}" + (f", {closed} closed" if closed > 0 else ""))
        self.connections.show(tunnel.connections)
        self._show_stages()

    def on_resize(self, event: events.Resize) -> None:
        if self._shown:
            self.show(*self._shown)
        self.post_message(self.Resized(event.size.width))

    def on_row_list_moved(self, event: ConnectionList.Moved) -> None:
        if event.control is self.connections:
            event.stop()
            self._show_stages()

    def _show_stages(self) -> None:
        selected = self.connections.selected
        self._stage_rule.show(f"Stages of {safe(selected.peer, 60)}" if selected else "Stages")
        self._stages.show(*stage_lines(selected, self.size.width, self.glyphs))
