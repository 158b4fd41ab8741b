"""What is remembered of what happened: so much that a flood of good news doesn't wash the bad news away."""

from __future__ import annotations

import heapq
import itertools
from collections import defaultdict, deque
from dataclasses import replace
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from tunnelui.text import without_query

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TypeAlias

    from tunnelui.engine.model import Event

    _Numbered: TypeAlias = tuple[int, Event]
    """An event and how many there were before it."""

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
        self._harmless = _Shelf(kept)
        self._trouble = _Shelf(kept_trouble)

    def add(self, event: Event) -> None:
        """Remember *event* `as_logged`; one of its kind is forgotten where there are too many."""
        shelf = self._trouble if event.level in _TROUBLE else self._harmless
        shelf.put(next(self._numbers), as_logged(event))

    def __len__(self) -> int:
        return len(self._harmless.all) + len(self._trouble.all)

    def __iter__(self) -> Iterator[Event]:
        return _in_order(self._harmless.all, self._trouble.all)

    def of(self, route: str) -> tuple[Event, ...]:
        """Return the events of *route*, or all of them when it is empty."""
        return tuple(_in_order(*self._of(route))) if route else tuple(self)

    def around(self, route: str) -> tuple[Event, ...]:
        """Return the events of *route*, and those of no route, which may be the reason for them."""
        return tuple(_in_order(*self._of(route), *self._of(""))) if route else tuple(self)

    def _of(self, route: str) -> tuple[Iterable[_Numbered], ...]:
        return self._harmless.by_route.get(route, ()), self._trouble.by_route.get(route, ())


class _Shelf:
    """The newest *most* events, all of them and those of each route, oldest first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.all: deque[_Numbered] = deque()
        self.by_route: defaultdict[str, deque[_Numbered]] = defaultdict(deque)

    def put(self, number: int, event: Event) -> None:
        if len(self.all) >= self._most:
            _, oldest = self.all.popleft()
            rest = self.by_route[oldest.route]
            rest.popleft()
            if not rest:
                del self.by_route[oldest.route]
        numbered = number, event
        self.all.append(numbered)
        self.by_route[event.route].append(numbered)


def _in_order(*parts: Iterable[_Numbered]) -> Iterator[Event]:
    return (event for _, event in heapq.merge(*parts, key=itemgetter(0)))
