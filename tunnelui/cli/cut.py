"""What is cut when a tunnel goes: the programs on it are told no reason, so whoever stops it is told."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from tunnelui.cli.agent_link import running_agent
from tunnelui.cli.output import print_note
from tunnelui.errors import TunnelError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tunnelui.engine.model import TunnelSnapshot

__all__ = ["live_tunnels", "tell_cut"]


async def live_tunnels(names: Collection[str]) -> list[TunnelSnapshot]:
    """Return those tunnels of *names* that carry connections in the agent; none where no agent can be asked."""
    with contextlib.suppress(TunnelError, OSError):
        async with running_agent() as engine:
            return [tunnel for tunnel in engine.snapshot().tunnels if tunnel.live and tunnel.route.name in names]
    return []


def tell_cut(tunnels: Sequence[TunnelSnapshot]) -> None:
    """Say how many connections each of *tunnels* had, as they were before they were stopped."""
    for tunnel in tunnels:
        if tunnel.live:
            ends = "1 open connection was" if tunnel.live == 1 else f"{tunnel.live} open connections were"
            print_note(f"{tunnel.route.name}: {ends} cut")
