"""Hands every event to every reader, without ever waiting for one."""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from tunnelui.engine.model import Event

__all__ = ["MAX_BEHIND", "EventHub", "EventReader"]

MAX_BEHIND: Final = 1000


class EventReader:
    """One reader's view, from the moment it was made. For one task at a time; ends when the hub is closed."""

    def __init__(self, limit: int = MAX_BEHIND, wanted: Callable[[Event], bool] | None = None) -> None:
        """*wanted* leaves events out; each event is asked for at once, so it should be quick."""
        self._events: deque[Event] = deque(maxlen=limit)
        self._wake: asyncio.Event | None = None  # while somebody waits
        self._closed = False
        self._wanted = wanted
        self.missed = 0
        """How many events this reader was too slow for."""

    def __aiter__(self) -> EventReader:
        return self

    async def __anext__(self) -> Event:
        await self.wait()
        if not self._events:
            raise StopAsyncIteration
        return self._events.popleft()

    async def wait(self) -> None:
        """Return once there is an event, or there will never be one."""
        while not self._events and not self._closed:
            self._wake = asyncio.Event()
            try:
                await self._wake.wait()
            finally:
                self._wake = None

    def take(self) -> list[Event]:
        """Return the events that are there already, oldest first."""
        taken = list(self._events)
        self._events.clear()
        return taken

    @property
    def closed(self) -> bool:
        """Whether everything was read, and no further event will come."""
        return self._closed and not self._events

    def push(self, event: Event) -> None:
        """Add an event that is wanted; the oldest goes when the reader is too far behind."""
        if self._wanted is not None and not self._wanted(event):
            return
        if len(self._events) == self._events.maxlen:
            self.missed += 1
        self._events.append(event)
        if self._wake is not None:
            self._wake.set()

    def close(self) -> None:
        """Let the reader end after what it has."""
        self._closed = True
        if self._wake is not None:
            self._wake.set()


class EventHub:
    """Readers are held weakly: one that nobody reads any more costs nothing."""

    def __init__(self) -> None:
        self._readers: list[weakref.ref[EventReader]] = []
        self._closed = False

    def subscribe(self, wanted: Callable[[Event], bool] | None = None) -> EventReader:
        """Return a reader of all events from now on, or of those that are *wanted*."""
        reader = EventReader(wanted=wanted)
        if self._closed:
            reader.close()
        else:
            self._readers.append(weakref.ref(reader, self._readers.remove))
        return reader

    def publish(self, event: Event) -> None:
        for reader in self._all():
            reader.push(event)

    def close(self) -> None:
        """End every reader, present and future."""
        self._closed = True
        for reader in self._all():
            reader.close()

    def _all(self) -> list[EventReader]:
        return [reader for ref in self._readers if (reader := ref()) is not None]
