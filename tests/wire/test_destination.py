"""Destinations: every row of pomerium-cli's behaviour, with its bugs mended."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunnelui.text import clean
from tunnelui.wire.address import HostPort
from tunnelui.wire.destination import (
    Destination,
    DestinationError,
    ProxyOrigin,
    parse_destination,
    parse_proxy_url,
)


@pytest.mark.parametrize(
    ("text", "proxy_url", "authority", "proxy"),
    [
        ("redis.example.com:6379", None, "redis.example.com:6379", "https://redis.example.com:443"),
        ("tcp+https://redis.example.com:6379", None, "redis.example.com:6379", "https://redis.example.com:443"),
        ("tcp+http://redis.example.com:6379", None, "redis.example.com:6379", "http://redis.example.com:80"),
        (
            "tcp+https://proxy.example.com:8443/redis.internal:6379",
            None,
            "redis.internal:6379",
            "https://proxy.example.com:8443",
        ),
        ("https://proxy.example.com/redis.internal:6379", None, "redis.internal:6379", "https://proxy.example.com:443"),
        ("tcp+http://proxy.example.com/redis:6379", None, "redis:6379", "http://proxy.example.com:80"),
        ("TCP+HTTPS://Redis.Example.com:6379", None, "redis.example.com:6379", "https://redis.example.com:443"),
        # the other client sends an empty target for these
        ("tcp+https://redis.example.com:6379/", None, "redis.example.com:6379", "https://redis.example.com:443"),
        ("tcp+https://redis.example.com:6379//", None, "redis.example.com:6379", "https://redis.example.com:443"),
        ("tcp+https://proxy.example.com/redis:6379/", None, "redis:6379", "https://proxy.example.com:443"),
        # and dials a host without brackets and port for these
        ("[::1]:22", None, "[::1]:22", "https://[::1]:443"),
        ("tcp+https://[2001:db8::1]:22", None, "[2001:db8::1]:22", "https://[2001:db8::1]:443"),
        ("tcp+https://[2001:db8::1]/db:5432", None, "db:5432", "https://[2001:db8::1]:443"),
        ("tcp+https://[2001:db8::1]:8443/db:5432", None, "db:5432", "https://[2001:db8::1]:8443"),
        ("tcp+https://proxy/[2001:db8::2]:22", None, "[2001:db8::2]:22", "https://proxy:443"),
        # with a proxy URL
        ("host:22", "https://p:8443", "host:22", "https://p:8443"),
        ("host:22", "http://p", "host:22", "http://p:80"),
        ("host:22", "https://p/a/path", "host:22", "https://p:443"),
        ("host:22", "https://[::1]", "host:22", "https://[::1]:443"),
        ("tcp+https://host:22", "https://p:8443", "host:22", "https://p:8443"),
        ("tcp+https://q:1/host:22", "https://p:8443", "host:22", "https://p:8443"),
        ("tcp+http://host:22", "https://p", "host:22", "https://p:443"),
        ("host:22", "", "host:22", "https://host:443"),
    ],
)
def test_destinations(text: str, proxy_url: str | None, authority: str, proxy: str) -> None:
    destination = parse_destination(text, proxy_url=proxy_url)
    assert str(destination.authority) == authority
    assert str(destination.proxy) == proxy


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no port"),
        ("redis.example.com", "no port"),
        (":22", "host is empty"),
        ("2001:db8::1:22", "several colons"),
        ("tcp+https://redis.example.com", "no port"),
        ("tcp+https://redis.example.com/", "no port"),
        ("tcp+https://proxy/redis", "no port"),
        ("tcp+https://", "no port"),
        ("tcp+https:///redis:6379", "host is empty"),
        ("tcp+https://proxy//redis:6379", "more than one part"),
        ("tcp+https://proxy/a:1/b:2", "more than one part"),
        ("ssh://h:22", "is no way to a proxy"),
        ("tcp://h:22", "is no way to a proxy"),
        ("udp+https://h:22", "is no way to a proxy"),
        ("tcp+tcp+https://h:22", "is no way to a proxy"),
        ("https+tcp://h:22", "is no way to a proxy"),
        ("://h:22", "is no way to a proxy"),
        ("tcp+https://user@h:22", "user name"),
        ("tcp+https://user:secret@h:22", "user name"),
        ("tcp+https://h:22?x=1", "query"),
        ("tcp+https://h:22#x", "fragment"),
        ("tcp+https://h\\@evil:22", "user name"),
        ("tcp+https://h\\evil:22", "backslash"),
        ("tcp+https://h:0", "is no port"),
        ("tcp+https://h:99999", "is no port"),
        ("tcp+https://p:99999/h:22", "is no port"),
        ("tcp+https://p/h%00:22", "is no host name"),
        ("h\x1b]0;x\x07:22", "is no host name"),
        (" h:22", "is no host name"),
        ("2130706433:22", "full IPv4"),
    ],
)
def test_text_that_is_no_destination(text: str, words: str) -> None:
    with pytest.raises(DestinationError, match=words) as caught:
        parse_destination(text)
    assert caught.value.hint
    assert clean(str(caught.value), 1000) == str(caught.value)


def test_udp_routes_are_named_as_such() -> None:
    with pytest.raises(DestinationError) as caught:
        parse_destination("udp+https://h:22")
    assert "UDP" in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "p.example.com",
        "p.example.com:443",
        "ftp://p",
        "tcp://p",
        "https://",
        "https:///x",
        "https://p:x",
        "https://a@p",
    ],
)
def test_text_that_is_no_proxy_url(text: str) -> None:
    with pytest.raises(DestinationError):
        parse_proxy_url(text)
    with pytest.raises(DestinationError):
        parse_destination("host:22", proxy_url=text)


def test_a_proxy_url_without_scheme_is_told_how_to_be_written() -> None:
    with pytest.raises(DestinationError) as caught:
        parse_proxy_url("p.example.com:443")
    assert "https://p.example.com:443" in caught.value.hint


@pytest.mark.parametrize(
    ("origin", "url"),
    [
        (ProxyOrigin("https", "p.example", 443), "https://p.example"),
        (ProxyOrigin("https", "p.example", 8443), "https://p.example:8443"),
        (ProxyOrigin("https", "p.example", 80), "https://p.example:80"),
        (ProxyOrigin("http", "p.example", 80), "http://p.example"),
        (ProxyOrigin("https", "::1", 443), "https://[::1]"),
        (ProxyOrigin("https", "::1", 8443), "https://[::1]:8443"),
    ],
)
def test_the_url_of_an_origin_leaves_the_default_port_out(origin: ProxyOrigin, url: str) -> None:
    assert origin.url == url
    assert parse_proxy_url(url) == origin
    assert parse_proxy_url(str(origin)) == origin


def test_a_destination_prints_its_proxy_only_where_that_is_needed() -> None:
    assert str(parse_destination("tcp+https://a:1")) == "a:1"
    assert str(parse_destination("tcp+https://a:443/a:1")) == "a:1"
    assert str(parse_destination("a:1", proxy_url="https://p")) == "tcp+https://p/a:1"
    assert str(parse_destination("tcp+http://a:1")) == "tcp+http://a/a:1"
    assert not parse_destination("a:1").is_bastion


HOSTS = st.from_regex(r"[a-z]([a-z0-9-]{0,10}[a-z0-9])?(\.[a-z]{2,5})?", fullmatch=True) | st.ip_addresses(v=6).map(
    lambda ip: parse_proxy_url(f"https://[{ip}]").host
)
PORTS = st.integers(1, 65535)


@given(
    st.builds(
        Destination,
        st.builds(HostPort, HOSTS, PORTS),
        st.builds(ProxyOrigin, st.sampled_from(["https", "http"]), HOSTS, PORTS),
    )
)
def test_every_destination_reads_back(destination: Destination) -> None:
    assert parse_destination(str(destination)) == destination


@given(st.text(max_size=40), st.sampled_from(["", "tcp+https://", "https://", "tcp+http://p/", "tcp+https://p:1/"]))
def test_no_text_raises_anything_but_the_own_error(text: str, start: str) -> None:
    try:
        destination = parse_destination(start + text)
    except DestinationError as error:
        assert clean(str(error), 1000) == str(error)
    else:
        assert parse_destination(str(destination)) == destination
