"""What happens in the engine: read as it comes, gathered for a moment, told to the screens, and kept for the log."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from tunnelui.errors import TunnelError
from tunnelui.tui.lines.words import reason
from tunnelui.tui.screens.base import TunnelScreen

if TYPE_CHECKING:
    from textual.timer import Timer

    from tunnelui.engine.model import Event
    from tunnelui.tui.host import Host

__all__ = ["Happenings"]

_GATHER: Final = 0.1
"""Seconds in which events are gathered before the screens hear of them, however many there are."""
_MOST_GATHERED: Final = 5000


class Happenings:
    """Tells the screens of *app* what happens, a few times a second at most."""

    def __init__(self, app: Host) -> None:
        self._app = app
        self._fresh: deque[Event] = deque(maxlen=_MOST_GATHERED)
        self._gathering: Timer | None = None

    async def follow(self) -> None:
        """Read events until they end: first those that the engine remembers."""
        try:
            news = self._app.engine.events()  # before the history, so that nothing falls between
            told = await self._history()
            known = set(map(_key, told))
            self._fresh.extend(told)
            self.tell()
            async for event in news:
                if known and _key(event) in known:
                    continue
                self._fresh.append(event)
                if self._gathering is None:
                    self._gathering = self._app.set_timer(_GATHER, self.tell)
        except Exception as error:  # the log stops, the tunnels do not
            self._app.say(f"The log stopped: {reason(error)}", "error")

    async def _history(self) -> tuple[Event, ...]:
        try:
            return await self._app.engine.history()
        except TunnelError:  # there is no agent just now: its history begins with the next one
            return ()

    def tell(self) -> None:
        """Tell the screens what happened since the last time."""
        if self._gathering is not None:
            self._gathering.stop()
            self._gathering = None
        if not self._fresh:
            return
        events = tuple(self._fresh)
        self._fresh.clear()
        for event in events:
            self._app.events.add(event)
        for screen in self._app.screen_stack:
            if isinstance(screen, TunnelScreen) and screen.is_mounted:
                screen.show_events(events)


def _key(event: Event) -> tuple[object, ...]:
    return event.at, event.kind, event.route, event.connection
