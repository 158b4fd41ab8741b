"""The terminal of a screen that was stopped and continued by somebody else: SIGSTOP can't be caught, SIGCONT can.

Textual takes the terminal on each SIGCONT, also while it has it: a second thread then reads the keys, and what it gives
back at the end is the terminal as it had set it itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textual.driver import Driver

__all__ = ["once_at_a_time"]


def once_at_a_time(driver: type[Driver]) -> type[Driver]:
    """Return *driver*, with the terminal given back before it is taken again; a driver without SIGCONT as it is."""
    if not hasattr(driver, "_sigcont_application"):
        return driver
    base: Any = driver

    class OnceAtATime(base):  # type: ignore[misc]  # which one is known at run time
        _has_terminal = False

        def start_application_mode(self) -> None:
            super().start_application_mode()
            self._has_terminal = not self._must_signal_resume  # still set where it may not take the terminal yet

        def stop_application_mode(self) -> None:
            self._has_terminal = False
            super().stop_application_mode()

        def _sigcont_application(self, *_: object) -> None:
            if self._auto_restart and self._has_terminal:
                self.suspend_application_mode()
                self._must_signal_resume = True
            if self._must_signal_resume:  # else it has been given back for good
                super()._sigcont_application()

    return OnceAtATime
