"""Warm connections: to a proxy that was used lately, shaken hands on and idle, so that the next tunnel waits for one
round trip in place of three.

They carry nothing but the handshake: no token, no request. One pool serves all tunnels of one profile to one proxy.
What can be wrong with a connection that waits, and what follows:

* The proxy ends or resets it, or says something unasked (a 408): the event loop sees that at once. While the proxy is
  in use it is replaced, unless it died young: a proxy that turns idle connections away is not asked in a loop.
* The machine slept, or the clock jumped: it is older than it seems, and thrown away when it would be taken.
* It dies at the very moment it is taken, or the network has changed and nobody answers: `tunnelui.engine.connector`
  finds out before anything is lost, and dials.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import anyio

from tunnelui.engine.model import StageTimings
from tunnelui.errors import PeerError, TunnelError
from tunnelui.transport.endpoint import WOULD_BLOCK, scratch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anyio.abc import TaskGroup

    from tunnelui.engine.reach import Stages
    from tunnelui.transport.endpoint import SocketEndpoint

__all__ = ["Warm", "WarmPool"]

logger = logging.getLogger(__name__)

_LATELY: Final = 60.0
_PAUSE: Final = 0.05
_YOUNG: Final = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Warm:
    """One connection that waits. *tls*: the version; *born* and *born_at*: monotonic and wall clock, in seconds."""

    far: SocketEndpoint
    tls: str
    born: float
    born_at: float


@dataclass(slots=True)
class _Unseen:
    """The stages of a connection that nobody waits for."""

    timings: StageTimings
    tls: str = ""


class WarmPool:
    """At most *size* connections, kept for *lately* seconds after the last use.

    A proxy counts connections that ask for nothing against their address, so *size* should be small.

    :param reach: makes one; what it raises ends the filling until the next use.
    :param group: runs the filling.
    :param pause: seconds between a use and the filling. A burst of connections dials for itself meanwhile.
    :param young: seconds that a connection must have lived to be replaced when the proxy ends it.
    """

    def __init__(
        self,
        reach: Callable[[Stages], Awaitable[SocketEndpoint]],
        group: TaskGroup,
        *,
        size: int,
        lately: float = _LATELY,
        pause: float = _PAUSE,
        young: float = _YOUNG,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._reach = reach
        self._group = group
        self._size = size
        self._lately = lately
        self._pause = pause
        self._young = young
        self._wall_clock = wall_clock
        self._idle: deque[Warm] = deque()
        self._used_at = -lately
        self._expiry: asyncio.TimerHandle | None = None
        self._soon: asyncio.TimerHandle | None = None
        self._filling: anyio.CancelScope | None = None

    def __len__(self) -> int:
        return len(self._idle)

    def take(self) -> Warm | None:
        """Return the connection that waits longest, the caller's from now on; ``None`` when there is none."""
        while self._idle:
            warm = self._idle.popleft()
            warm.far.unwatch()
            if self._is_fresh(warm) and _is_silent(warm):
                return warm
            _part(warm)
        return None

    def used(self) -> None:
        """A tunnel was opened: the proxy is in use."""
        loop = asyncio.get_running_loop()
        self._used_at = loop.time()
        if self._expiry is None:
            self._expiry = loop.call_later(self._lately, self._expire)
        self._fill_soon()

    def clear(self) -> None:
        """Close all that waits, and make no more until the next use."""
        self._used_at = -self._lately
        for timer in (self._expiry, self._soon):
            if timer is not None:
                timer.cancel()
        self._expiry = self._soon = None
        if self._filling is not None:
            self._filling.cancel()
            self._filling = None
        while self._idle:
            self._drop(self._idle[0])

    def _expire(self) -> None:
        # One timer for all uses: it is not moved by each of them, but looks how long ago the last one was.
        loop = asyncio.get_running_loop()
        rest = self._used_at + self._lately - loop.time()
        if rest > 0:
            self._expiry = loop.call_later(rest, self._expire)
        else:
            self.clear()

    def _fill_soon(self) -> None:
        if self._soon is None and self._filling is None and len(self._idle) < self._size:
            self._soon = asyncio.get_running_loop().call_later(self._pause, self._begin_filling)

    def _begin_filling(self) -> None:
        self._soon = None
        self._filling = anyio.CancelScope()
        self._group.start_soon(self._fill, self._filling)

    async def _fill(self, scope: anyio.CancelScope) -> None:
        try:
            with scope:
                while len(self._idle) < self._size:
                    stages = _Unseen(StageTimings())
                    far = await self._reach(stages)
                    warm = Warm(far, stages.tls, asyncio.get_running_loop().time(), self._wall_clock())
                    if self._filling is not scope:  # cleared just when it was there
                        _part(warm)
                        return
                    self._keep(warm)
        except TunnelError as error:
            # Nobody waits for it. Whoever does, later, gets the error of a connection of his own.
            logger.debug("no warm connection: %s", error)
        except Exception:
            logger.exception("a warm connection met a fault of ours")
        finally:
            if self._filling is scope:
                self._filling = None

    def _keep(self, warm: Warm) -> None:
        self._idle.append(warm)
        warm.far.watch(functools.partial(self._look, warm))

    def _look(self, warm: Warm) -> None:
        """It became readable: TLS tickets, or its end."""
        if _is_silent(warm):
            return
        self._drop(warm)
        now = asyncio.get_running_loop().time()
        if now - warm.born >= self._young and now < self._used_at + self._lately:
            self._fill_soon()

    def _drop(self, warm: Warm) -> None:
        self._idle.remove(warm)
        _part(warm)

    def _is_fresh(self, warm: Warm) -> bool:
        """Both clocks: the monotonic one stands still while the machine sleeps, on some systems."""
        ages = asyncio.get_running_loop().time() - warm.born, self._wall_clock() - warm.born_at
        return all(0 <= age <= self._lately for age in ages)


def _is_silent(warm: Warm) -> bool:
    """Whether the proxy has said nothing, handshake messages apart, and the connection stands."""
    try:
        return warm.far.read_into(scratch.plain) == WOULD_BLOCK
    except PeerError:
        return False


def _part(warm: Warm) -> None:
    """Close in order, as far as that needs no waiting."""
    with contextlib.suppress(PeerError):
        warm.far.send_eof()
    warm.far.close()
