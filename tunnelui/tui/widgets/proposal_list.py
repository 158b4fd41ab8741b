"""Proposed changes, each with a box to tick."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from textual.message import Message

from tunnelui.tui.lines.words import fit, line, safe
from tunnelui.tui.widgets.row_list import RowList

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.content import Content

    from tunnelui.tui.edits.proposals import Proposal
    from tunnelui.tui.style.glyphs import Glyphs

__all__ = ["ProposalList"]

_SIGNS: Final = {"new": ("+", "$live"), "changed": ("~", "$auth"), "gone": ("-", "$denied")}
_KIND: Final = 9
_BOX: Final = 7
"""The cells of a row in which a click ticks its box."""


class ProposalList(RowList):
    """Space or a click on the box takes a line or leaves it; nothing is carried out here."""

    class Ticked(Message):
        """What is taken is different now."""

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.glyphs = glyphs
        self._proposals: list[Proposal] = []

    @property
    def row_count(self) -> int:
        return len(self._proposals)

    @property
    def proposals(self) -> Sequence[Proposal]:
        return tuple(self._proposals)

    @property
    def selected(self) -> Proposal | None:
        return self._proposals[self.cursor] if self._proposals else None

    def show(self, proposals: Sequence[Proposal]) -> None:
        self._proposals = list(proposals)
        self.cursor = 0
        self.rows_changed()
        self.scroll_to(y=0, animate=False, force=True)

    def toggle(self, index: int) -> None:
        """Take the line *index*, or leave it; one with a problem stays left."""
        proposal = self._proposals[index]
        if not proposal.problem:
            self._proposals[index] = replace(proposal, taken=not proposal.taken)
            self.rows_changed({index})
            self.post_message(self.Ticked())

    def toggle_all(self) -> None:
        """Take all that can be; where that is so already, leave all."""
        wanted = any(not proposal.taken and not proposal.problem for proposal in self._proposals)
        self._proposals = [replace(one, taken=wanted and not one.problem) for one in self._proposals]
        self.rows_changed()
        self.post_message(self.Ticked())

    def head_line(self, width: int) -> Content:
        return line(" " * (_BOX + _KIND + 2), (self._cells("NAME", "DESTINATION", width), "$muted"))

    def row_line(self, index: int, width: int, *, selected: bool) -> Content:
        proposal = self._proposals[index]
        old, new = proposal.change.old, proposal.change.new
        sign, colour = _SIGNS[proposal.kind]
        way = safe(proposal.route.destination, 300)
        if old is not None and new is not None and old.destination != new.destination:
            way = f"{safe(old.destination, 300)} {self.glyphs.arrow} {way}"
        box = "[!]" if proposal.problem else "[x]" if proposal.taken else "[ ]"
        style = "$denied" if proposal.problem else "bold $live" if proposal.taken else "$muted"
        return line(
            " ",
            self.cursor_mark(self.glyphs, selected=selected),
            " ",
            (box, style),
            " ",
            (f"{sign} ", colour),
            (fit(proposal.kind, _KIND - 2) + "  ", colour if proposal.taken else "$muted"),
            (self._cells(safe(proposal.route.name, 64), way, width), "$ink" if proposal.taken else "$muted"),
        )

    def _cells(self, name: str, way: str, width: int) -> str:
        room = max(20, width - _BOX - _KIND - 5)
        first = min(28, room // 3)
        ellipsis = self.glyphs.ellipsis
        return f"{fit(name, first, ellipsis)}  {fit(way, room - first, ellipsis, middle=True)}"

    def on_click(self, event: events.Click) -> None:
        index = event.y - self.HEAD + self.scroll_offset.y
        if event.y >= self.HEAD and event.x < _BOX and index < self.row_count:
            event.prevent_default()
            self.move_cursor(index)
            self.toggle(index)
