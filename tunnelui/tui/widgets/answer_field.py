"""Where the answer of a sign-in is handed in."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from tunnelui.tui.widgets.field import Field

if TYPE_CHECKING:
    from textual.binding import BindingType

__all__ = ["AnswerField"]


class AnswerField(Field):
    """Hides what is in it, which may be a token. An address that was copied in several lines is put together."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "hand it in", show=True, id="access.send", key_display="enter")
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(
            password=True, placeholder="the address the browser ended on, or the token", id=id, compact=True
        )

    def pasted(self, text: str) -> str:
        return "".join(text.split())
