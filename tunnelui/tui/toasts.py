"""Toasts: the newest of a matter takes the place of the one before, so that a key pressed ten times leaves one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

from textual.app import App
from textual.notifications import Notification, Notify

if TYPE_CHECKING:
    from tunnelui.tui.feed import Severity

__all__ = ["Toasts"]

_SECONDS: Final = 5
_SECONDS_OF_TROUBLE: Final = 10

Result = TypeVar("Result")


class _Toast(Notification):
    """A notification with what it is *about*."""

    about: str = ""


class Toasts(App[Result], Generic[Result]):
    """Mixed into the application."""

    def show_toast(self, words: str, severity: Severity, about: str) -> None:
        """Show *words*, which must be clean, instead of what was said *about* the same before."""
        timeout = _SECONDS if severity == "information" else _SECONDS_OF_TROUBLE
        toast = _Toast(words, severity=severity, timeout=timeout, markup=False)
        toast.about = about or words
        self.post_message(Notify(toast))

    def take_back(self, about: str) -> None:
        """Show no longer what was said about matters that begin like *about*."""
        for old in [one for one in self._notifications if isinstance(one, _Toast) and one.about.startswith(about)]:
            self._unnotify(old)

    def _on_notify(self, event: Notify) -> None:
        new = event.notification
        if isinstance(new, _Toast):
            for old in [one for one in self._notifications if isinstance(one, _Toast) and one.about == new.about]:
                self._unnotify(old, refresh=False)  # Textual's own handler comes next, and shows the rest
