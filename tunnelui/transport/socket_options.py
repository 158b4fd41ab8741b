"""What every TCP socket of ours is set to, dialled and accepted alike."""

from __future__ import annotations

import contextlib
import socket
from typing import Final

__all__ = ["prepare"]

# Seconds. A peer that has vanished from an idle connection is noticed within 15 + 4 * 15.
_KEEPALIVE_IDLE: Final = 15
_KEEPALIVE_INTERVAL: Final = 15
_KEEPALIVE_COUNT: Final = 4


def prepare(sock: socket.socket) -> None:
    """Make *sock* non-blocking; for TCP, also turn Nagle's algorithm off and keepalive probes on.

    TCP_USER_TIMEOUT is not set: since Linux 5.11 it also ends a connection whose peer is alive and merely reads
    nothing for that long, such as ``psql`` in a pager. Keepalive finds the dead peer of an idle connection; with data
    under way, the system gives up by itself.
    """
    sock.setblocking(False)
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    # A peer that is already gone makes these fail on some systems (macOS: EINVAL); reading will tell.
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        # macOS has TCP_KEEPALIVE for what others call TCP_KEEPIDLE.
        for names, value in (
            (("TCP_KEEPIDLE", "TCP_KEEPALIVE"), _KEEPALIVE_IDLE),
            (("TCP_KEEPINTVL",), _KEEPALIVE_INTERVAL),
            (("TCP_KEEPCNT",), _KEEPALIVE_COUNT),
        ):
            option = next((getattr(socket, name) for name in names if hasattr(socket, name)), None)
            if option is not None:
                sock.setsockopt(socket.IPPROTO_TCP, option, value)
