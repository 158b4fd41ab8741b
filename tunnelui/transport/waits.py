"""Waiting until a descriptor can be read or written, within limits, with as little to do for each wait as possible.

A new tunnel waits a handful of times, each time for the same descriptor. So a watch on it is kept from one wait to the
next, and the relay takes it over; and a limit has one timer, however many waits fall under it.
"""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Waits"]

T = TypeVar("T")


class Waits:
    """What waits for one descriptor to become readable, and for one to become writable. Each has one who waits at most.

    :ivar read_fd: what to watch for readability; -1 when reading never has to wait.
    :ivar write_fd: what to watch for writability; -1 when writing never has to wait.
    """

    read_fd: int
    write_fd: int

    def __init__(self) -> None:
        self._watched = _Watched.NOT
        self._reading: _Reading | None = None
        self._writers_wait: asyncio.Future[None] | None = None
        self._deadline: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def within(self, seconds: float) -> _Limit:
        """Let no wait of this object in the ``with`` block last longer than until *seconds* from now.

        Cheaper than a cancel scope, and blind to waits for anything else.

        :raises TimeoutError: from the wait.
        """
        return _Limit(self, asyncio.get_running_loop().time() + seconds)

    def watch(self, callback: Callable[[], None]) -> None:
        """Have *callback* called whenever reading may give something, in place of what was called until now.

        Only where `read_fd` is not -1.
        """
        if self._deadline is None:
            self._end_timer()  # whoever watches waits for as long as he likes
        self._watch(callback, _Watched.BY_OTHERS)

    def unwatch(self) -> None:
        """End the watch, if there is one."""
        if self._watched is not _Watched.NOT:
            self._watched = _Watched.NOT
            asyncio.get_running_loop().remove_reader(self.read_fd)

    def _watch(self, callback: Callable[[], None], whose: _Watched) -> None:
        self._watched = whose
        asyncio.get_running_loop().add_reader(self.read_fd, callback)

    async def _when_readable(self, attempt: Callable[[], T | None], give_back: Callable[[T], object]) -> T:
        """Return what *attempt* gives; it is called whenever there may be something, until that is not ``None``.

        It is called by the loop itself, before that looks for readiness once more: otherwise what is not read yet would
        be announced a second time, and wake up whoever waits next for nothing.

        :param give_back: takes what was given, when a cancellation comes before anybody has it.
        :raises TimeoutError: the limit of `within` has come.
        """
        loop = self._before_waiting()
        if self._watched is not _Watched.BY_US:
            self._watch(self._on_readable, _Watched.BY_US)
        given: asyncio.Future[T] = loop.create_future()
        self._reading = _Reading(attempt, given)
        try:
            return await given
        except BaseException:
            self.unwatch()
            if given.done() and not given.cancelled() and given.exception() is None:
                give_back(given.result())
            raise
        finally:
            self._reading = None

    def _on_readable(self) -> None:
        # The watch stays, since the next wait or the relay goes on with it; what comes meanwhile ends it.
        if self._reading is None or self._reading.given.done():
            self.unwatch()
        else:
            self._reading.try_again()

    async def _writable(self) -> None:
        loop, fd = self._before_waiting(), self.write_fd
        self._writers_wait = ready = loop.create_future()
        loop.add_writer(fd, _wake, ready)
        try:
            await ready
        finally:
            self._writers_wait = None
            if self.write_fd == fd:  # otherwise it was closed, and its number may be somebody else's
                loop.remove_writer(fd)

    def _late(self) -> bool:
        return self._deadline is not None and asyncio.get_running_loop().time() >= self._deadline

    def _before_waiting(self) -> asyncio.AbstractEventLoop:
        """:raises TimeoutError: no wait may begin any more."""
        loop, deadline = asyncio.get_running_loop(), self._deadline
        if deadline is not None:
            if loop.time() >= deadline:
                raise TimeoutError
            if self._timer is None or self._timer.when() > deadline:
                self._end_timer()
                self._timer = loop.call_at(deadline, self._on_limit)
        return loop

    def _on_limit(self) -> None:
        self._timer = None
        if self._deadline is None:
            return
        loop = asyncio.get_running_loop()
        if loop.time() < self._deadline:  # it was the end of an inner limit that has been left since
            self._timer = loop.call_at(self._deadline, self._on_limit)
            return
        if self._reading is not None:
            self._reading.end()
        _wake(self._writers_wait)

    def _end_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stop_waiting(self) -> None:
        """Before the descriptors close: others may get their numbers at once, so the event loop must forget them."""
        self.unwatch()
        if self._writers_wait is not None and self.write_fd >= 0:
            asyncio.get_running_loop().remove_writer(self.write_fd)
        self._end_timer()
        if self._reading is not None:
            asyncio.get_running_loop().call_soon(self._reading.try_again)  # once it is closed, it says so
        _wake(self._writers_wait)


class _Reading:
    """Who waits for something to read."""

    __slots__ = ("attempt", "given")

    def __init__(self, attempt: Callable[[], Any], given: asyncio.Future[Any]) -> None:
        self.attempt = attempt
        self.given = given

    def try_again(self) -> None:
        if self.given.done():
            return
        try:
            result = self.attempt()
        except Exception as error:
            self.given.set_exception(error)
        else:
            if result is not None:
                self.given.set_result(result)

    def end(self) -> None:
        """What is there by now counts; otherwise the time is over."""
        self.try_again()
        if not self.given.done():
            self.given.set_exception(TimeoutError())


class _Watched(Enum):
    """Whom the event loop tells that the descriptor is readable."""

    NOT = auto()
    BY_US = auto()
    BY_OTHERS = auto()


class _Limit:
    """See `Waits.within`. A class, since a generator would cost as much as a wait."""

    __slots__ = ("_deadline", "_outer", "_waits")

    def __init__(self, waits: Waits, deadline: float) -> None:
        self._waits = waits
        self._deadline = deadline

    def __enter__(self) -> None:
        outer = self._outer = self._waits._deadline
        self._waits._deadline = self._deadline if outer is None else min(self._deadline, outer)

    def __exit__(self, *_: object) -> None:
        # A timer stays: another limit mostly follows, and looks after it. It does nothing where no limit is.
        self._waits._deadline = self._outer


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
