"""Watches over open connections whose far side may have gone without a word: sleep, another network.

TCP by itself notices that after a minute or, with data under way, after many. So, every two seconds:

* After a jump of the clock (the lid was closed, the process stood still) every connection is asked at once whether its
  far side is still there, and warm connections are given up.
* A connection whose own address this machine has lost is cut: nothing can reach it any more.
* A connection whose far side has answered nothing for 20 seconds, though data were sent to it again and again, is cut.
  Every connection is looked at once in 20 seconds, and from then on every time while data are being sent again: silence
  that began after a look can't have lasted 20 seconds before the next one.
* When the way to a proxy leads over another address than before, its connections are asked as after a jump.

A local program then sees a reset within seconds, and its next connection works. Listeners never close.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import sys
import time
from itertools import takewhile
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from tunnelui.transport.socket_options import hurry, relax, silent_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Vigil", "Watched", "Way", "awake_clock", "way_of"]

_TICK: Final = 2.0
_JUMP: Final = 5.0
"""Seconds that a tick may be late on a busy machine."""
_RELAX: Final = 20.0
_SILENCE: Final = 20.0
"""Longer than a hole in the air of a moving train, mostly; data that come after that are lost."""
_LATELY: Final = 3 * _SILENCE
"""Where nothing has moved for longer, nothing is under way: the system is not asked about an idle connection."""
_NOT_OURS: Final = (errno.EADDRNOTAVAIL,)


class Way(NamedTuple):
    """The addresses of a connection's own end and of its far end, without ports."""

    own: str
    far: str


class Watched(Protocol):
    """A connection (`tunnelui.engine.connection.Connection`)."""

    @property
    def far_socket(self) -> socket.socket | None:
        """The socket to the proxy while the connection is open."""

    @property
    def way(self) -> Way | None:
        """Its addresses while the connection is open."""

    @property
    def moved_at(self) -> float:
        """When a byte moved last, on the event loop's clock."""

    def lose(self, cause: str) -> None:
        """End it: the network has lost the far side."""


def awake_clock() -> float:
    """Seconds that go on while the machine sleeps."""
    # On macOS CLOCK_MONOTONIC goes on; on Linux only CLOCK_BOOTTIME does.
    name = "CLOCK_BOOTTIME" if hasattr(time, "CLOCK_BOOTTIME") else "CLOCK_MONOTONIC"
    clock = getattr(time, name, None)
    return time.clock_gettime(clock) if clock is not None and sys.platform != "win32" else time.time()


def way_of(sock: socket.socket) -> Way | None:
    """Return the addresses of *sock*; ``None`` where it has none."""
    try:
        return Way(str(sock.getsockname()[0]), str(sock.getpeername()[0]))
    except (OSError, IndexError):
        return None


class Vigil:
    """Looks after the connections that it was told of, as long as `run` does. An idle one costs next to nothing.

    :param on_wake: is called after a jump, with how many seconds were lost.
    """

    def __init__(
        self, on_wake: Callable[[float], None], *, clock: Callable[[], float] = awake_clock, tick: float = _TICK
    ) -> None:
        self._on_wake = on_wake
        self._clock = clock
        self._tick = tick
        # When each is looked at next, on the event loop's clock, and so in this order.
        self._looks: dict[Watched, float] = {}
        self._suspects: set[Watched] = set()
        self._by_way: dict[Way, set[Watched]] = {}
        self._left: set[Way] = set()

    def watch(self, one: Watched) -> None:
        """Look after *one*, which has just been opened, until `forget`."""
        self._looks[one] = asyncio.get_running_loop().time() + _SILENCE
        if one.way is not None:
            self._by_way.setdefault(one.way, set()).add(one)

    def forget(self, one: Watched) -> None:
        """It is over; its `way` is still known. Nothing happens to one that is not watched."""
        self._looks.pop(one, None)
        self._suspects.discard(one)
        if one.way is not None and (others := self._by_way.get(one.way)) is not None:
            others.discard(one)
            if not others:
                del self._by_way[one.way]

    async def run(self) -> None:
        """Watch until cancelled."""
        last = self._clock()
        while True:
            await asyncio.sleep(self._tick)
            now = self._clock()
            lost, last = now - last - self._tick, now
            if lost > _JUMP:
                self._on_wake(lost)
                self._ask(self._looks)
            self._look_at_ways()
            self._look_for_silence(asyncio.get_running_loop().time())

    def _look_at_ways(self) -> None:
        gone = {way.own for way in self._by_way if not _is_ours(way.own)}
        left = {way for way in self._by_way if way.own not in gone and _source_to(way.far) not in (way.own, "")}
        new, self._left = left - self._left, left
        for way in tuple(self._by_way):
            if way.own in gone:
                for one in tuple(self._by_way[way]):
                    one.lose(f"this machine has lost its address {way.own}: the network has changed")
            elif way in new:
                self._ask(self._by_way[way])

    def _look_for_silence(self, now: float) -> None:
        due = tuple(takewhile(lambda one: self._looks[one] <= now, self._looks))
        for one in due:
            del self._looks[one]
            self._looks[one] = now + _SILENCE  # to the end of the line
        lately = [one for one in due if one.moved_at > now - _LATELY]
        for one in self._suspects.union(lately):
            silent = silent_for(sock) if (sock := one.far_socket) is not None else 0.0
            if silent > _SILENCE:
                one.lose(f"the proxy's machine has answered nothing for {_SILENCE:g} s: the network has lost it")
            elif silent > 0:
                self._suspects.add(one)
            else:
                self._suspects.discard(one)

    def _ask(self, connections: Iterable[Watched]) -> None:
        """Let the system find out at once whether the far sides are there."""
        sockets = [sock for one in connections if (sock := one.far_socket) is not None]
        for sock in sockets:
            hurry(sock)
        if sockets:
            asyncio.get_running_loop().call_later(_RELAX, _relax_all, sockets)


def _relax_all(sockets: Iterable[socket.socket]) -> None:
    for sock in sockets:
        relax(sock)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _is_ours(host: str) -> bool:
    """Whether this machine has the address; also when that can't be told."""
    with contextlib.suppress(OSError), socket.socket(_family(host), socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, 0))
        except OSError as error:
            return error.errno not in _NOT_OURS
    return True


def _source_to(host: str) -> str:
    """Return the own address from which packets to *host* would go now; empty where there is no way. Sends nothing."""
    with contextlib.suppress(OSError), socket.socket(_family(host), socket.SOCK_DGRAM) as probe:
        probe.connect((host, 9))
        return str(probe.getsockname()[0])
    return ""
