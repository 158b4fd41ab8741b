"""The line in which a filter is typed, or a text to find; it stands in for the footer."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from textual.binding import Binding
from textual.message import Message
from textual.widgets import Input

from tunnelui.tui.lines.words import line
from tunnelui.tui.widgets.field import Field
from tunnelui.tui.widgets.late_bar import LateBar
from tunnelui.tui.widgets.line_view import LineView

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textual import events
    from textual.binding import BindingType
    from textual.widget import Widget

__all__ = ["FILTER_WORDS", "WordBar"]

FILTER_WORDS: Final = (
    (" plain: substring  ", "$muted"),
    ("#", "$brand"),
    ("tag  ", "$muted"),
    (":", "$brand"),
    ("state  ", "$muted"),
    ("!", "$brand"),
    ("not ", "$muted"),
)
"""What a filter understands, each part with its colour."""
_KEEP: Final = (("  enter ", "bold $brand"), ("keep  ", "$muted"))
_CLEAR: Final = (("esc ", "bold $brand"), ("clear ", "$muted"))


class _Words(Field):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "clear_words", "clear", show=False, id="filter.clear"),
        Binding("down", "keep", "keep", show=False, id="filter.keep"),
    ]

    def action_clear_words(self) -> None:
        self.value = ""
        self.post_message(WordBar.Closed())

    def action_keep(self) -> None:
        self.post_message(WordBar.Closed())


class WordBar(LateBar):
    """Tells what is in it while it is typed in; enter keeps what is there, escape clears it.

    :param hint: what may be typed, each part with its colour.
    """

    class Changed(Message):
        """The words are others now."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Closed(Message):
        """Typing is over."""

    def __init__(self, *hint: tuple[str, str], id: str | None = None) -> None:
        super().__init__(id=id)
        self._hint = hint

    def parts(self) -> Iterator[Widget]:
        sign, hint = LineView(classes="sign"), LineView(classes="hint")
        sign.show(line(" ", ("/", "bold $brand"), " "))
        words = line(*self._hint, *_KEEP, *_CLEAR)
        hint.styles.width = words.cell_length
        hint.show(words)
        yield sign
        yield _Words(compact=True, max_length=200)
        yield hint

    @property
    def _input(self) -> Input:
        self.complete()
        return self.query_one(Input)

    def open(self) -> None:
        self._input.focus()

    def put(self, text: str) -> None:
        """Have *text*, as if it had been typed."""
        self._input.value = text

    def clear(self) -> None:
        """Have nothing."""
        self._input.value = ""

    def on_click(self, event: events.Click) -> None:
        """A click on a key or its words does what the key does."""
        from_right = self.region.right - event.screen_x
        clear = line(*_CLEAR).cell_length
        if from_right <= clear:
            self.clear()
        if from_right <= clear + line(*_KEEP).cell_length:
            self.post_message(self.Closed())

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Changed(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Closed())
