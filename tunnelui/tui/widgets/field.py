"""An input that holds nothing that a terminal could take for a command."""

from __future__ import annotations

from textual.widgets import Input

__all__ = ["Field"]


class Field(Input):
    """Drops control, bidi and other characters without a picture, whether typed, pasted or given."""

    def validate_value(self, value: str) -> str:
        if value.isprintable():
            return value
        return "".join(character for character in value if character.isprintable())
