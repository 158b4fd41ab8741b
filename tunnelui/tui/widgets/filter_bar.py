"""The line in which a filter is typed; it stands in for the footer."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.message import Message
from textual.widgets import Input

from tunnelui.tui.widgets.field import Field
from tunnelui.tui.widgets.late_bar import LateBar
from tunnelui.tui.widgets.line_view import LineView
from tunnelui.tui.words import line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textual.binding import BindingType
    from textual.widget import Widget

__all__ = ["FilterBar"]


class _FilterInput(Field):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "clear_filter", "clear", show=False, id="filter.clear"),
        Binding("down", "keep", "keep", show=False, id="filter.keep"),
    ]

    def action_clear_filter(self) -> None:
        self.value = ""
        self.post_message(FilterBar.Closed())

    def action_keep(self) -> None:
        self.post_message(FilterBar.Closed())


class FilterBar(LateBar):
    """Filters while it is typed in; enter keeps what is there, escape clears it."""

    class Changed(Message):
        """The filter reads differently now."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Closed(Message):
        """Typing is over."""

    def parts(self) -> Iterator[Widget]:
        sign = LineView(classes="sign")
        sign.show(line(" ", ("/", "bold $brand"), " "))
        help_line = LineView(classes="hint")
        help_line.show(
            line(
                (" plain: substring  ", "$muted"),
                ("#", "$brand"),
                ("tag  ", "$muted"),
                (":", "$brand"),
                ("state  ", "$muted"),
                ("!", "$brand"),
                ("not   ", "$muted"),
                ("enter ", "bold $brand"),
                ("keep  ", "$muted"),
                ("esc ", "bold $brand"),
                ("clear", "$muted"),
            )
        )
        yield sign
        yield _FilterInput(compact=True, max_length=200)
        yield help_line

    @property
    def _input(self) -> Input:
        self.complete()
        return self.query_one(Input)

    def open(self) -> None:
        self._input.focus()

    def put(self, text: str) -> None:
        """Filter by *text*, as if it had been typed."""
        self._input.value = text

    def clear(self) -> None:
        """Let everything through again."""
        self._input.value = ""

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Changed(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Closed())
