"""An input that holds nothing that a terminal could take for a command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.widgets import Input

if TYPE_CHECKING:
    from textual.events import Paste

__all__ = ["Field"]


class Field(Input):
    """Drops control, bidi and other characters without a picture, whether typed, pasted or given.

    Of pasted text it takes one line, as much of it as there is room for.
    """

    def __init__(self, *given: Any, compact: bool = False, **named: Any) -> None:
        super().__init__(*given, **named)
        if compact:  # Textual would look for its styles at once, though it is nowhere yet
            self.add_class("-textual-compact", update=False)

    def validate_value(self, value: str) -> str:
        if value.isprintable():
            return value
        return "".join(character for character in value if character.isprintable())

    def pasted(self, text: str) -> str:
        """Return what to take of pasted *text*: its first line with something on it."""
        return next((line for line in text.splitlines() if line.strip()), "")

    def _on_paste(self, event: Paste) -> None:
        event.prevent_default()  # Textual takes the first line, empty or not, and nothing where all is too much
        event.stop()
        text = self.validate_value(self.pasted(event.text))
        start, end = sorted(self.selection)
        if self.max_length:
            text = text[: max(0, self.max_length - len(self.value) + end - start)]
        self.replace(text, start, end)
