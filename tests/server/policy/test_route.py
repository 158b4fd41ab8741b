"""Routes, the table of authorities, and the addresses that no name may lead to."""

from __future__ import annotations

import ipaddress

import pytest

from tunnelui.wire.address import HostPort
from tunnelui_server.policy import Route, RouteTable, normalise_domain
from tunnelui_server.policy.route import is_special_address

A, B, TO = HostPort("a.example.com", 1), HostPort("b.example.com", 2), HostPort("127.0.0.1", 9)


def test_the_table_finds_by_host_and_port_alone() -> None:
    route = Route("x", (A, B), TO)
    table = RouteTable([route])
    assert table.find(A) is table.find(B) is route
    assert table.find(HostPort("a.example.com", 2)) is None
    assert table.find(TO) is None


def test_the_id_depends_on_from_alone() -> None:
    assert Route("x", (A,), TO).id == Route("x", (B,), A, name="n").id
    assert Route("x", (A,), TO).id != Route("y", (A,), TO).id


@pytest.mark.parametrize(
    "text", ["127.0.0.1", "10.0.0.1", "192.168.1.1", "8.8.8.8", "::1", "fd00::1", "64:ff9b::808:808"]
)
def test_ordinary_addresses(text: str) -> None:
    assert not is_special_address(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    "text",
    [
        "169.254.169.254",
        "fe80::1",
        *("0.0.0.0", "::", "255.255.255.255", "224.0.0.1", "ff02::1"),  # nobody's, everybody's
        *("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"),  # clouds
        *("::ffff:169.254.169.254", "2002:a9fe:a9fe::1", "64:ff9b::a9fe:a9fe", "64:ff9b::6464:64c8"),  # in disguise
    ],
)
def test_special_addresses(text: str) -> None:
    address = ipaddress.ip_address(text)
    assert is_special_address(address)
    assert not Route("x", (A,), TO).may_dial(address)
    assert Route("x", (A,), TO, allow_private_special=True).may_dial(address)


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("Example.COM", "example.com"),
        ("example.com.", "example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("straße.example", "xn--strae-oqa.example"),  # IDNA 2003 would make it strasse.example, somebody else's
        ("ban\u212a.example", None),
        ("ｅxample.com", None),
        ("[::1]", None),
        ("127.0.0.1", None),
        ("a b", None),
        ("", None),
    ],
)
def test_a_domain_in_normal_form(text: str, domain: str | None) -> None:
    assert normalise_domain(text) == domain
