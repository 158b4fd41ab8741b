"""Shows faults of the application itself, each once, and keeps it going."""

from __future__ import annotations

import logging
import time
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from textual.app import App

    from tunnelui.tui.fault_report import Fault

__all__ = ["Faults"]

logger = logging.getLogger(__name__)

_FLOOD: Final = 200
_WHILE: Final = 10.0
"""So many faults in so many seconds: nothing can be shown any more, the panel least of all."""


class Faults:
    """What went wrong so far. A fault that was shown is not shown again, however often it comes."""

    def __init__(self, app: App[None]) -> None:
        self._app = app
        self._seen: set[tuple[str, str]] = set()
        self._times: deque[float] = deque(maxlen=_FLOOD)
        self.told: list[Fault] = []
        self.begun = False
        """Whether the application was there to show anything."""

    def tell(self, error: BaseException) -> bool:
        """Show *error*; return whether the application can go on."""
        now = time.monotonic()
        self._times.append(now)
        if not (self._app.is_running and self._app.screen_stack):
            return self.begun  # on its way out there is nobody to show it to
        if len(self._times) == _FLOOD and now - self._times[0] < _WHILE:
            return False
        from tunnelui.tui.fault_report import fault_of  # here: the first picture waits for no fault

        fault = fault_of(error)
        if (fault.words, fault.place) not in self._seen:
            self._seen.add((fault.words, fault.place))
            self.told.append(fault)
            if logger.hasHandlers():  # else logging itself would write across the screen
                logger.error("a fault of the screen: %s", fault.report)
            self._app.call_later(self._show, fault)
        return True

    def _show(self, fault: Fault) -> None:
        from tunnelui.tui.screens.fault import FaultPanel

        panel = next((one for one in self._app.screen_stack if isinstance(one, FaultPanel)), None)
        if panel is not None:
            panel.add(fault)
        else:
            self._app.push_screen(FaultPanel(fault))
