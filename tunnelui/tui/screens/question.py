"""A question with two answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.containers import Horizontal, Vertical
from textual.widgets import Button

from tunnelui.tui.keys.bindings import QUESTION
from tunnelui.tui.lines.words import line, literal, safe, wrap
from tunnelui.tui.screens.base import Dialog
from tunnelui.tui.widgets.line_view import LineView

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

__all__ = ["Question"]

_WIDTH = 56


class Question(Dialog[bool]):
    """Ends with ``True`` for the first answer, ``False`` for the second; the second one has the focus."""

    BINDINGS: ClassVar[list[BindingType]] = [*QUESTION]

    def __init__(self, title: str, text: str, *, yes: str = "Yes", no: str = "No") -> None:
        super().__init__()
        self._title = title
        self._text = text
        self._answers = (yes, no)

    def compose(self) -> ComposeResult:
        words = LineView()
        with Vertical(id="box"):
            yield words
            with Horizontal(id="answers"):
                yield Button(line(("y ", "bold"), self._answers[0]), id="yes", compact=True)
                yield Button(line(("n ", "bold"), self._answers[1]), id="no", compact=True)
        rows = [literal(row, "$muted") for row in wrap(safe(self._text, 1000), _WIDTH - 6, 8)]
        titles = [literal(row, "bold $ink") for row in wrap(safe(self._title, 300), _WIDTH - 6, 3)]
        words.show(*titles, line(""), *rows)

    def on_mount(self) -> None:
        self.query_one("#no").focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_answer(self, answer: bool) -> None:
        self.dismiss(answer)
