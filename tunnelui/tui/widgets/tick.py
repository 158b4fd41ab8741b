"""A box to tick, told by its mark and not by its colour alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.message import Message
from textual.reactive import reactive

from tunnelui.tui.lines.words import line
from tunnelui.tui.widgets.line_view import LineView

if TYPE_CHECKING:
    from textual.binding import BindingType

__all__ = ["Tick"]


class Tick(LineView, can_focus=True):
    """``[x] words`` or ``[ ] words``; space, enter or a click turns it round."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space,enter", "turn", "tick", show=False, id="form.tick")]
    value: reactive[bool] = reactive(False)

    class Changed(Message):
        """The box was ticked or cleared."""

    def __init__(self, words: str, value: bool = False, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._words = words
        self.set_reactive(Tick.value, value)

    def on_mount(self) -> None:
        self._draw()

    def watch_has_focus(self, has_focus: bool) -> None:
        super().watch_has_focus(has_focus)
        self._draw()

    def on_click(self) -> None:
        self.action_turn()

    def action_turn(self) -> None:
        self.value = not self.value

    def watch_value(self) -> None:
        self._draw()
        self.post_message(self.Changed())

    def _draw(self) -> None:
        mark = ("[x]", "bold $live") if self.value else ("[ ]", "$muted")
        self.show(line(mark, " ", (self._words, "bold $brand" if self.has_focus else "$ink")))
