"""What stands in a line of the log, on the screen, in a file and on the clipboard."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from tunnelui.tui.lines.format import clock
from tunnelui.tui.lines.words import safe

if TYPE_CHECKING:
    from tunnelui.engine.model import Event

__all__ = ["LEVELS", "day_of", "level_words", "message_of", "plain_line", "rank", "stamp"]

LEVELS: Final = ("debug", "info", "warning", "error")
"""From the least to the worst."""
_WORDS: Final = {
    "debug": ("DEBUG", "$off"),
    "info": ("INFO", "$ready"),
    "warning": ("WARN", "$auth"),
    "error": ("ERROR", "$denied"),
}
_LONGEST: Final = 2000


def rank(event: Event) -> int:
    """Return how bad it is, as an index of `LEVELS`; a level that nobody knows counts as ``info``."""
    return LEVELS.index(event.level) if event.level in LEVELS else 1


def level_words(event: Event) -> tuple[str, str]:
    """Return the level as at most five letters, and its colour."""
    return _WORDS.get(event.level) or (safe(event.level)[:5].upper(), "$ink")


def message_of(event: Event) -> str:
    return safe(event.message, _LONGEST)


def day_of(event: Event) -> tuple[int, ...]:
    """Return the local day on which it happened."""
    return time.localtime(event.at)[:3]


def stamp(event: Event, today: tuple[int, ...]) -> str:
    """``12:40:02.114``, or ``11-24 12:40`` where it was on another day than *today*: always 12 cells."""
    if day_of(event) == today:
        return f"{clock(event.at)}.{int(event.at * 1000) % 1000:03}"
    return time.strftime("%m-%d %H:%M ", time.localtime(event.at))


def plain_line(event: Event) -> str:
    """Return the whole event as one line of text: for a file, or for somebody who is asked for help."""
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(event.at))
    number = f" #{event.connection}" if event.connection is not None else ""
    who = f"{safe(event.route, 64) or '-'}{number}"
    return f"{at}.{int(event.at * 1000) % 1000:03} {level_words(event)[0]:<5} {who}: {message_of(event)}"
