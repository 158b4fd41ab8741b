"""Connecting to one of several addresses as RFC 8305 (happy eyeballs) says, on the event loop's callbacks.

The next attempt begins 250 ms after the last, or as soon as one fails; the first that connects ends the others. No
attempt has a task: a connection is dialled for each tunnel, mostly to one address, and that one answers.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import sys
from collections import deque
from typing import TYPE_CHECKING, Final

from tunnelui.system import error_words
from tunnelui.transport.socket_options import prepare

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tunnelui.transport.resolver import AddrInfo

__all__ = ["Lost", "Race", "Silence", "open_socket"]

ATTEMPT_DELAY: Final = 0.25  # RFC 8305 section 5

_NON_BLOCKING: Final = getattr(socket, "SOCK_NONBLOCK", 0)  # where the system has it: one call less
_UNDER_WAY: Final = frozenset({errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EALREADY})


class Silence(TimeoutError):
    """Our own deadline passed, not the system's."""

    def __init__(self, timeout: float) -> None:
        super().__init__(errno.ETIMEDOUT, f"no answer within {timeout:g} s")


class Lost(Exception):
    """Nobody connected; *failures* says why, one for each attempt that ended."""

    def __init__(self, failures: list[OSError]) -> None:
        super().__init__(failures)
        self.failures = failures


class Race:
    """Attempts that run at the same time, for one call of `run`."""

    __slots__ = ("_done", "_failures", "_loop", "_next", "_rest", "_under_way", "_winner")

    def __init__(self, candidates: Iterable[AddrInfo]) -> None:
        self._loop = asyncio.get_running_loop()
        self._rest = deque(candidates)
        self._under_way: dict[socket.socket, AddrInfo] = {}
        self._failures: list[OSError] = []
        self._winner: tuple[socket.socket, AddrInfo] | None = None
        self._next: asyncio.TimerHandle | None = None
        self._done: asyncio.Future[None] | None = None

    async def run(self, timeout: float) -> tuple[socket.socket, AddrInfo]:
        """Return the socket that connected, the caller's to close, and its address.

        :param timeout: seconds for all attempts together.
        :raises Lost: none did.
        """
        try:
            self._begin()
            if self._winner is None and self._under_way:
                self._done = self._loop.create_future()
                deadline = self._loop.call_later(timeout, self._give_up, timeout)
                try:
                    await self._done
                finally:
                    deadline.cancel()
        except BaseException:
            # A cancellation in the moment of success is the caller's, and the socket nobody's.
            if self._winner is not None:
                self._winner[0].close()
            raise
        finally:
            self._stop()
        if self._winner is None:
            raise Lost(self._failures)
        return self._winner

    def _begin(self) -> None:
        """Begin the next attempt, and the one after it where it fails at once."""
        self._next = None
        while self._rest:
            info = self._rest.popleft()
            try:
                sock = open_socket(info.family)
            except OSError as reason:
                self._failures.append(reason)
                continue
            try:
                number = _connect(sock, info)
                if number in _UNDER_WAY:
                    self._loop.add_writer(sock.fileno(), self._settle, sock)
                    self._under_way[sock] = info
                    if self._rest:
                        self._next = self._loop.call_later(ATTEMPT_DELAY, self._begin)
                    return
            except BaseException as reason:
                sock.close()
                if not isinstance(reason, OSError):
                    raise
                self._failures.append(reason)
                continue
            if self._end(sock, info, number):
                return
        if not self._under_way:
            self._tell()

    def _settle(self, sock: socket.socket) -> None:
        """The system has something to say of an attempt."""
        self._loop.remove_writer(sock.fileno())
        info = self._under_way.pop(sock)
        if not self._end(sock, info, sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)):
            if self._next is not None:
                self._next.cancel()
            self._begin()

    def _end(self, sock: socket.socket, info: AddrInfo, number: int) -> bool:
        """Take an attempt's result in; whether it connected."""
        if number:
            sock.close()
            self._failures.append(OSError(number, error_words(number)))
            return False
        self._winner = sock, info
        self._tell()
        return True

    def _give_up(self, timeout: float) -> None:
        if self._winner is None:
            self._failures.append(Silence(timeout))
        self._tell()

    def _tell(self) -> None:
        self._stop()
        if self._done is not None and not self._done.done():
            self._done.set_result(None)

    def _stop(self) -> None:
        """End what is still under way, and begin no more."""
        self._rest.clear()
        if self._next is not None:
            self._next.cancel()
            self._next = None
        while self._under_way:
            sock, _ = self._under_way.popitem()
            self._loop.remove_writer(sock.fileno())
            sock.close()


def open_socket(family: socket.AddressFamily) -> socket.socket:
    """Return a socket for a connection, set up as `tunnelui.transport.socket_options.prepare` does.

    :raises OSError: this machine has run out of something, or lacks the family.
    """
    sock = socket.socket(family, socket.SOCK_STREAM | _NON_BLOCKING)
    prepare(sock)
    return sock


def _connect(sock: socket.socket, info: AddrInfo) -> int:
    """Begin; 0 when it is connected already, or the system's error number."""
    number = sock.connect_ex(info.sockaddr)
    if number == errno.EINPROGRESS and sys.platform == "linux" and _is_loopback(info.sockaddr[0]):
        # To this machine itself it was done within the call, which only tells the next one; so nobody has to wait.
        number = sock.connect_ex(info.sockaddr)
    return number


def _is_loopback(host: str) -> bool:
    return host.startswith("127.") or host == "::1"
