"""Hosts, ports and listen addresses."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tunnelui.text import clean
from tunnelui.wire.address import (
    AddressError,
    HostPort,
    ListenAddress,
    StdioListen,
    TCPListen,
    UnixListen,
    parse_host,
    parse_host_port,
    parse_listen,
    parse_port,
)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("db.example.com", "db.example.com"),
        ("DB.Example.COM", "db.example.com"),
        ("db.example.com.", "db.example.com"),
        ("localhost", "localhost"),
        ("my_service", "my_service"),
        ("_srv.example", "_srv.example"),
        ("a--b", "a--b"),
        ("1a", "1a"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("straße.de", "xn--strae-oqa.de"),
        ("STRAẞE.de", "xn--strae-oqa.de"),
        ("strasse.de", "strasse.de"),
        ("βόλος.com", "xn--nxasmm1c.com"),
        ("_srv.bücher.example", "_srv.xn--bcher-kva.example"),
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "::1"),
        ("[::1]", "::1"),
        ("[2001:DB8:0:0:0:0:0:1]", "2001:db8::1"),
        ("::ffff:1.2.3.4", "::ffff:1.2.3.4"),
        ("::FFFF:102:304", "::ffff:1.2.3.4"),
        ("a" * 63 + ".b", "a" * 63 + ".b"),
    ],
)
def test_hosts_in_their_normal_form(text: str, host: str) -> None:
    assert parse_host(text) == host


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "a..b",
        ".a",
        "a b",
        "a\n",
        "a\x00",
        "a/b",
        "a@b",
        "a%b",
        "-a",
        "a-",
        "a" * 64,
        "a." * 127 + "a",
        "é" * 1000,
        "1.2.3",
        "1",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "127.1",
        "1.2.3.4.5",
        "256.1.1.1",
        "010.0.0.1",
        "１２７.0.0.1",
        "ban\u212a.com",  # the Kelvin sign, whose lower case is an ASCII k
        "ｅxample.com",
        "example。com",
        "ex\u00adample.com",  # a soft hyphen
        "ex\u200dample.com",  # a joiner where nothing is to be joined
        "bu\u0308cher.example",  # in pieces: NFC has one character for it
        "①.com",
        "♥.com",
        "[::1",
        "::1]",
        "[]",
        "[a]",
        "[127.0.0.1]",
        "fe80::1%eth0",
        "[fe80::1%25eth0]",
        ":",
        "1::2::3",
        "a\ud800b",
        "℀.example",
    ],
)
def test_text_that_is_no_host(text: str) -> None:
    with pytest.raises(AddressError) as caught:
        parse_host(text)
    assert caught.value.code == "address"
    assert clean(caught.value.message, 1000) == caught.value.message


@pytest.mark.parametrize(
    ("text", "default", "address"),
    [
        ("a.example:22", None, HostPort("a.example", 22)),
        ("A.example:65535", None, HostPort("a.example", 65535)),
        ("[::1]:22", None, HostPort("::1", 22)),
        ("a.example", 443, HostPort("a.example", 443)),
        ("a.example:", 443, HostPort("a.example", 443)),
        ("[::1]", 443, HostPort("::1", 443)),
        ("[::1]:", 443, HostPort("::1", 443)),
        ("a.example:1", 443, HostPort("a.example", 1)),
    ],
)
def test_hosts_with_ports(text: str, default: int | None, address: HostPort) -> None:
    assert parse_host_port(text, default_port=default) == address


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no port"),
        ("a.example", "no port"),
        ("a.example:", "no port"),
        ("[::1]", "no port"),
        ("[::1]:", "no port"),
        (":22", "empty"),
        ("a:0", "is no port"),
        ("a:65536", "is no port"),
        ("a:ssh", "is no port"),
        ("a:-1", "is no port"),
        ("a:１", "is no port"),
        ("a: 1", "is no port"),
        ("a:000001", "is no port"),
        ("2001:db8::1:22", "several colons"),
        ("[::1]22", "between the bracket and the port"),
        ("[::1", "has no port"),
    ],
)
def test_text_that_is_no_host_with_port(text: str, words: str) -> None:
    with pytest.raises(AddressError, match=words):
        parse_host_port(text)


def test_an_ipv6_address_without_brackets_is_told_how_to_be_written() -> None:
    with pytest.raises(AddressError) as caught:
        parse_host_port("2001:db8::1:22")
    assert "brackets" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "address", "printed"),
    [
        ("-", StdioListen(), "-"),
        ("127.0.0.1:0", TCPListen("127.0.0.1", 0), "127.0.0.1:0"),
        ("localhost:6379", TCPListen("localhost", 6379), "localhost:6379"),
        ("[::1]:22", TCPListen("::1", 22), "[::1]:22"),
        (":2222", TCPListen("", 2222), ":2222"),
        (":0", TCPListen("", 0), ":0"),
        ("2222", TCPListen("127.0.0.1", 2222), "127.0.0.1:2222"),
        ("0", TCPListen("127.0.0.1", 0), "127.0.0.1:0"),
        ("unix:/run/a b.sock", UnixListen("/run/a b.sock"), "unix:/run/a b.sock"),
        ("unix:relative", UnixListen("relative"), "unix:relative"),
    ],
)
def test_listen_addresses(text: str, address: ListenAddress, printed: str) -> None:
    assert parse_listen(text) == address
    assert str(address) == printed
    assert parse_listen(printed) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "a",
        "a:",
        "a:x",
        "65536",
        "123456",
        "::1:22",
        "::1",
        "[::1]",
        "[::1",
        "[::1]x:1",
        "--",
        "unix:",
        "unix:\0",
        "a b:1",
        ":-1",
        "*:80",
    ],
)
def test_text_that_is_no_listen_address(text: str) -> None:
    with pytest.raises(AddressError):
        parse_listen(text)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("10.0.0.1", False),
        ("localhost.example.com", False),
        ("a.example", False),
        ("", False),
    ],
)
def test_loopback(host: str, loopback: bool) -> None:
    assert HostPort(host, 1).is_loopback is loopback


def test_ports_have_a_lowest_value() -> None:
    assert parse_port("0") == 0
    with pytest.raises(AddressError) as caught:
        parse_port("0", lowest=1)
    assert "from 1 to 65535" in caught.value.hint


@given(st.text(max_size=80))
@example("xn--a")
@example("\u200d.a")
@example("ß.example")
def test_a_host_is_in_its_normal_form_after_one_pass(text: str) -> None:
    try:
        host = parse_host(text)
    except AddressError:
        return
    assert parse_host(host) == host
    assert host.isascii()
    assert host == host.lower()


@given(st.text(alphabet="ab.:[]@%/-_ 012fx\x00é", max_size=30))
def test_whatever_reads_as_host_and_port_prints_and_reads_back(text: str) -> None:
    for parse in (parse_host_port, lambda text: parse_host_port(text, default_port=1)):
        try:
            address = parse(text)
        except AddressError:
            continue
        assert parse_host_port(str(address)) == address
        assert 1 <= address.port <= 65535


@given(st.ip_addresses(v=6), st.integers(1, 65535))
def test_every_ipv6_address_reads_back(ip: ipaddress.IPv6Address, port: int) -> None:
    for spelling in (str(ip), ip.exploded, ip.exploded.upper()):
        address = parse_host_port(f"[{spelling}]:{port}")
        assert ipaddress.ip_address(address.host) == ip
        assert parse_host_port(str(address)) == address


@given(st.text(max_size=40) | st.text(alphabet="[]:0129-.unix/", max_size=20))
def test_no_text_raises_anything_but_the_own_error(text: str) -> None:
    for parse in (parse_host, parse_host_port, parse_listen, parse_port):
        try:
            parse(text)
        except AddressError as error:
            assert clean(str(error), 1000) == str(error)
