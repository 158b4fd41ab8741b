"""Asks for the name of a file, and writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import anyio.to_thread
from textual.containers import Vertical
from textual.widgets import Input

from tunnelui.errors import TunnelError
from tunnelui.tui.keys.bindings import SAVE
from tunnelui.tui.lines.key_hints import hints
from tunnelui.tui.lines.words import line, reason, safe, wrap
from tunnelui.tui.outside.saving import save_private
from tunnelui.tui.screens.base import Dialog
from tunnelui.tui.widgets.field import Field
from tunnelui.tui.widgets.line_view import LineView

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

__all__ = ["SaveAs"]

_WIDTH = 66


class SaveAs(Dialog[str]):
    """Ends with the file that was written, or with nothing. What goes wrong is said, and the name can be changed.

    :param what: names what is saved.
    """

    BINDINGS: ClassVar[list[BindingType]] = [*SAVE]

    def __init__(self, what: str, text: str, name: str) -> None:
        super().__init__()
        self._what = what
        self._text = text
        self._name = name
        self._saving = False

    def compose(self) -> ComposeResult:
        title, foot = LineView(classes="title"), LineView(classes="foot")
        with Vertical(id="box"):
            yield title
            yield Field(self._name, compact=True, id="name", max_length=1000)
            yield LineView(id="verdict")
            yield foot
        title.show(line(("Save", "bold $ink"), "  ", (safe(self._what, 100), "$muted")), line(""))
        foot.show(
            line(""),
            hints(("enter", "save", "screen.save"), ("esc", "back", "screen.back")),
        )

    def on_mount(self) -> None:
        self.query_one(Input).focus()
        self._say("A new file that only you can read.", "$muted")

    def on_input_submitted(self) -> None:
        self.action_save()

    def on_input_changed(self) -> None:
        self._say("A new file that only you can read.", "$muted")

    def action_save(self) -> None:
        if not self._saving:
            self._saving = True
            self.run_worker(self._save(self.query_one(Input).value), exit_on_error=False)

    async def _save(self, name: str) -> None:
        try:
            path = await anyio.to_thread.run_sync(save_private, name, self._text)
        except TunnelError as error:
            self._say(str(error), "$denied")
        except Exception as error:  # whatever it is: the person reads it, and may try another name
            self._say(reason(error), "$denied")
        else:
            self.dismiss(str(path))
        finally:
            self._saving = False

    def _say(self, words: str, style: str) -> None:
        rows = wrap(safe(words, 600), _WIDTH - 6, 3)
        self.query_one("#verdict", LineView).show(*(line((row, style)) for row in rows))

    def action_back(self) -> None:
        self.dismiss()
