"""The line in which a text to find is typed; it stands in for the footer."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input

from tunnelui.tui.widgets.field import Field
from tunnelui.tui.widgets.line_view import LineView
from tunnelui.tui.words import line

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

__all__ = ["FindBar"]


class _FindInput(Field):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "clear_find", "clear", show=False, id="filter.clear"),
        Binding("down", "keep", "keep", show=False, id="filter.keep"),
    ]

    def action_clear_find(self) -> None:
        self.value = ""
        self.post_message(FindBar.Closed())

    def action_keep(self) -> None:
        self.post_message(FindBar.Closed())


class FindBar(Horizontal):
    """Finds while it is typed in; enter keeps what is there, escape clears it."""

    class Changed(Message):
        """The text is another one now."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Closed(Message):
        """Typing is over."""

    def compose(self) -> ComposeResult:
        sign, hint = LineView(classes="sign"), LineView(classes="hint")
        sign.show(line(" ", ("/", "bold $brand"), " "))
        hint.show(line(("  enter ", "bold $brand"), ("keep  ", "$muted"), ("esc ", "bold $brand"), ("clear", "$muted")))
        yield sign
        yield _FindInput(compact=True, max_length=200)
        yield hint

    def open(self) -> None:
        self.query_one(Input).focus()

    def clear(self) -> None:
        """Look for nothing."""
        self.query_one(Input).value = ""

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Changed(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Closed())
