"""A field of a form: its name before it, and below it what is said of what stands there.

All of it but the field itself is drawn by one widget: a form has a dozen, and a widget costs some milliseconds until it
is to be seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunnelui.tui.lines.words import line
from tunnelui.tui.widgets.line_view import LineView

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.content import Content

    from tunnelui.tui.widgets.field import Field

__all__ = ["FieldRow"]


class FieldRow(LineView):
    """Holds *field*, which stands in its first line, behind the *name*."""

    def __init__(self, name: str, field: Field) -> None:
        super().__init__(id=f"{field.id}-row")
        self._name_line = line("  ", (name, "$muted"))
        self._field = field
        self.show(self._name_line)

    def compose(self) -> ComposeResult:
        yield self._field

    def say(self, *rows: Content) -> None:
        """Show *rows* below the field."""
        self.show(self._name_line, *rows)
