"""Takes along what Textual (8.2) would leave behind where a widget or a toast has gone.

It remembers the background styles of the last thousand asked for, and with each of them the widget's whole cache of
drawn lines that asked: some twenty screens that were opened and closed would stay in memory, line by line. The styles
follow from the two colours alone, so that is what they are remembered by here.

A toast stands in a holder, which is not removed when another screen, or a click there, has ended the notification: it
would stay for good, with the toast and a task.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from textual._styles_cache import StylesCache

if TYPE_CHECKING:
    from textual.color import Color
    from textual.notifications import Notifications
    from textual.screen import Screen
    from textual.style import Style

__all__ = ["let_lines_go", "let_toasts_go"]

_ask = getattr(StylesCache.get_inner_outer, "__wrapped__", StylesCache.get_inner_outer)


@lru_cache(1024)
def _styles(base_background: Color, background: Color) -> tuple[Style, Style]:
    styles: tuple[Style, Style] = _ask(None, base_background, background)
    return styles


def _inner_outer(cache: StylesCache, base_background: Color, background: Color) -> tuple[Style, Style]:
    return _styles(base_background, background)


def let_lines_go() -> None:
    """Keep no drawn lines of widgets that have gone, in this process."""
    StylesCache.get_inner_outer = _inner_outer  # type: ignore[method-assign, assignment]  # the same, without a memory


def let_toasts_go(screen: Screen[object], there: Notifications) -> None:
    """Remove the toasts of *screen* whose notification is not *there* any more, each with its holder."""
    from textual.widgets._toast import Toast, ToastHolder  # here: the first picture has none

    for holder in screen.query(ToastHolder):
        if not any(isinstance(toast, Toast) and toast._notification in there for toast in holder.children):
            holder.remove()
