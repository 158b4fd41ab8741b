"""SOCKS5, whole and byte by byte."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunnelui.wire.address import HostPort
from tunnelui.wire.socks import (
    SocksError,
    SocksGreeting,
    SocksParser,
    SocksReply,
    SocksRequest,
    render_method,
    render_reply,
)

GREETING = b"\x05\x02\x00\x02"


def parse(data: bytes, size: int) -> tuple[list[object], bytes]:
    parser = SocksParser()
    found: list[object] = []
    for at in range(0, len(data), size):
        message = parser.feed(data[at : at + size])
        while message is not None and len(found) < 2:
            found.append(message)
            message = parser.feed(b"") if len(found) < 2 else None
    return found, parser.remainder


def name(text: bytes, port: int = 5432) -> bytes:
    return b"\x05\x01\x00\x03" + bytes([len(text)]) + text + port.to_bytes(2, "big")


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize(
    ("request_", "address"),
    [
        (b"\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50", HostPort("127.0.0.1", 80)),
        (b"\x05\x01\x00\x04" + bytes(15) + b"\x01\x00\x50", HostPort("::1", 80)),
        (name(b"DB.corp.example.com"), HostPort("db.corp.example.com", 5432)),
        (name("bücher.example.com".encode(), 1), HostPort("xn--bcher-kva.example.com", 1)),
        (name(b"127.0.0.1", 65535), HostPort("127.0.0.1", 65535)),
    ],
)
def test_requests(request_: bytes, address: HostPort, size: int) -> None:
    found, rest = parse(GREETING + request_, size)
    assert found == [SocksGreeting(frozenset({0, 2})), SocksRequest(address)]
    assert rest == b""


def test_what_is_sent_ahead_is_left() -> None:
    assert parse(GREETING + name(b"db") + b"hello", 1000)[1] == b"hello"


@pytest.mark.parametrize("size", [1, 1000])
@pytest.mark.parametrize(
    ("data", "reply", "words"),
    [
        (b"\x04\x01\x00\x50\x7f\x00\x00\x01\x00", None, "SOCKS4"),
        (b"GET / HTTP/1.1", None, "first byte is 71"),
        (b"\x05\x00", None, "no method"),
        (GREETING + b"\x04\x01\x00\x01", None, "SOCKS4"),
        (GREETING + b"\x05\x02\x00\x01\x7f\x00\x00\x01\x00\x50", SocksReply.COMMAND_NOT_SUPPORTED, "CONNECT"),
        (GREETING + b"\x05\x03\x00\x01\x7f\x00\x00\x01\x00\x50", SocksReply.COMMAND_NOT_SUPPORTED, "CONNECT"),
        (GREETING + b"\x05\x01\x01\x01\x7f\x00\x00\x01\x00\x50", SocksReply.FAILURE, "reserved"),
        (GREETING + b"\x05\x01\x00\x02\x7f\x00\x00\x01\x00\x50", SocksReply.ADDRESS_NOT_SUPPORTED, "unknown kind"),
        (GREETING + b"\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x00", SocksReply.FAILURE, "port 0"),
        (GREETING + name(b""), SocksReply.ADDRESS_NOT_SUPPORTED, "name"),
        (GREETING + name(b"a b"), SocksReply.ADDRESS_NOT_SUPPORTED, "name"),
        (GREETING + name(b"a\x1b[m"), SocksReply.ADDRESS_NOT_SUPPORTED, "name"),
        (GREETING + name(b"\xff\xfe"), SocksReply.ADDRESS_NOT_SUPPORTED, "name"),
        (GREETING + name(b"x" * 255), SocksReply.ADDRESS_NOT_SUPPORTED, "name"),
        (GREETING + name(b"0x7f.1"), SocksReply.ADDRESS_NOT_SUPPORTED, "name"),
    ],
)
def test_refusals(data: bytes, reply: SocksReply | None, words: str, size: int) -> None:
    with pytest.raises(SocksError, match=words) as caught:
        parse(data, size)
    assert caught.value.reply is reply


@given(st.binary(max_size=300))
def test_nothing_else_comes_out(data: bytes) -> None:
    for given_ in (data, GREETING + data, GREETING + b"\x05\x01\x00\x03" + data):
        with contextlib.suppress(SocksError):
            parse(given_, 7)


def test_answers() -> None:
    assert render_method(0) == b"\x05\x00"
    assert render_method(None) == b"\x05\xff"
    assert render_reply(SocksReply.REFUSED) == b"\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00"
