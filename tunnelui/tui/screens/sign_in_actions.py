"""What can be done with a sign-in under way, on every screen that shows one."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Generic

from tunnelui.tui.screens.base import Result, TunnelScreen
from tunnelui.tui.screens.question import Question

if TYPE_CHECKING:
    from collections.abc import Callable

    from tunnelui.engine.model import SignInSnapshot

__all__ = ["SignInActions"]


class SignInActions(TunnelScreen[Result], Generic[Result]):
    """Copies the address, opens a browser, and asks before a sign-in is cancelled that connections wait for."""

    @property
    @abstractmethod
    def sign_in(self) -> SignInSnapshot | None:
        """The one that is shown."""

    async def action_copy_url(self) -> None:
        if self.sign_in is not None and self.sign_in.url:
            await self.tunnels.copy(self.sign_in.url, "the whole address")
        else:
            self.tunnels.say("There is no address yet.", "warning")

    def action_open_browser(self) -> None:
        if self.sign_in is not None and self.sign_in.url:
            self.app.open_url(self.sign_in.url)
            self.tunnels.say("Asked for a browser window.")
        else:
            self.tunnels.say("There is no address yet.", "warning")

    def ask_to_cancel(self, sign_in: SignInSnapshot, answered: Callable[[bool | None], None]) -> None:
        """Call *answered* with what the person says; with yes at once where nobody waits for *sign_in*."""
        if not sign_in.waiting:
            answered(True)
            return
        count = "1 route" if len(sign_in.waiting) == 1 else f"{len(sign_in.waiting)} routes"
        text = f"The connections of {count} that wait for it are closed."
        self.app.push_screen(Question("Cancel the sign-in?", text, yes="Cancel it", no="Wait"), answered)
