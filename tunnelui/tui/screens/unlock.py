"""Asks for the password of a client certificate, and gives it to the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.containers import Vertical
from textual.widgets import Input

from tunnelui.errors import TunnelError
from tunnelui.tui.keys.bindings import UNLOCK
from tunnelui.tui.lines.key_hints import hints
from tunnelui.tui.lines.steps import LOCKED, told
from tunnelui.tui.lines.words import cut_middle, line, reason, safe, wrap
from tunnelui.tui.screens.base import Dialog
from tunnelui.tui.widgets.field import Field
from tunnelui.tui.widgets.line_view import LineView

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

__all__ = ["Unlock"]

_WIDTH = 66
_KEPT = "It is kept in the memory of the process that runs the tunnels, and nowhere else."


class Unlock(Dialog[bool]):
    """Ends with ``True`` once the password has opened the certificate; until then it can be typed again.

    :param profile: the profile whose certificate is in the file *certificate*.
    """

    BINDINGS: ClassVar[list[BindingType]] = [*UNLOCK]

    def __init__(self, profile: str, certificate: str) -> None:
        super().__init__()
        self._profile = profile
        self._certificate = certificate
        self._trying = False

    def compose(self) -> ComposeResult:
        title, foot = LineView(classes="title"), LineView(classes="foot")
        with Vertical(id="box"):
            yield title
            yield Field(password=True, placeholder="password", compact=True, id="password", max_length=1000)
            yield LineView(id="verdict")
            yield foot
        file = cut_middle(safe(self._certificate), _WIDTH - 20, self.tunnels.glyphs.ellipsis)
        title.show(line(("Password of ", "bold $ink"), (file, "$ink")), line(""))
        foot.show(line(""), hints(("enter", "unlock", "screen.unlock"), ("esc", "back", "screen.back")))

    def on_mount(self) -> None:
        self.query_one(Input).focus()
        self._say(_KEPT, "$muted")

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.value:
            self._say(_KEPT, "$muted")

    def on_input_submitted(self) -> None:
        self.action_unlock()

    def action_unlock(self) -> None:
        password = self.query_one(Input).value
        if not password:
            self._say("Type or paste the password.", "$auth")
        elif not self._trying:
            self._trying = True
            self._say("Trying it.", "$muted")
            self.run_worker(self._try(password), exit_on_error=False)

    async def _try(self, password: str) -> None:
        try:
            await self.tunnels.engine.unlock(self._profile, password)
        except TunnelError as error:
            self._refuse("That password does not open it." if error.code == LOCKED else told(error))
        except Exception as error:  # whatever it is: the person reads it, and may try again
            self._refuse(f"That did not work: {reason(error)}")
        else:
            self.dismiss(True)
        finally:
            self._trying = False

    def _refuse(self, why: str) -> None:
        self.query_one(Input).value = ""
        self._say(why, "$denied")

    def _say(self, words: str, style: str) -> None:
        rows = wrap(safe(words, 600), _WIDTH - 6, 4)
        self.query_one("#verdict", LineView).show(*(line((row, style)) for row in rows))

    def action_back(self) -> None:
        self.dismiss()
