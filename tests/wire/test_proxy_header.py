"""PROXY protocol, versions 1 and 2."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tunnelui.wire.address import HostPort
from tunnelui.wire.proxy_header import (
    MAX_V1,
    MAX_V2,
    ProxyHeader,
    ProxyHeaderError,
    ProxyHeaderParser,
    encode_v1,
    encode_v2,
)

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
V4 = ProxyHeader(HostPort("192.0.2.1", 56324), HostPort("198.51.100.2", 443))
V6 = ProxyHeader(HostPort("2001:db8::1", 0), HostPort("::ffff:192.0.2.1", 65535))
V4_BLOCK = bytes([192, 0, 2, 1, 198, 51, 100, 2]) + struct.pack("!HH", 56324, 443)


def v2(command: int, family: int, block: bytes, *, length: int | None = None) -> bytes:
    return SIGNATURE + struct.pack("!BBH", command, family, len(block) if length is None else length) + block


def extension(kind: int, value: bytes) -> bytes:
    return struct.pack("!BH", kind, len(value)) + value


def parse(data: bytes) -> ProxyHeader:
    header = ProxyHeaderParser().feed(data)
    assert header is not None
    return header


@pytest.mark.parametrize(
    ("data", "header"),
    [
        (b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n", V4),
        (b"PROXY TCP6 2001:DB8::1 ::ffff:192.0.2.1 0 65535\r\n", V6),
        (b"PROXY UNKNOWN\r\n", ProxyHeader()),
        (b"PROXY UNKNOWN ffff::1 whatever it is\r\n", ProxyHeader()),
        (b"PROXY UNKNOWN " + b"f" * (MAX_V1 - 16) + b"\r\n", ProxyHeader()),
        (
            b"PROXY TCP6 " + b"ffff:" * 7 + b"ffff " + b"ffff:" * 7 + b"ffff 65535 65535\r\n",
            ProxyHeader(HostPort("ffff:" * 7 + "ffff", 65535), HostPort("ffff:" * 7 + "ffff", 65535)),
        ),
    ],
)
def test_version_1_lines_that_are_taken(data: bytes, header: ProxyHeader) -> None:
    assert parse(data) == header


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n",
        b"\x16\x03\x01",
        b"proxy TCP4",
        b"PROXY\r\n",
        b"PROXY \r\n",
        b"PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n",
        b"PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
        b"PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
        b"PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n",
        b"PROXY TCP4 192.0.2 192.0.2.2 1 2\r\n",
        b"PROXY TCP4 a.example 192.0.2.2 1 2\r\n",
        b"PROXY TCP4 ::1 ::1 1 2\r\n",
        b"PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
        b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
        b"PROXY TCP6 [::1] ::1 1 2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n\r\n",
        b"PROXY TCP4 192.0.2.\xb2 192.0.2.2 1 2\r\n",
        b"PROXY UNKNOWN " + b"f" * (MAX_V1 - 15) + b"\r\n",
        b"PROXY UNKNOWN " + b"f" * MAX_V1,
    ],
)
def test_version_1_lines_that_are_rejected(data: bytes) -> None:
    with pytest.raises(ProxyHeaderError) as caught:
        ProxyHeaderParser().feed(data)
    assert caught.value.code == "proxy_header"


@pytest.mark.parametrize(
    ("data", "header"),
    [
        (v2(0x21, 0x11, V4_BLOCK), V4),
        (v2(0x21, 0x11, V4_BLOCK + extension(0x02, b"a.example") + extension(0x04, b"")), V4),
        (v2(0x20, 0x00, b""), ProxyHeader()),
        (v2(0x20, 0x31, b"ignored"), ProxyHeader()),
        (v2(0x21, 0x00, b"ignored"), ProxyHeader()),
        (v2(0x21, 0x11, V4_BLOCK + extension(0x04, bytes(MAX_V2 - 16 - 12 - 3))), V4),
    ],
)
def test_version_2_headers_that_are_taken(data: bytes, header: ProxyHeader) -> None:
    assert parse(data) == header


@pytest.mark.parametrize(
    "data",
    [
        SIGNATURE[:-1] + b"x",
        v2(0x11, 0x11, V4_BLOCK),
        v2(0x31, 0x11, V4_BLOCK),
        v2(0x22, 0x11, V4_BLOCK),
        v2(0x21, 0x11, V4_BLOCK[:-1]),
        v2(0x21, 0x21, bytes(35)),
        v2(0x21, 0x11, V4_BLOCK + b"\x04\x00"),
        v2(0x21, 0x11, V4_BLOCK + b"\x04\x00\x02x"),
        v2(0x21, 0x11, V4_BLOCK, length=MAX_V2 - 15),
        v2(0x20, 0x00, b"", length=0xFFFF),
        v2(0x21, 0x11, V4_BLOCK + extension(0x03, b"\x00\x00\x00\x00")),
        v2(0x21, 0x11, V4_BLOCK + extension(0x03, b"")),
    ],
)
def test_version_2_headers_that_are_rejected(data: bytes) -> None:
    with pytest.raises(ProxyHeaderError):
        ProxyHeaderParser().feed(data)


@pytest.mark.parametrize(
    ("family", "words"),
    [
        (0x12, "UDP over IPv4"),
        (0x22, "UDP over IPv6"),
        (0x31, "Unix stream"),
        (0x32, "Unix datagram"),
        (0x10, "unknown family"),
        (0x41, "unknown family"),
    ],
)
def test_other_families_are_rejected_with_a_reason_before_their_addresses_come(family: int, words: str) -> None:
    with pytest.raises(ProxyHeaderError, match=words):
        ProxyHeaderParser().feed(SIGNATURE + bytes([0x21, family]))


def test_the_checksum_is_that_of_the_specification() -> None:
    assert crc32c_bitwise(b"123456789") == 0xE3069283  # the check value in every catalogue of CRCs
    good = encode_v2(V4, checksum=True)
    assert good[-4:] == crc32c_bitwise(good[:-4] + bytes(4)).to_bytes(4, "big")
    assert parse(good) == V4
    for place in set(range(16, len(good))) - {len(good) - 7}:  # there, the extension would be of another type
        bad = bytearray(good)
        bad[place] ^= 1
        with pytest.raises(ProxyHeaderError):
            ProxyHeaderParser().feed(bytes(bad))


def crc32c_bitwise(data: bytes) -> int:
    """The textbook form: most significant bit first, with reflected input and output."""

    def reflect(value: int, width: int) -> int:
        return int(f"{value:0{width}b}"[::-1], 2)

    register = 0xFFFFFFFF
    for byte in data:
        register ^= reflect(byte, 8) << 24
        for _ in range(8):
            register = (register << 1 ^ (0x1EDC6F41 if register & 0x80000000 else 0)) & 0xFFFFFFFF
    return reflect(register, 32) ^ 0xFFFFFFFF


def test_two_checksums_are_rejected() -> None:
    good = encode_v2(V4, checksum=True)
    twice = bytearray(good + good[-7:])
    twice[14:16] = struct.pack("!H", len(twice) - 16)
    with pytest.raises(ProxyHeaderError, match="broken checksum"):
        ProxyHeaderParser().feed(bytes(twice))


def test_a_broken_parser_stays_broken() -> None:
    parser = ProxyHeaderParser()
    with pytest.raises(ProxyHeaderError):
        parser.feed(b"G")
    with pytest.raises(ProxyHeaderError):
        parser.feed(b"PROXY UNKNOWN\r\n")
    assert parser.remainder == b""


def test_encoded_lines_are_those_of_the_specification() -> None:
    assert encode_v1(V4) == b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"
    assert encode_v1(ProxyHeader()) == b"PROXY UNKNOWN\r\n"
    assert encode_v2(V4) == v2(0x21, 0x11, V4_BLOCK)
    assert encode_v2(ProxyHeader()) == v2(0x20, 0x00, b"")


@pytest.mark.parametrize(
    "header",
    [
        ProxyHeader(HostPort("192.0.2.1", 1), None),
        ProxyHeader(None, HostPort("192.0.2.1", 1)),
        ProxyHeader(HostPort("192.0.2.1", 1), HostPort("::1", 1)),
        ProxyHeader(HostPort("a.example", 1), HostPort("192.0.2.1", 1)),
        ProxyHeader(HostPort("192.0.2.1\r\n", 1), HostPort("192.0.2.1", 1)),
        ProxyHeader(HostPort("fe80::1%eth0", 1), HostPort("::1", 1)),
        ProxyHeader(HostPort("192.0.2.1", 65536), HostPort("192.0.2.1", 1)),
        ProxyHeader(HostPort("192.0.2.1", 1), HostPort("192.0.2.1", -1)),
    ],
)
def test_values_that_are_no_header_are_refused(header: ProxyHeader) -> None:
    with pytest.raises(ProxyHeaderError):
        encode_v1(header)
    with pytest.raises(ProxyHeaderError):
        encode_v2(header)


PORTS = st.integers(0, 65535)


@st.composite
def headers(draw: st.DrawFn) -> ProxyHeader:
    addresses = draw(st.sampled_from([st.ip_addresses(v=4), st.ip_addresses(v=6)]))
    # Through the parser once, so that IPv4 addresses in IPv6 clothing are in their normal form.
    first, second = (HostPort(str(draw(addresses)), draw(PORTS)) for _ in range(2))
    return draw(st.sampled_from([parse(encode_v2(ProxyHeader(first, second))), ProxyHeader()]))


@given(headers(), st.booleans(), st.binary(max_size=20))
def test_encoded_headers_read_back(header: ProxyHeader, checksum: bool, rest: bytes) -> None:
    for raw in (encode_v1(header), encode_v2(header, checksum=checksum)):
        parser = ProxyHeaderParser()
        assert parser.feed(raw + rest) == header
        assert parser.remainder == rest
        assert parser.feed(b"more") == header
        assert parser.remainder == rest + b"more"
    assert len(encode_v1(header)) <= MAX_V1
    assert len(encode_v2(header, checksum=checksum)) <= MAX_V2


def outcome(pieces: list[bytes]) -> object:
    parser = ProxyHeaderParser()
    header = None
    try:
        for piece in pieces:
            header = parser.feed(piece)
    except ProxyHeaderError as error:
        return str(error)
    return header, parser.remainder


SOUP = st.lists(
    st.sampled_from(
        [
            SIGNATURE,
            b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
            b"PROXY ",
            b"TCP6 ::1 ::1",
            b" 1",
            b"\r\n",
            b"\r",
            b"\x21\x11\x00\x0c",
            b"\x21\x11\x00\x13",
            b"\x20\x00\x00\x02",
            b"\x03\x00\x04",
            bytes(12),
            bytes(90),
        ]
    )
    | st.binary(max_size=6),
    max_size=8,
).map(b"".join)


@given(SOUP, st.lists(st.integers(0, 600), max_size=10))
@example(b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nrest", list(range(40)))
@example(v2(0x21, 0x11, V4_BLOCK) + b"rest", list(range(40)))
def test_any_split_gives_the_same_result(data: bytes, at: list[int]) -> None:
    ends = [0, *sorted({place % (len(data) + 1) for place in at}), len(data)]
    assert outcome([data[start:end] for start, end in pairwise(ends)]) == outcome([data])


@given(st.binary(max_size=100))
def test_no_bytes_raise_anything_but_the_own_error(tail: bytes) -> None:
    for start in (b"", b"PROXY ", b"PROXY TCP4 ", SIGNATURE, SIGNATURE + b"\x21\x11\x00", SIGNATURE + b"\x21\x21\x00"):
        outcome([start + tail])
        outcome([start + tail + b"\r\n"])
