"""What all screens share: the application as a `tunnelui.tui.host.Host`, and the two things that it tells them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, Generic, TypeVar, cast

from textual import events, on
from textual.await_complete import AwaitComplete
from textual.message_pump import MessagePump
from textual.screen import ModalScreen, Screen

from tunnelui.tui.guard import Guarded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual._compositor import Compositor
    from textual.geometry import Size

    from tunnelui.engine.model import Event
    from tunnelui.tui.host import Host
    from tunnelui.tui.view import View

__all__ = ["LAYOUT", "Dialog", "TunnelScreen"]

LAYOUT: Final = Path(__file__).with_name("screens.tcss")
"""The layout of all screens but the first. The application reads it after the first picture; a screen that is shown
before that has it read.
"""

_BACK_CELLS: Final = 3
Result = TypeVar("Result")


class _Quick(MessagePump):
    """Mixed into screens: opens without what would change nothing. The styles are not put on twice, and where a screen
    has told itself its size, neither it nor those below it are laid out once more."""

    _compositor: Compositor
    _was_shown = False

    @on(events.ScreenResume)
    def _keep_styles(self, event: events.ScreenResume) -> None:
        if not self._was_shown:
            event.refresh_styles = False
            self._was_shown = True

    def _screen_resized(self, size: Size) -> None:
        if size != self._compositor.size:
            cast("Screen[object]", super())._screen_resized(size)


class _Ending(MessagePump):
    """Mixed into screens: what lies above one goes when it goes, and of two ends of one only the first counts. The
    saving of a form may be over while its own question is open."""

    def dismiss(self, result: object = None) -> AwaitComplete:
        screen = cast("Screen[object]", self)
        stack = self.app.screen_stack
        if screen not in stack:
            return AwaitComplete()
        for above in reversed(stack[stack.index(screen) + 1 :]):
            above.dismiss()
        return cast("Screen[object]", super()).dismiss(result)


class TunnelScreen(Guarded, _Quick, _Ending, Screen[Result], Generic[Result]):
    """A screen that shows the engine's state. `show_view` is called when there is something new, and on arrival."""

    CSS_PATH: ClassVar[Path | None] = LAYOUT
    HELP_TITLE: ClassVar[str] = ""
    """What the help calls this screen."""
    SHOWS_SIGN_IN: ClassVar[bool] = False
    """Whether a sign-in is to be seen here, so that no toast has to tell of it."""

    @property
    def tunnels(self) -> Host:
        return cast("Host", self.app)

    def on_screen_resume(self) -> None:
        self.show_view(self.tunnels.view)

    async def on_click(self, event: events.Click) -> None:
        """The sign before the title leads back, as the key does."""
        if event.screen_y == 0 and event.screen_x < _BACK_CELLS and len(self.app.screen_stack) > 1:
            await self.run_action("screen.back")

    def show_view(self, view: View) -> None:
        """Show *view*."""

    def show_events(self, events: Sequence[Event]) -> None:
        """Show what happened since the last call, oldest first: a few times a second, however much it is."""


class Dialog(Guarded, _Quick, _Ending, ModalScreen[Result], Generic[Result]):
    """A screen on top of another one, which stays in sight."""

    CSS_PATH: ClassVar[Path | None] = LAYOUT

    @property
    def tunnels(self) -> Host:
        return cast("Host", self.app)
