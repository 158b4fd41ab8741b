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
_NARROW, _LOW = 40, 11


class Question(Dialog[bool]):
    """Ends with ``True`` for the first answer, ``False`` for the second; the second one has the focus."""

    BINDINGS: ClassVar[list[BindingType]] = [*QUESTION]

    def __init__(self, title: str, text: str, *, yes: str = "Yes", no: str = "No") -> None:
        super().__init__()
        self._title = title
        self._text = text
        self._answers = (yes, no)

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield LineView(id="words")
            with Horizontal(id="answers"):
                yield Button(line(("y ", "bold"), self._answers[0]), id="yes", compact=True)
                yield Button(line(("n ", "bold"), self._answers[1]), id="no", compact=True)

    def on_mount(self) -> None:
        self._fit()
        self.query_one("#no").focus()

    def on_resize(self) -> None:
        self._fit()

    def _fit(self) -> None:
        """Say as much as there is room for; the answers are always in sight."""
        width, height = self.app.size
        is_small = width < _NARROW or height < _LOW
        self.set_class(is_small, "-small")
        width = min(_WIDTH, width) - (2 if is_small else 6)
        rows = [literal(row, "$muted") for row in wrap(safe(self._text, 1000), width, 8)]
        titles = [literal(row, "bold $ink") for row in wrap(safe(self._title, 300), width, 3)]
        most = max(1, height - (1 if is_small else 4))
        self.query_one("#words", LineView).show(*[*titles, line(""), *rows][:most])

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_answer(self, answer: bool) -> None:
        self.dismiss(answer)
