"""Copying a tunnel's local end in one of several spellings."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.containers import Vertical

from tunnelui.tui.keys.bindings import CHOICE
from tunnelui.tui.lines.key_hints import hints
from tunnelui.tui.lines.words import line, safe
from tunnelui.tui.screens.base import Dialog
from tunnelui.tui.widgets.choice_list import ChoiceList
from tunnelui.tui.widgets.line_view import LineView

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from tunnelui.tui.lines.connect_as import Way

__all__ = ["CopyAs"]


class CopyAs(Dialog["Way"]):
    """Ends with the way that was chosen, or with nothing. Its key chooses a way at once."""

    BINDINGS: ClassVar[list[BindingType]] = [*CHOICE]

    def __init__(self, name: str, ways: Sequence[Way]) -> None:
        super().__init__()
        self._route = name
        self._ways = ways

    def compose(self) -> ComposeResult:
        title, foot = LineView(classes="title"), LineView(classes="foot")
        with Vertical(id="box"):
            yield title
            yield ChoiceList(self.tunnels.glyphs, self._ways, id="ways")
            yield foot
        title.show(line(("Copy as", "bold $ink"), "  ", (safe(self._route, 64), "$muted")), line(""))
        foot.show(
            line(""),
            hints(("enter", "copy", "screen.choose"), ("esc", "close", "screen.close")),
        )

    def on_mount(self) -> None:
        self.query_one(ChoiceList).focus()

    def on_key(self, event: events.Key) -> None:
        for way in self._ways:
            if event.character == way.key:
                event.stop()
                self.dismiss(way)
                return

    def on_choice_list_chosen(self, event: ChoiceList.Chosen) -> None:
        self.dismiss(self._ways[event.index])

    def action_choose(self) -> None:
        self.dismiss(self._ways[self.query_one(ChoiceList).cursor])

    def action_close(self) -> None:
        self.dismiss()
