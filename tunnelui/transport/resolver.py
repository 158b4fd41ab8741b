"""The system's resolver, called so that it can hold up neither the event loop nor the end of the process.

``getaddrinfo`` blocks for as long as it likes and can't be interrupted. asyncio's executor would make the end of the
process wait for it; here it runs in a few daemon threads that are left behind.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import asyncio

__all__ = ["AddrInfo", "AnswerAhead", "RecentAnswers", "Resolver", "system_resolver"]


class AddrInfo(NamedTuple):
    """Where to connect. ``sockaddr`` begins with the IP literal and the port; for IPv6, flow and scope follow."""

    family: socket.AddressFamily
    sockaddr: tuple[str, int] | tuple[str, int, int, int]


Resolver = Callable[[str, int], Awaitable[Sequence[AddrInfo]]]
"""Turns a host name and a port into addresses, best first; raises `OSError` (`socket.gaierror`) where there are none.

It sets no deadline of its own: `tunnelui.transport.dial.dial` does, by cancelling it."""


async def system_resolver(host: str, port: int) -> Sequence[AddrInfo]:
    """Ask the system. A cancelled lookup is forgotten; its thread is free again when the system answers."""
    import asyncio  # here: `AnswerAhead` asks before the event loop's modules are loaded

    future: asyncio.Future[list[AddrInfo]] = asyncio.get_running_loop().create_future()
    _threads.submit(_Lookup(host, port, future))
    return await future


class RecentAnswers:
    """A `Resolver` that gives an answer again for a moment: of a burst of connections, only the first ones ask.

    :param resolve: is asked. What it raises is never given again.
    :param seconds: for how long. A change of the name's addresses is seen that much later.
    """

    def __init__(self, resolve: Resolver, *, seconds: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._resolve = resolve
        self._seconds = seconds
        self._clock = clock
        self._answers: dict[tuple[str, int], tuple[float, Sequence[AddrInfo]]] = {}

    def recent(self, host: str, port: int) -> Sequence[AddrInfo]:
        """Return the answer that is given again; empty where one has to be asked for."""
        at, answer = self._answers.get((host, port), (-self._seconds, ()))
        return answer if self._clock() - at < self._seconds else ()

    async def __call__(self, host: str, port: int) -> Sequence[AddrInfo]:
        if recent := self.recent(host, port):
            return recent
        asked = self._clock()
        answer = await self._resolve(host, port)
        if len(self._answers) >= _MOST_ANSWERS:
            self._answers.clear()
        self._answers[host, port] = asked, answer
        return answer


class AnswerAhead:
    """A `Resolver` that asks the system for one name at once, before an event loop runs: the name server answers while
    the program is loaded. The answer is given once; everything else is asked when it is wanted.
    """

    def __init__(self, host: str, port: int) -> None:
        self._asked = host, port
        self._answer: Future[Sequence[AddrInfo]] | None = Future()
        threading.Thread(target=self._ask, args=(self._answer,), name="tunnelui-resolver", daemon=True).start()

    async def __call__(self, host: str, port: int) -> Sequence[AddrInfo]:
        answer = self._answer
        if answer is None or (host, port) != self._asked:
            return await system_resolver(host, port)
        import asyncio

        self._answer = None
        return await asyncio.wrap_future(answer)

    def _ask(self, answer: Future[Sequence[AddrInfo]]) -> None:
        answer.set_running_or_notify_cancel()  # from now on nobody can cancel it, only wait no longer
        try:
            answer.set_result(_look_up(*self._asked))
        except Exception as error:
            answer.set_exception(error)


class _Lookup(NamedTuple):
    host: str
    port: int
    future: asyncio.Future[list[AddrInfo]]

    def run(self) -> None:
        result: list[AddrInfo] | Exception
        try:
            result = _look_up(self.host, self.port)
        except Exception as error:
            result = error
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
            self.future.get_loop().call_soon_threadsafe(self._deliver, result)

    def _deliver(self, result: list[AddrInfo] | Exception) -> None:
        if self.future.done():  # cancelled
            return
        if isinstance(result, Exception):
            self.future.set_exception(result)
        else:
            self.future.set_result(result)


def _look_up(host: str, port: int) -> list[AddrInfo]:
    # Bytes, because Python's IDNA codec raises UnicodeError for names that the system would simply not find.
    found = socket.getaddrinfo(host.encode("ascii", "replace"), port, type=socket.SOCK_STREAM)
    # A Python without IPv6 gives (int, bytes) for such addresses.
    return [AddrInfo(family, sockaddr) for family, _, _, _, sockaddr in found if isinstance(sockaddr[0], str)]


class _Threads:
    """Daemon threads, started when none is free, that end when there was nothing to do for a while."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._work_came = threading.Condition(self._lock)
        self._waiting: deque[_Lookup] = deque()
        self._running = 0
        self._idle = 0

    def submit(self, lookup: _Lookup) -> None:
        with self._lock:
            if len(self._waiting) >= _MANY:  # every thread hangs; forget what nobody waits for any more
                self._waiting = deque(other for other in self._waiting if not other.future.cancelled())
            self._waiting.append(lookup)
            if self._idle >= len(self._waiting):
                self._work_came.notify()
                return
            if self._running >= self._limit:
                return
            self._running += 1
        threading.Thread(target=self._work, name="tunnelui-resolver", daemon=True).start()

    def _work(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
                came = self._work_came.wait_for(lambda: bool(self._waiting), _LINGER)
                self._idle -= 1
                if not came:
                    self._running -= 1
                    return
                lookup = self._waiting.popleft()
            if not lookup.future.cancelled():
                lookup.run()


# More lookups than this at once wait for a free thread, within their caller's deadline.
_LIMIT: Final = 16
_MOST_ANSWERS: Final = 64
_MANY: Final = 256
_LINGER: Final = 5.0  # seconds that a thread waits for more: starting one costs more than most look-ups
_threads: Final = _Threads(_LIMIT)
