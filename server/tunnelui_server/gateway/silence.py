"""Cuts tunnels with a machine that has gone without a word: power, cable, firewall.

Keepalive finds such a machine where nothing is under way. Where data are, the system sends them again and again, for a
quarter of an hour: a tunnel, its places in the counts and the program at its other end would wait for as long. A peer
that is alive and merely reads nothing has a system that answers, and is left alone.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import anyio

from tunnelui.transport.endpoint import SocketEndpoint
from tunnelui.transport.socket_options import silent_for

if TYPE_CHECKING:
    from tunnelui_server.gateway.live import LiveTunnel, LiveTunnels

__all__ = ["cut_silent"]

_TICK: Final = 2.0
_TICKS: Final = 10
"""In so many ticks every tunnel is looked at."""
_SILENCE: Final = 20.0
_LATELY: Final = 60.0
"""Where nothing has moved for longer, nothing is under way: the system is not asked about an idle tunnel."""


async def cut_silent(live: LiveTunnels, *, tick: float = _TICK, silence: float = _SILENCE) -> None:
    """Look at the sockets of open tunnels until cancelled, at a tenth of them in each *tick*, and at those whose data
    are being sent again in every one.

    :param silence: seconds without an answer after which a tunnel is cut.
    """
    loop = asyncio.get_running_loop()
    waiting: list[LiveTunnel] = []
    suspects: set[LiveTunnel] = set()
    share = 1
    while True:
        await anyio.sleep(tick)
        if not waiting:
            waiting = live.opened()
            share = len(waiting) // _TICKS + 1
        due, waiting = waiting[:share], waiting[share:]
        since = loop.time() - _LATELY
        lately = (one for one in due if one.relay is not None and one.relay.last_moved > since)
        for one in suspects.union(lately):
            if _look(one, silence):
                suspects.add(one)
            else:
                suspects.discard(one)


def _look(tunnel: LiveTunnel, silence: float) -> bool:
    """Cut *tunnel* if one of its peers has been silent for too long; return whether one may be gone."""
    relay = tunnel.relay
    if relay is None or relay.closed or tunnel.cause is not None:
        return False
    suspect = False
    for endpoint, cause in ((relay.near, "client_lost"), (relay.far, "upstream_lost")):
        silent = silent_for(endpoint.sock) if isinstance(endpoint, SocketEndpoint) else 0.0
        if silent > silence:
            tunnel.cut(cause)
            return False
        suspect = suspect or silent > 0
    return suspect
