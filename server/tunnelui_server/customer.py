"""Whom an address stands for when connections and attempts are counted."""

from __future__ import annotations

import functools
import ipaddress
from typing import Final

__all__ = ["customer_of"]

_LONGEST: Final = 64


@functools.lru_cache(maxsize=4096)
def customer_of(address: str) -> str:
    """Return the one who has *address*: an IPv4 address by itself, but the whole /64 that one IPv6 customer has."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:_LONGEST]
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(parsed) >> 64 << 64, 64)))
