"""The PROXY protocol, versions 1 and 2 (HAProxy's proxy-protocol.txt): who connected, told ahead of the stream.

Only TCP over IPv4 and IPv6 is taken, as are headers without addresses (``UNKNOWN`` and ``LOCAL``: health checks, which
speak for the connection itself). Datagram and Unix families are refused, since nothing here could have sent them.
"""

from __future__ import annotations

import ipaddress
import re
import struct
from typing import Final

from tunnelui.errors import ProtocolError
from tunnelui.frozen import frozen
from tunnelui.wire.address import AddressError, HostPort, parse_host

__all__ = ["MAX_V1", "MAX_V2", "ProxyHeader", "ProxyHeaderError", "ProxyHeaderParser", "encode_v1", "encode_v2"]

MAX_V1: Final = 107  # the longest line that the specification allows, with CRLF
MAX_V2: Final = 536  # what fits into the smallest TCP segment; the specification asks senders to stay below

_V1_START: Final = b"PROXY "
_V2_START: Final = b"\r\n\r\n\x00\r\nQUIT\n"
_V2_FIXED: Final = 16
_LOCAL, _PROXY = 0x20, 0x21
_UNSPECIFIED, _TCP4, _TCP6 = 0x00, 0x11, 0x21
_FAMILIES: Final = {
    0x12: "UDP over IPv4",
    0x22: "UDP over IPv6",
    0x31: "a Unix stream",
    0x32: "a Unix datagram",
}
_ADDRESS_BYTES: Final = {_TCP4: 4, _TCP6: 16}
_TLV_CRC32C: Final = 0x03
_V1_PORT: Final = re.compile(r"0|[1-9][0-9]{0,4}", re.ASCII)
_V1_VERSION: Final = {"TCP4": 4, "TCP6": 6}


class ProxyHeaderError(ProtocolError):
    """Bytes that are no PROXY header, or one that is not taken; also values that can't be encoded as one."""

    default_code = "proxy_header"


@frozen
class ProxyHeader:
    """The two ends of a connection, hosts as IP literals; both ``None`` when the header gives none."""

    source: HostPort | None = None
    destination: HostPort | None = None


class ProxyHeaderParser:
    """Takes one header, of either version, from bytes in any pieces."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._end = 0
        self._header: ProxyHeader | None = None
        self._error: ProxyHeaderError | None = None

    def feed(self, data: bytes) -> ProxyHeader | None:
        """Take more bytes; return the header once it is complete. Bytes that follow it gather in `remainder`.

        :raises ProxyHeaderError: these bytes can't become a header that is taken. The parser stays broken.
        """
        if self._error is not None:
            raise self._error
        self._buffer += data
        if self._header is None:
            try:
                self._parse()
            except ProxyHeaderError as error:
                self._error = error
                raise
        return self._header

    @property
    def remainder(self) -> bytes:
        """What followed the header; empty before the header is complete."""
        return b"" if self._header is None else bytes(self._buffer[self._end :])

    def _parse(self) -> None:
        if _starts(self._buffer, _V1_START):
            newline = self._buffer.find(b"\r\n", 0, MAX_V1)
            if newline >= 0:
                self._header, self._end = _decode_v1(bytes(self._buffer[:newline])), newline + 2
            elif len(self._buffer) >= MAX_V1:
                raise ProxyHeaderError(f"the PROXY line is longer than {MAX_V1} bytes")
        elif _starts(self._buffer, _V2_START):
            end = _v2_end(self._buffer)
            if end is not None and len(self._buffer) >= end:
                self._header, self._end = _decode_v2(bytes(self._buffer[:end])), end
        else:
            raise ProxyHeaderError("the connection does not begin with a PROXY header")


def encode_v1(header: ProxyHeader) -> bytes:
    """Return the line for *header*.

    :raises ProxyHeaderError: a host is no IP literal, the families differ, or only one end is given.
    """
    ends = _ends(header)
    if ends is None:
        return b"PROXY UNKNOWN\r\n"
    (source, source_port), (destination, destination_port) = ends
    return f"PROXY TCP{source.version} {source} {destination} {source_port} {destination_port}\r\n".encode("ascii")


def encode_v2(header: ProxyHeader, *, checksum: bool = False) -> bytes:
    """Return the binary header for *header*, with a CRC32C when *checksum* is set.

    :raises ProxyHeaderError: as for `encode_v1`.
    """
    ends = _ends(header)
    if ends is None:
        command, family, payload = _LOCAL, _UNSPECIFIED, b""
    else:
        (source, source_port), (destination, destination_port) = ends
        command, family = _PROXY, _TCP4 if source.version == 4 else _TCP6
        payload = source.packed + destination.packed + struct.pack("!HH", source_port, destination_port)
    if not checksum:
        return _V2_START + struct.pack("!BBH", command, family, len(payload)) + payload
    start = _V2_START + struct.pack("!BBH", command, family, len(payload) + 7) + payload
    start += struct.pack("!BH", _TLV_CRC32C, 4)
    return start + struct.pack("!I", _crc32c(start + bytes(4)))


def _starts(buffer: bytearray, signature: bytes) -> bool:
    """Whether *buffer* begins with *signature*, or could once more bytes come."""
    return signature.startswith(bytes(buffer[: len(signature)]))


def _decode_v1(line: bytes) -> ProxyHeader:
    try:
        words = line.decode("ascii").split(" ")
    except UnicodeDecodeError:
        raise ProxyHeaderError("the PROXY line has bytes that are no ASCII") from None
    if words[1] == "UNKNOWN":
        return ProxyHeader()  # the rest of the line is to be ignored
    if len(words) != 6 or words[1] not in _V1_VERSION:
        raise ProxyHeaderError("the PROXY line is not PROXY TCP4|TCP6 SOURCE DESTINATION PORT PORT")
    version = _V1_VERSION[words[1]]
    source, destination = (_v1_end(words[at], words[at + 2], version) for at in (2, 3))
    return ProxyHeader(source, destination)


def _v1_end(host: str, port: str, version: int) -> HostPort:
    try:
        address = ipaddress.ip_address(host)
        canonical = parse_host(host)  # refuses zones
    except (ValueError, AddressError):
        raise ProxyHeaderError("the PROXY line has an address that is none") from None
    if address.version != version:
        raise ProxyHeaderError("the PROXY line has an address of the wrong family")
    if not _V1_PORT.fullmatch(port) or int(port) > 65535:
        raise ProxyHeaderError("the PROXY line has a port that is none")
    return HostPort(canonical, int(port))


def _v2_end(buffer: bytearray) -> int | None:
    """Check the fixed part as far as it is there; return where the header ends, once that is known."""
    if len(buffer) > 12 and buffer[12] not in (_LOCAL, _PROXY):
        raise ProxyHeaderError("the PROXY header has an unknown version or command")
    if len(buffer) > 13 and buffer[12] == _PROXY and buffer[13] not in (_UNSPECIFIED, _TCP4, _TCP6):
        family = _FAMILIES.get(buffer[13], "an unknown family")
        raise ProxyHeaderError(f"the PROXY header is for {family}, and only TCP is taken")
    if len(buffer) < _V2_FIXED:
        return None
    length = int.from_bytes(buffer[14:16], "big")
    if _V2_FIXED + length > MAX_V2:
        raise ProxyHeaderError(f"the PROXY header is longer than {MAX_V2} bytes")
    if buffer[12] == _PROXY and length < _v2_addresses(buffer[13]):
        raise ProxyHeaderError("the PROXY header is too short for its addresses")
    return _V2_FIXED + length


def _v2_addresses(family: int) -> int:
    return 0 if family == _UNSPECIFIED else 2 * _ADDRESS_BYTES[family] + 4


def _decode_v2(raw: bytes) -> ProxyHeader:
    command, family = raw[12], raw[13]
    if command == _LOCAL or family == _UNSPECIFIED:
        return ProxyHeader()  # the whole block is to be ignored
    size = _ADDRESS_BYTES[family]
    addresses = raw[_V2_FIXED : _V2_FIXED + _v2_addresses(family)]
    source, destination = (ipaddress.ip_address(addresses[at : at + size]) for at in (0, size))
    ports = struct.unpack("!HH", addresses[2 * size :])
    _check_extensions(raw, _V2_FIXED + len(addresses))
    return ProxyHeader(HostPort(parse_host(str(source)), ports[0]), HostPort(parse_host(str(destination)), ports[1]))


def _check_extensions(raw: bytes, at: int) -> None:
    """Walk the type-length-value list and verify the checksum where there is one."""
    checksums = []
    while at < len(raw):
        if at + 3 > len(raw):
            raise ProxyHeaderError("the PROXY header has a broken extension")
        kind, length = struct.unpack_from("!BH", raw, at)
        at += 3
        if at + length > len(raw):
            raise ProxyHeaderError("the PROXY header has a broken extension")
        if kind == _TLV_CRC32C:
            checksums.append((at, length))
        at += length
    if not checksums:
        return
    start, length = checksums[0]
    if len(checksums) > 1 or length != 4:
        raise ProxyHeaderError("the PROXY header has a broken checksum")
    expected = int.from_bytes(raw[start : start + 4], "big")
    if _crc32c(raw[:start] + bytes(4) + raw[start + 4 :]) != expected:
        raise ProxyHeaderError("the PROXY header does not match its checksum")


_IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


def _ends(header: ProxyHeader) -> tuple[tuple[_IPAddress, int], tuple[_IPAddress, int]] | None:
    source, destination = header.source, header.destination
    if source is None and destination is None:
        return None
    if source is None or destination is None:
        raise ProxyHeaderError("a PROXY header has both ends or none")
    first, second = _ip(source), _ip(destination)
    if first.version != second.version:
        raise ProxyHeaderError("a PROXY header has both ends in one address family")
    return (first, source.port), (second, destination.port)


def _ip(end: HostPort) -> _IPAddress:
    try:
        address = ipaddress.ip_address(parse_host(end.host))
    except (ValueError, AddressError):
        raise ProxyHeaderError("an end of a PROXY header is an IP address") from None
    if not 0 <= end.port <= 65535:
        raise ProxyHeaderError("an end of a PROXY header has a port from 0 to 65535")
    return address


def _crc32c_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return tuple(table)


_CRC32C: Final = _crc32c_table()


def _crc32c(data: bytes) -> int:
    """Return the Castagnoli CRC (RFC 9260 appendix A) of *data*."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC32C[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF
