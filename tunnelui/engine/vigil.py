"""Watches over open connections whose far side may have gone without a word: sleep, another network.

TCP by itself notices that after a minute or, with data under way, after many. So, every two seconds:

* After a jump of the clock (the lid was closed, the process stood still) every connection is asked at once whether its
  far side is still there, and warm connections are given up.
* A connection whose own address this machine has lost is cut: nothing can reach it any more.
* A connection whose far side has answered nothing for 20 seconds, though data were sent to it again and again, is cut.
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
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import anyio

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
"""Where nothing has moved for longer, nothing is under way: an idle connection is not asked about."""
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

    def cut(self, cause: str) -> None:
        """End it."""


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
    """Looks after what *connections* gives.

    :param on_wake: is called after a jump, with how many seconds were lost.
    """

    def __init__(
        self,
        connections: Callable[[], Iterable[Watched]],
        on_wake: Callable[[float], None],
        *,
        clock: Callable[[], float] = awake_clock,
        tick: float = _TICK,
    ) -> None:
        self._connections = connections
        self._on_wake = on_wake
        self._clock = clock
        self._tick = tick
        self._left: set[Way] = set()

    async def run(self) -> None:
        """Watch until cancelled."""
        last = self._clock()
        while True:
            await anyio.sleep(self._tick)
            now = self._clock()
            lost, last = now - last - self._tick, now
            if lost > _JUMP:
                self._on_wake(lost)
                self._ask(self._connections())
            self._look()

    def _look(self) -> None:
        watched = tuple(self._connections())
        ways = {way for one in watched if (way := one.way) is not None}
        gone = {way.own for way in ways if not _is_ours(way.own)}
        left = {way for way in ways if way.own not in gone and _source_to(way.far) not in (way.own, "")}
        new = left - self._left
        lately = asyncio.get_running_loop().time() - _LATELY
        for one in watched:
            if one.moved_at > lately and (sock := one.far_socket) is not None and silent_for(sock) > _SILENCE:
                one.cut(f"the proxy's machine has answered nothing for {_SILENCE:g} s: the network has lost it")
            elif gone and one.way is not None and one.way.own in gone:
                one.cut(f"this machine has lost its address {one.way.own}: the network has changed")
        if new:
            self._ask(one for one in watched if one.way in new)
        self._left = left

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
