"""Leaving the application: asked for, or insisted on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from tunnelui.tui.host import Host

__all__ = ["Leaving"]

_INTERRUPT_WINDOW: Final = 2.0
"""Seconds in which a second ctrl+c has to come."""


class Leaving:
    """What the keys do that end the screen.

    :param outlives: the engine goes on when the screen ends, so that nothing has to be asked.
    """

    def __init__(self, app: Host, *, outlives: bool, monotonic: Callable[[], float]) -> None:
        self._app = app
        self._outlives = outlives
        self._monotonic = monotonic
        self._interrupted_at = -_INTERRUPT_WINDOW

    def ask(self) -> None:
        """End, after a question where that cuts connections."""
        snapshot = self._app.view.snapshot
        live = sum(tunnel.live for tunnel in snapshot.tunnels) + snapshot.proxy_mode.live
        if not live or self._outlives:
            self._app.exit()
            return

        from tunnelui.tui.screens.question import Question

        def answered(yes: bool | None) -> None:
            if yes:
                self._app.exit()

        text = "An open connection is cut." if live == 1 else f"{live} open connections are cut."
        self._app.push_screen(Question("Quit tunnelui?", text, yes="Quit", no="Stay"), answered)

    def interrupt(self) -> None:
        """End at the second call within two seconds."""
        at = self._monotonic()
        if at - self._interrupted_at <= _INTERRUPT_WINDOW:
            self._app.exit()
            return
        self._interrupted_at = at
        again, at_once = self._app.key_name("app.interrupt"), self._app.key_name("app.quit_now")
        self._app.say(f"{again} once more quits. {at_once} quits at once.")
