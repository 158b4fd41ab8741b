"""The server's half of SOCKS5 (RFC 1928), without authentication.

::

    client  05 N METHODS…                    greeting
    server  05 00                            no authentication needed
    client  05 CMD 00 ATYP ADDRESS PORT      request
    server  05 REPLY 00 01 00000000 0000     answer; after a success the connection is the tunnel

Not one byte beyond the grammar is taken: what a client sends ahead is `SocksParser.remainder`.
"""

from __future__ import annotations

import ipaddress
from enum import IntEnum
from typing import Final

from tunnelui.errors import ProtocolError
from tunnelui.frozen import frozen
from tunnelui.wire.address import AddressError, HostPort, parse_host

__all__ = [
    "NO_AUTHENTICATION",
    "SocksError",
    "SocksGreeting",
    "SocksParser",
    "SocksReply",
    "SocksRequest",
    "render_method",
    "render_reply",
]

NO_AUTHENTICATION: Final = 0
_NONE_ACCEPTABLE: Final = 0xFF
_VERSION: Final = 5
_CONNECT: Final = 1
_IPV4, _NAME, _IPV6 = 1, 3, 4


class SocksReply(IntEnum):
    """RFC 1928, section 6."""

    SUCCEEDED = 0
    FAILURE = 1
    NOT_ALLOWED = 2
    NETWORK_UNREACHABLE = 3
    HOST_UNREACHABLE = 4
    REFUSED = 5
    TTL_EXPIRED = 6
    COMMAND_NOT_SUPPORTED = 7
    ADDRESS_NOT_SUPPORTED = 8


class SocksError(ProtocolError):
    """Bytes that are no SOCKS5, or ask for what is not offered. *reply* is what to answer; ``None``: just close."""

    default_code = "socks"

    def __init__(self, message: str, reply: SocksReply | None = None) -> None:
        super().__init__(message)
        self.reply = reply


@frozen
class SocksGreeting:
    """What the client can do to say who it is."""

    methods: frozenset[int]


@frozen
class SocksRequest:
    """A CONNECT to *address*, a host in its canonical spelling and a port from 1 on."""

    address: HostPort


class SocksParser:
    """Reads a greeting, then a request."""

    def __init__(self) -> None:
        self._data = b""
        self._greeted = False

    @property
    def remainder(self) -> bytes:
        """What came and is not taken yet."""
        return self._data

    def feed(self, data: bytes) -> SocksGreeting | SocksRequest | None:
        """Return the next message once it is complete; *data* may be empty to look at what is there already.

        :raises SocksError: it is none.
        """
        self._data += data
        if self._data and self._data[0] != _VERSION:
            raise SocksError(_wrong_version(self._data[0]))
        return self._request() if self._greeted else self._greeting()

    def _greeting(self) -> SocksGreeting | None:
        if len(self._data) < 2:
            return None
        count = self._data[1]
        if not count:
            raise SocksError("the SOCKS client offers no method")
        taken = self._take(2 + count)
        if taken is None:
            return None
        self._greeted = True
        return SocksGreeting(frozenset(taken[2:]))

    def _request(self) -> SocksRequest | None:
        if len(self._data) < 5:
            return None
        _, command, reserved, kind, first = self._data[:5]
        if command != _CONNECT:
            raise SocksError("of the SOCKS commands only CONNECT is offered", SocksReply.COMMAND_NOT_SUPPORTED)
        if reserved:
            raise SocksError("a reserved byte of the SOCKS request is not zero", SocksReply.FAILURE)
        length = {_IPV4: 4, _IPV6: 16, _NAME: 1 + first}.get(kind)
        if length is None:
            raise SocksError("the SOCKS request has an unknown kind of address", SocksReply.ADDRESS_NOT_SUPPORTED)
        taken = self._take(4 + length + 2)
        if taken is None:
            return None
        port = int.from_bytes(taken[-2:], "big")
        if not port:
            raise SocksError("the SOCKS request asks for port 0", SocksReply.FAILURE)
        return SocksRequest(HostPort(_host(kind, taken[4:-2]), port))

    def _take(self, size: int) -> bytes | None:
        if len(self._data) < size:
            return None
        taken, self._data = self._data[:size], self._data[size:]
        return taken


def render_method(method: int | None) -> bytes:
    """Return the answer to a greeting; ``None``: none of the client's methods will do."""
    return bytes([_VERSION, _NONE_ACCEPTABLE if method is None else method])


def render_reply(reply: SocksReply) -> bytes:
    """Return the answer to a request. The bound address is left open, as it is a proxy's and of no use."""
    return bytes([_VERSION, reply, 0, _IPV4]) + bytes(6)


def _host(kind: int, data: bytes) -> str:
    if kind == _IPV4:
        return str(ipaddress.IPv4Address(data))
    if kind == _IPV6:
        return str(ipaddress.IPv6Address(data))
    try:
        return parse_host(data[1:].decode("utf-8"))
    except (UnicodeDecodeError, AddressError):
        raise SocksError("the SOCKS request has a name that no host has", SocksReply.ADDRESS_NOT_SUPPORTED) from None


def _wrong_version(version: int) -> str:
    if version == 4:
        return "the client speaks SOCKS4, which knows no names; tell it to use SOCKS5 (socks5h://)"
    return f"the client does not speak SOCKS5: its first byte is {version}"
