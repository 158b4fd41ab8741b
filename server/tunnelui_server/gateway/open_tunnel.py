"""A tunnel from the moment when its client is told 200 to the audit line of its end. It has no task of its own."""

from __future__ import annotations

import asyncio
import functools
import logging
import re
import time
from typing import TYPE_CHECKING, Final

from tunnelui.transport.relay import Relay, RelayCause, RelayResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from tunnelui.transport.endpoint import Endpoint
    from tunnelui_server.gateway.live import LiveTunnel, LiveTunnels
    from tunnelui_server.gateway.quota import Lease
    from tunnelui_server.observe import TunnelAudit

__all__ = ["OpenTunnel"]

_LOG: Final = logging.getLogger(__name__)
_SIDE: Final = re.compile(r"\b(?:near|far)")


class OpenTunnel:
    """Owns both endpoints, its places in the counts, and the last word about them: `end` gives all of it back."""

    __slots__ = ("_age", "_audit", "_began", "_lease", "_leave", "_live", "_max_age", "_relay", "_tunnel")

    def __init__(
        self,
        near: Endpoint,
        far: Endpoint,
        *,
        tunnel: LiveTunnel,
        live: LiveTunnels,
        lease: Lease,
        audit: TunnelAudit,
        leave: Callable[[], None],
        idle_timeout: float | None,
        max_age: float | None,
    ) -> None:
        """
        :param leave: called once, at the end.
        :param max_age: seconds after which it is cut.
        """
        self._relay = Relay(near, far, idle_timeout=idle_timeout)
        self._tunnel = tunnel
        self._live = live
        self._lease: Lease | None = lease
        self._audit = audit
        self._leave = leave
        self._began = time.monotonic()
        self._max_age = max_age
        self._age: asyncio.TimerHandle | None = None
        tunnel.relay = self._relay
        tunnel.opened = True

    def start(self) -> None:
        """Carry bytes from now on."""
        if self._max_age is not None:
            left = self._began + self._max_age - time.monotonic()
            self._age = asyncio.get_running_loop().call_later(max(left, 0.0), self._on_age)
        self._relay.start(self._on_end)

    def end(self, cause: str, detail: str) -> None:
        """There is no start: the client is gone, or this server stops. A cut that came before has said why."""
        self._end(self._tunnel.cause or cause, detail)

    def _end(self, cause: str, detail: str) -> None:
        """It is over: close what is open and say so, once."""
        if self._lease is None:
            return
        self._lease.release()
        self._lease = None
        if self._age is not None:
            self._age.cancel()
        self._relay.abort()
        for endpoint in (self._relay.near, self._relay.far):
            endpoint.abort()  # nothing is left to abort, unless the relay met a fault
        self._live.remove(self._tunnel)
        self._leave()
        self._audit.ended(
            cause=cause,
            detail=detail,
            to_client=self._relay.bytes_in,
            to_upstream=self._relay.bytes_out,
            seconds=time.monotonic() - self._began,
        )

    def _on_age(self) -> None:
        self._tunnel.cut("max_age")

    def _on_end(self, result: RelayResult | Exception) -> None:
        if isinstance(result, Exception):
            _LOG.error("a tunnel met a fault of this server", exc_info=result)
            self._end("fault", type(result).__name__)
        elif result.cause is not RelayCause.ABORTED:  # by itself, though a cut may have come since
            self._end(_sides(str(result.cause)), _sides(result.detail))
        else:
            cause = self._tunnel.cause or "shutdown"
            self._end(cause, f"open for {self._max_age:g} s" if cause == "max_age" else "")


@functools.lru_cache(maxsize=64)
def _sides(text: str) -> str:
    """A relay's words with the names that a reader of the audit log knows."""
    return _SIDE.sub(lambda found: "client" if found[0] == "near" else "upstream", text)
