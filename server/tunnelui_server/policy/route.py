"""A route: the authorities that clients name, the upstream that is dialled, and the rules between the two."""

from __future__ import annotations

import functools
import hashlib
import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tunnelui.wire.address import HostPort
    from tunnelui_server.policy.criteria import Criterion

__all__ = ["IPAddress", "Route", "RouteTable", "is_special_address"]

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# Where clouds answer questions about the machine, secrets included, outside the link-local ranges.
_METADATA: Final = frozenset(
    ipaddress.ip_address(text)
    for text in ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254")
)


@functools.lru_cache(maxsize=1024)
def is_special_address(address: IPAddress) -> bool:
    """Whether no route may lead there unless it insists: link-local, metadata, multicast, unspecified, broadcast."""
    if isinstance(address, ipaddress.IPv6Address):
        # Three ways to write an IPv4 address as IPv6; NAT64 would translate the last one.
        inner = address.ipv4_mapped or address.sixtofour or _nat64(address)
        if inner is not None:
            return is_special_address(inner)
    elif address == ipaddress.IPv4Address("255.255.255.255"):
        return True
    return address.is_link_local or address.is_multicast or address.is_unspecified or address in _METADATA


def _nat64(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address in ipaddress.IPv6Network("64:ff9b::/96"):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


@functools.lru_cache(maxsize=16_384)
def _id_of(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Route:
    """One entry of ``routes``.

    ``source`` is ``from`` as written; ``authorities`` are what a CONNECT may name to get here; ``to`` is dialled.
    ``criteria`` are alternatives: one that holds allows; without any, nobody is allowed. ``idle_timeout`` and
    ``timeout`` (the greatest age of a tunnel) are seconds, None for no limit. ``line`` is where the entry begins.
    """

    source: str
    authorities: tuple[HostPort, ...]
    to: HostPort
    criteria: tuple[Criterion, ...] = ()
    name: str = ""
    description: str = ""
    idle_timeout: float | None = None
    timeout: float | None = None
    allow_private_special: bool = False
    line: int = field(default=0, compare=False)

    @property
    def id(self) -> str:
        """A short name that stays the same as long as ``from`` does."""
        return _id_of(self.source)

    @property
    def label(self) -> str:
        return self.name or str(self.authorities[0])

    @property
    def is_public(self) -> bool:
        return any(not criterion.needs_person for criterion in self.criteria)

    def may_dial(self, address: IPAddress) -> bool:
        """Whether a resolved address of the upstream may be dialled (a name can be made to point anywhere)."""
        return self.allow_private_special or not is_special_address(address)


class RouteTable:
    """Authority to route: a lookup key, and never an address that is dialled."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes: Mapping[HostPort, Route] = {key: route for route in routes for key in route.authorities}

    def find(self, authority: HostPort) -> Route | None:
        return self._routes.get(authority)
