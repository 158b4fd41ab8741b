"""What every TCP socket of ours is set to, dialled and accepted alike."""

from __future__ import annotations

import array
import contextlib
import socket
import struct
import sys
from typing import Final

__all__ = ["hurry", "is_prepared", "prepare", "prepare_accepted", "relax", "silent_for", "unacknowledged"]

# Seconds. A peer that has vanished from an idle connection is noticed within 15 + 4 * 5.
_KEEPALIVE_IDLE: Final = 15
_KEEPALIVE_INTERVAL: Final = 5
_KEEPALIVE_COUNT: Final = 4
# macOS has TCP_KEEPALIVE for what others call TCP_KEEPIDLE.
_KEEPALIVE_OPTIONS: Final[tuple[int | None, ...]] = (
    getattr(socket, "TCP_KEEPIDLE", getattr(socket, "TCP_KEEPALIVE", None)),
    getattr(socket, "TCP_KEEPINTVL", None),
    getattr(socket, "TCP_KEEPCNT", None),
)
_HURRIED: Final = (1, 1, 5)  # seconds idle, seconds between probes, probes
_HURRIED_TIMEOUT: Final = 10_000  # milliseconds
# struct tcp_info of Linux: how often in a row data had to be sent again, after how many microseconds that will happen
# once more, and how many milliseconds ago data and an acknowledgement came.
_TCP_INFO: Final = struct.Struct("=2xB5xI40x2I")
_SO_NWRITE: Final = 0x1024  # macOS: sys/socket.h


def prepare(sock: socket.socket) -> None:
    """Make *sock* non-blocking; for TCP, also turn Nagle's algorithm off and keepalive probes on.

    TCP_USER_TIMEOUT is not set: since Linux 5.11 it also ends a connection whose peer is alive and merely reads
    nothing for that long, such as ``psql`` in a pager. Keepalive finds the dead peer of an idle connection; with data
    under way, the system gives up by itself after many minutes, and `silent_for` tells before.
    """
    if sock.gettimeout() != 0.0:
        sock.setblocking(False)
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    # A peer that is already gone makes these fail on some systems (macOS: EINVAL); reading will tell.
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        _set_keepalive(sock, _KEEPALIVE_IDLE, _KEEPALIVE_INTERVAL, _KEEPALIVE_COUNT)
    except OSError:
        pass


def is_prepared(listener: socket.socket) -> bool:
    """Whether what is accepted from *listener* has our options already, as it has on Linux if the listener had them."""
    if listener.family not in (socket.AF_INET, socket.AF_INET6):
        return True
    return sys.platform == "linux" and listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


def prepare_accepted(sock: socket.socket) -> None:
    """`prepare`, for what came from a listener of which `is_prepared` says so: five system calls less."""
    sock.setblocking(False)


def hurry(sock: socket.socket) -> None:
    """Have the peer asked within seconds whether it is there, until `relax`: it may have gone without a word.

    Where data is under way, which keepalive leaves to retransmission, a time-out is set as well: such a peer answers
    or is gone.
    """
    with contextlib.suppress(OSError, ValueError):  # closed meanwhile, or no TCP
        _set_keepalive(sock, *_HURRIED)
        if unacknowledged(sock) and hasattr(socket, "TCP_USER_TIMEOUT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _HURRIED_TIMEOUT)


def relax(sock: socket.socket) -> None:
    """Take `hurry` back."""
    with contextlib.suppress(OSError, ValueError):
        _set_keepalive(sock, _KEEPALIVE_IDLE, _KEEPALIVE_INTERVAL, _KEEPALIVE_COUNT)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 0)


def silent_for(sock: socket.socket) -> float:
    """Return for how many seconds the peer's system has answered nothing, though data were sent to it again and again.

    More than 0 as soon as data were sent again; 0 where it answers, where nothing is under way, and where this system
    does not tell. A peer that is alive and reads nothing has a system that answers.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, ValueError, struct.error):  # closed meanwhile, or no TCP
            info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
            retransmits, timeout, last_data, last_answer = _TCP_INFO.unpack(info)
            if retransmits:
                # Each time the system waits twice as long as before: what it waits now is what it has waited so far.
                waited = timeout / 1_000_000 * (1 - 0.5**retransmits)
                return float(max(0.001, min(waited, last_data / 1000, last_answer / 1000)))
    return 0.0


def _set_keepalive(sock: socket.socket, *values: int) -> None:
    for option, value in zip(_KEEPALIVE_OPTIONS, values, strict=True):
        if option is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)


def unacknowledged(sock: socket.socket) -> int:
    """How many bytes the peer's system has not acknowledged; 0 where this system does not tell."""
    with contextlib.suppress(OSError, ValueError):  # ValueError: it is closed
        if sys.platform == "darwin":
            return sock.getsockopt(socket.SOL_SOCKET, _SO_NWRITE)
        if sys.platform == "linux":
            import fcntl
            import termios

            size = array.array("i", [0])
            fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, size)  # tcp(7): SIOCOUTQ
            return size[0]
    return 0
