"""What the engine has to say to everybody: the demo's password, a keyring that is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunnelui.tui.lines.steps import in_screen_words
from tunnelui.tui.lines.words import capital, line, safe, wrap
from tunnelui.tui.widgets.line_view import LineView

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.content import Content

__all__ = ["NoteBand", "note_rows"]

_LONGEST = 1000


def note_rows(notes: Sequence[str], width: int, limit: int = 40) -> list[str]:
    """Return the notes wrapped to *width* cells, each on lines of its own, none with more than *limit* of them."""
    return [
        row for note in notes for row in wrap(safe(capital(in_screen_words(note)), _LONGEST), max(10, width), limit)
    ]


class NoteBand(LineView):
    """The notes of the engine on a band of their own, until somebody sends them away."""

    def __init__(self, key_name: Callable[[str], str], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._key_name = key_name
        self._notes: tuple[str, ...] = ()
        self._seen: frozenset[str] = frozenset()

    @property
    def notes(self) -> tuple[str, ...]:
        """The notes on the screen."""
        return tuple(note for note in self._notes if note.strip() and note not in self._seen)

    def show_notes(self, notes: tuple[str, ...]) -> None:
        """Show *notes*, but for those that were sent away."""
        self._notes = notes
        self._draw()

    def send_away(self) -> None:
        """Hide the notes; one that is new shows all the same."""
        self._seen = self._seen.union(self._notes)
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def on_click(self) -> None:
        self.send_away()

    def _draw(self) -> None:
        self.display = bool(self.notes)
        self.screen.set_class(self.display, "-notes")  # toasts keep clear of the band
        width, height = self.screen.size
        if not self.notes or not width:
            return
        aside = (self._key_name("move.back"), " hide")
        room = width - 4 - len("".join(aside))
        rows = note_rows(self.notes, room)
        most = max(1, height // 6)
        if len(rows) > most:
            rows = [*rows[: most - 1], *wrap(" ".join(rows[most - 1 :]), room, 1)]
        lines: list[Content] = [line(" ", (row, "$ink")) for row in rows]
        first = lines[0]
        space = " " * max(2, width - 1 - first.cell_length - len("".join(aside)))
        lines[0] = first + line(space, (aside[0], "bold $brand"), (aside[1], "$muted"))
        self.show(*lines)
