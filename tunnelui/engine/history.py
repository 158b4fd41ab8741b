"""What is remembered of what happened: so much that a flood of good news doesn't wash the bad news away."""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from dataclasses import replace
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from tunnelui.text import without_query

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tunnelui.engine.model import Event

__all__ = ["History", "as_logged"]

_KEPT: Final = 5000
_KEPT_TROUBLE: Final = 1000
_TROUBLE: Final = frozenset({"warning", "error"})


def as_logged(event: Event) -> Event:
    """Return *event* as a log may have it: without what the address of a sign-in carries beside host and path."""
    url = event.data.get("url") if event.kind == "sign_in" else None
    if not isinstance(url, str):
        return event
    short = without_query(url)
    message = event.message.replace(url, short) if url else event.message
    return replace(event, message=message, data={**event.data, "url": short})


class History:
    """The newest events, oldest first: 5,000 that are harmless, and beside them 1,000 warnings and errors.

    A busy tunnel gives hundreds of events a second. With one bound for all of them, the error that somebody looks for
    would be gone within seconds.
    """

    def __init__(self, kept: int = _KEPT, kept_trouble: int = _KEPT_TROUBLE) -> None:
        self._numbers = itertools.count()
        self._harmless: deque[tuple[int, Event]] = deque(maxlen=kept)
        self._trouble: deque[tuple[int, Event]] = deque(maxlen=kept_trouble)

    def add(self, event: Event) -> None:
        """Remember *event* `as_logged`; one of its kind is forgotten where there are too many."""
        kept = self._trouble if event.level in _TROUBLE else self._harmless
        kept.append((next(self._numbers), as_logged(event)))

    def __len__(self) -> int:
        return len(self._harmless) + len(self._trouble)

    def __iter__(self) -> Iterator[Event]:
        for _, event in heapq.merge(self._harmless, self._trouble, key=itemgetter(0)):
            yield event

    def of(self, route: str) -> tuple[Event, ...]:
        """Return the events of *route*, or all of them when it is empty."""
        return tuple(event for event in self if not route or event.route == route)
