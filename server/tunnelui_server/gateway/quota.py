"""Caps on connections: in all, waiting from one address, with the control plane, and open for one person or route.

Tunnels have a cap of their own, so that when it is reached there is still room to answer 503 and to reach the control
plane. No address alone can fill any of the shared caps before anybody has signed in there. With several workers the
counts are those of all of them (`tunnelui_server.gateway.tally`). Everything is bounded by the descriptors that the
system grants: two for each connection.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from tunnelui.transport.descriptors import allow_descriptors
from tunnelui_server.customer import customer_of
from tunnelui_server.gateway.tally import LocalTally

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tunnelui_server.config import Limits
    from tunnelui_server.gateway.tally import Tally

__all__ = ["Exceeded", "Lease", "Quota", "address_key", "fit_to_descriptors"]

_LOG: Final = logging.getLogger(__name__)
_RESERVED: Final = 64  # descriptors for listeners, the store, logs, name look-ups
# With the control plane at one time. It turns everybody away at 512 (tunnelui_server.control.serve), so we stay below.
_MAX_PAGES: Final = 480
_MAX_PAGES_PER_ADDRESS: Final = 120


class Exceeded(Exception):
    """A cap is reached; ``cause`` names it for the audit log."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


@dataclass
class Quota:
    """Counts what is open now."""

    limits: Limits
    tally: Tally = field(default_factory=LocalTally)

    @property
    def connections(self) -> int:
        return self.tally.count("connections")

    @property
    def tunnels(self) -> int:
        return self.tally.count("tunnels")

    @property
    def head_room(self) -> int:
        """Connections beyond the tunnels: those that wait, are refused, or go to the control plane."""
        return max(64, self.limits.max_connections // 8)

    @property
    def most_pending(self) -> int:
        """How many connections of one address may wait: never more than half of all that there may be."""
        half = (self.limits.max_connections + self.head_room) // 2
        return min(self.limits.max_pending_per_address, half)

    def admit(self, address: str) -> bool:
        """Count a connection that was just accepted; false when there is no room. See `leave` and `settle`."""
        if self.connections >= self.limits.max_connections + self.head_room:
            return False
        if self.tally.count("pending", address) >= self.most_pending:
            return False
        self.tally.add(1, "connections")
        self.tally.add(1, "pending", address)
        return True

    def settle(self, address: str) -> None:
        """The connection has proved who it is for: it no longer counts against its address."""
        self.tally.add(-1, "pending", address)

    def leave(self) -> None:
        self.tally.add(-1, "connections")

    @contextlib.contextmanager
    def page(self, address: str) -> Iterator[None]:
        """Count a connection that is with the control plane while the block runs.

        :raises Exceeded: ``limit_pages``.
        """
        tally = self.tally
        if tally.count("pages", address) >= _MAX_PAGES_PER_ADDRESS or tally.count("pages") >= _MAX_PAGES:
            raise Exceeded("limit_pages")
        tally.add(1, "pages")
        tally.add(1, "pages", address)
        try:
            yield
        finally:
            tally.add(-1, "pages")
            tally.add(-1, "pages", address)

    def tunnel(self, user: str, route: str) -> Lease:
        """Count a tunnel until the lease is released.

        :raises Exceeded: ``limit_total``, ``limit_user`` or ``limit_route``.
        """
        if self.tunnels >= self.limits.max_connections:
            raise Exceeded("limit_total")
        if self.tally.count("user", user) >= self.limits.max_tunnels_per_user:
            raise Exceeded("limit_user")
        if self.tally.count("route", route) >= self.limits.max_tunnels_per_route:
            raise Exceeded("limit_route")
        return Lease(self.tally, user, route)


class Lease:
    """One tunnel in the counts, from when it is made until `release`, or until the end of a ``with`` block."""

    __slots__ = ("_route", "_tally", "_user")

    def __init__(self, tally: Tally, user: str, route: str) -> None:
        self._tally: Tally | None = tally
        self._user = user
        self._route = route
        self._add(tally, 1)

    def __enter__(self) -> Lease:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Idempotent."""
        if self._tally is not None:
            tally, self._tally = self._tally, None
            self._add(tally, -1)

    def _add(self, tally: Tally, change: int) -> None:
        for kind, key in (("tunnels", ""), ("user", self._user), ("route", self._route)):
            tally.add(change, kind, key)


def address_key(peer: str) -> str:
    """Whom a connection from ``HOST:PORT`` counts for."""
    return customer_of(peer.rpartition(":")[0].strip("[]"))


def fit_to_descriptors(limits: Limits) -> Limits:
    """Raise this process's limit on descriptors as far as it may, and lower the caps to what it then has."""
    quota = Quota(limits)
    wanted = 2 * (limits.max_connections + quota.head_room) + _RESERVED
    soft = allow_descriptors(wanted)
    if soft >= wanted:
        return limits
    room = max((soft - _RESERVED) // 2 - 64, 1)
    fitting = max(min(room, room * 8 // 9), 1)
    _LOG.warning("max_connections is %d for want of descriptors (ulimit -n is %d)", fitting, soft)
    return replace(limits, max_connections=min(limits.max_connections, fitting))
