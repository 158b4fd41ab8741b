"""The line in which tags are typed; it stands in for the footer."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Input

from tunnelui.tui.edits.tags import complete, read_tags
from tunnelui.tui.lines.words import cut, line
from tunnelui.tui.widgets.field import Field
from tunnelui.tui.widgets.late_bar import LateBar
from tunnelui.tui.widgets.line_view import LineView

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from textual import events
    from textual.binding import BindingType
    from textual.widget import Widget

__all__ = ["TagBar"]

_COMPLETE, _SAVE, _CANCEL = "tab complete  ", "enter save  ", "esc cancel "
"""The keys on the right, and what they do."""
_ROOM = 60
"""Cells that stay for what is typed before the known tags are listed."""


class _Tags(Suggester):
    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self.known: Sequence[str] = ()

    async def get_suggestion(self, value: str) -> str | None:
        return complete(value, self.known)


class _TagInput(Field):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "cancel", show=False, id="tags.cancel"),
        Binding("tab", "complete", "complete", show=False, id="tags.complete"),
    ]

    def action_leave(self) -> None:
        self.post_message(TagBar.Left())

    def action_complete(self) -> None:
        if self._suggestion:
            self.value = self._suggestion
            self.action_end()


class TagBar(LateBar):
    """Offers what is there to be edited; enter saves, escape leaves everything as it was, tab completes."""

    class Saved(Message):
        """The tags are to be these."""

        def __init__(self, tags: tuple[str, ...]) -> None:
            super().__init__()
            self.tags = tags

    class Left(Message):
        """Nothing is to be changed."""

    def parts(self) -> Iterator[Widget]:
        self._suggester = _Tags()
        yield LineView(classes="sign")
        yield _TagInput(compact=True, max_length=600, select_on_focus=False, suggester=self._suggester)
        yield LineView(classes="hint")

    def open(self, what: str, tags: Sequence[str], known: Sequence[str]) -> None:
        """Begin with *tags*, those of *what*; *known* tags are offered."""
        self.complete()
        self._suggester.known = known
        sign = line(" ", ("tags", "bold $brand"), f" {cut(what, 24)} ")
        self.query_one(".sign", LineView).styles.width = sign.cell_length
        self.query_one(".sign", LineView).show(sign)
        field = self.query_one(Input)
        # With a comma at the end the next tag can be typed at once.
        field.value = "".join(f"{tag}, " for tag in tags)
        field.focus()
        field.action_end()
        self._show_hint(known)

    def _show_hint(self, known: Sequence[str]) -> None:
        keys: list[tuple[str, str]] = []
        for both in (_COMPLETE, _SAVE, _CANCEL):
            key, space, does = both.partition(" ")
            keys += [(key + space, "bold $brand"), (does, "$muted")]
        words = line(" ", *keys)
        room = self.screen.size.width - words.cell_length - _ROOM  # its own width is not known while out of sight
        if known and room > 0:
            words = line(" ", (cut(" ".join(known), room), "$muted"), "   ", *keys)
        hint = self.query_one(".hint", LineView)
        hint.styles.width = words.cell_length
        hint.show(words)

    def on_click(self, event: events.Click) -> None:
        """A click on a key or its words does what the key does."""
        from_right = self.region.right - event.screen_x
        if from_right <= len(_CANCEL):
            self.post_message(self.Left())
        elif from_right <= len(_CANCEL + _SAVE):
            self.post_message(self.Saved(read_tags(self.query_one(Input).value)))
        elif from_right <= len(_CANCEL + _SAVE + _COMPLETE):
            self.query_one(_TagInput).action_complete()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Saved(read_tags(event.value)))
