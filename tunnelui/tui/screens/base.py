"""What all screens share: the application as a `tunnelui.tui.host.Host`, and the two things that it tells them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar, cast

from textual.screen import ModalScreen, Screen

from tunnelui.tui.guard import Guarded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tunnelui.engine.model import Event
    from tunnelui.tui.host import Host
    from tunnelui.tui.view import View

__all__ = ["Dialog", "TunnelScreen"]

Result = TypeVar("Result")


class TunnelScreen(Guarded, Screen[Result], Generic[Result]):
    """A screen that shows the engine's state. `show_view` is called when there is something new, and on arrival."""

    HELP_TITLE: ClassVar[str] = ""
    """What the help calls this screen."""
    SHOWS_SIGN_IN: ClassVar[bool] = False
    """Whether a sign-in is to be seen here, so that no toast has to tell of it."""

    @property
    def tunnels(self) -> Host:
        return cast("Host", self.app)

    def on_screen_resume(self) -> None:
        self.show_view(self.tunnels.view)

    def show_view(self, view: View) -> None:
        """Show *view*."""

    def show_events(self, events: Sequence[Event]) -> None:
        """Show what happened since the last call, oldest first: a few times a second, however much it is."""


class Dialog(Guarded, ModalScreen[Result], Generic[Result]):
    """A screen on top of another one, which stays in sight."""

    @property
    def tunnels(self) -> Host:
        return cast("Host", self.app)
