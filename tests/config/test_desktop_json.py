"""Pomerium Desktop's exports, good and bad."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunnelui.config.desktop_json import DesktopTls, read_desktop_json, write_desktop_json
from tunnelui.config.route import Route
from tunnelui.config.route_rules import check_route
from tunnelui.errors import ConfigError
from tunnelui.wire.destination import parse_destination

TYPE = "type.googleapis.com/pomerium.cli.Records"
EXPORT = """{
  "@type": "type.googleapis.com/pomerium.cli.Records",
  "records": [
    {"tags": ["prod", "db"],
     "conn": {"name": "Orders", "protocol": "TCP", "remoteAddr": "orders.corp.example.com:5432",
              "listenAddr": "127.0.0.1:5432", "pomeriumUrl": "https://proxy.corp.example.com:8443", "autostart": true}},
    {"conn": {"name": "Cache", "remote_addr": "redis.corp.example.com:6379", "listen_addr": ":6379",
              "client_cert": {"cert": "LS0=", "key": "c2VjcmV0LWtleQ=="}}},
    {"conn": {"name": "DNS", "protocol": "UDP", "remoteAddr": "dns.corp.example.com:53"}},
    {"source": "portal-route-abc", "conn": {"name": "Again", "remoteAddr": "redis.corp.example.com:6379",
              "listenAddr": ":6379"}}
  ]
}
"""


def export(*records: dict[str, Any]) -> str:
    return json.dumps({"@type": TYPE, "records": list(records)})


def one(**connection: Any) -> str:
    return export({"conn": {"name": "x", "remoteAddr": "x.example.com:1", **connection}})


def test_an_export_is_taken_over() -> None:
    found = read_desktop_json(EXPORT)
    assert found.routes == (
        Route(
            "Orders",
            "orders.corp.example.com:5432",
            "127.0.0.1:5432",
            proxy_url="https://proxy.corp.example.com:8443",
            tags=("prod", "db"),
            autostart=True,
        ),
        Route("Cache", "redis.corp.example.com:6379", ":6379"),
    )
    notes = "\n".join(found.notes)
    assert "clientCert was left out" in notes
    assert "UDP is not carried" in notes
    assert "says the same" in notes
    assert "secret" not in repr(found)
    assert "c2VjcmV0" not in repr(found)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "f:1"),
        ("[]", "f"),
        ("{}", "f"),
        ('{"@type": "other", "records": []}', "f"),
        ('{"records": {}}', "f, records"),
        ("[" * 100_000, "f"),
        (export({"conn": {"name": "x"}}), "f, record 1, conn.remoteAddr"),
        (one(remoteAddr="no destination"), "f, record 1, conn.remoteAddr"),
        (one(remoteAddr=7), "f, record 1, conn.remoteAddr"),
        (one(pomeriumUrl="nothing"), "f, record 1, conn.pomeriumUrl"),
        (one(autostart="yes"), "f, record 1, conn.autostart"),
        (export({"conn": []}), "f, record 1, conn"),
        (export({"tags": "x", "conn": {"remoteAddr": "a.example.com:1"}}), "f, record 1, tags"),
        ('{"records": [1]}', "f, record 1"),
    ],
)
def test_what_is_none_is_refused_with_its_place(text: str, place: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_desktop_json(text, "f")
    assert caught.value.place == place


@pytest.mark.parametrize(
    ("listen", "kept"),
    [
        ("", ""),
        (":5000", ":5000"),
        ("127.0.0.1", "127.0.0.1:0"),
        ("::1", "[::1]:0"),
        ("[::1]:5", "[::1]:5"),
        ("what", ""),
        ("-", ""),
    ],
)
def test_local_addresses(listen: str, kept: str) -> None:
    assert read_desktop_json(one(listenAddr=listen)).routes[0].listen == kept


def test_names_and_tags_become_such_as_can_be_kept() -> None:
    records = [
        {"conn": {"name": name, "remoteAddr": f"h{number}.example.com:1"}}
        for number, name in enumerate(["a/b", "a/b", "", "\x1b[31mred", "-x", "n" * 10_000, "/", "\u202eabc"])
    ]
    routes = read_desktop_json(
        export(*records, {"tags": ["a", "a", "\x1b", "b,c"], "conn": {"remoteAddr": "z:1"}})
    ).routes
    assert [route.name for route in routes[:3]] == ["a-b", "a-b-2", "h2.example.com:1"]
    assert len({route.name for route in routes}) == len(routes) == 9
    assert routes[-1].tags == ("a",)
    many = read_desktop_json(export({"tags": [f"t{n}" for n in range(20)], "conn": {"remoteAddr": "z:1"}}))
    assert len(many.routes[0].tags) == 16
    assert [note.partition(": ")[2] for note in many.notes] == ["only its first 16 tags are kept"]
    for route in routes:
        check_route(route)


FULL = {
    "id": "5f0c7a3e-7d1c-4f0a-9a52-0b9a3f5ad7a1",
    "tags": ["admin", "db"],
    "source": "portal-route-c7cc6f3995e8c6e4",
    "conn": {
        "name": "Example",
        "protocol": "TCP",
        "remoteAddr": "example.com:5000",
        "listenAddr": "127.0.0.1:5000",
        "pomeriumUrl": "https://proxy.corp.example.com:8443",
        "disableTlsVerification": True,
        "caCert": base64.b64encode(b"the authority").decode(),
        "clientCert": {
            "cert": base64.b64encode(b"the certificate").decode(),
            "key": base64.b64encode(b"the private key").decode(),
            "info": {"version": "3", "serial": "1", "issuer": {"commonName": "x"}},
        },
        "clientCertFromStore": {"issuerFilter": "CN=x", "subjectFilter": "O=y"},
        "autostart": True,
    },
}


def snake(value: Any) -> Any:
    """The other spelling that the format allows."""
    if isinstance(value, dict):
        return {re.sub("[A-Z]", lambda match: f"_{match[0].lower()}", key): snake(item) for key, item in value.items()}
    return value


@pytest.mark.parametrize("record", [FULL, snake(FULL)], ids=["camelCase", "snake_case"])
@pytest.mark.parametrize("form", ["pretty", "compact"])
def test_everything_that_an_export_can_hold(record: dict[str, Any], form: str) -> None:
    indent, separators = (2, None) if form == "pretty" else (None, (",", ":"))
    text = json.dumps({"@type": TYPE, "records": [record]}, indent=indent, separators=separators)
    route = Route(
        "Example",
        "example.com:5000",
        "127.0.0.1:5000",
        proxy_url="https://proxy.corp.example.com:8443",
        tags=("admin", "db"),
        autostart=True,
    )
    found = read_desktop_json(text)
    assert found.routes == (route,)
    assert [note.split()[1] for note in found.notes] == [
        "disableTlsVerification",
        "caCert",
        "clientCert",
        "clientCertFromStore",
    ]
    assert found.tls == ()
    asked = read_desktop_json(text, with_tls=True)
    assert asked.routes == (route,)
    assert asked.tls == (DesktopTls("Example", False, b"the authority", b"the certificate", b"the private key"),)
    assert [note.split()[1] for note in asked.notes] == ["clientCertFromStore"]
    assert "private" not in repr(asked)


@pytest.mark.parametrize("value", [None, "null"])
def test_null_is_as_good_as_absent(value: Any) -> None:
    nothing = dict.fromkeys(("listenAddr", "pomeriumUrl", "caCert", "clientCert", "autostart", "protocol", "name"))
    text = export({"id": None, "tags": None, "source": None, "conn": {"remoteAddr": "a.example.com:1", **nothing}})
    found = read_desktop_json(text, with_tls=True)
    assert (found.routes, found.notes, found.tls) == ((Route("a.example.com:1", "a.example.com:1"),), (), ())
    with pytest.raises(ConfigError, match="needs remoteAddr"):
        read_desktop_json(export({"conn": None}))


@pytest.mark.parametrize(
    ("record", "note"),
    [
        ({"tags": ["spare"]}, "record 2: left out: a connection needs remoteAddr (record 2, conn.remoteAddr)"),
        ({"conn": {"name": "y", "remoteAddr": ""}}, "y: left out: a connection needs remoteAddr"),
        ({"conn": {"name": "y", "remoteAddr": "db.example.com"}}, "y: left out: "),
        ({"conn": {"name": "y", "remoteAddr": "udp+https://dns.example.com:53"}}, "y: left out: “udp+https://”"),
        ({"conn": {"name": "y", "remoteAddr": "y.example.com:1", "pomeriumUrl": "proxy.example.com"}}, "y: left out: "),
    ],
)
def test_one_record_that_leads_nowhere_holds_up_no_other(record: dict[str, Any], note: str) -> None:
    """That program saves whatever is typed."""
    found = read_desktop_json(export({"conn": {"remoteAddr": "a.example.com:1"}}, record))
    assert [route.destination for route in found.routes] == ["a.example.com:1"]
    assert len(found.notes) == 1
    assert found.notes[0].startswith(note)


@pytest.mark.parametrize(
    ("protocol", "left_out"),
    [
        (0, ""),
        (1, ""),
        ("TCP", ""),
        ("UNKNOWN", ""),
        ("", ""),
        (2, "UDP"),
        ("UDP", "UDP"),
        (7, "protocol 7"),
        ("SSH", "SSH"),
    ],
)
def test_a_protocol_may_be_a_number_or_one_of_a_newer_version(protocol: int | str, left_out: str) -> None:
    found = read_desktop_json(one(protocol=protocol))
    assert len(found.routes) == (not left_out)
    assert found.notes == ((f"x: left out: {left_out} is not carried",) if left_out else ())


@pytest.mark.parametrize("protocol", [True, False, 1.5, [], {}])
def test_other_values_are_no_protocol(protocol: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        read_desktop_json(one(protocol=protocol), "f")
    assert caught.value.place == "f, record 1, conn.protocol"


@pytest.mark.parametrize(
    "other",
    [
        "X.Example.COM:1",
        "tcp+https://x.example.com:1",
        "https://x.example.com:1",
        "tcp+https://x.example.com/x.example.com:1",
    ],
)
def test_the_same_way_in_another_spelling_is_no_second_route(other: str) -> None:
    found = read_desktop_json(export({"conn": {"remoteAddr": "x.example.com:1"}}, {"conn": {"remoteAddr": other}}))
    assert len(found.routes) == 1
    elsewhere = {"conn": {"remoteAddr": "x.example.com:1", "pomeriumUrl": "https://p.example.com"}}
    assert len(read_desktop_json(export({"conn": {"remoteAddr": other}}, elsewhere)).routes) == 2


@pytest.mark.parametrize("text", ["+/+/", "-_-_", "+/+/+w==", "-_-_-w==", "-_-_-w", "+/+/+w"])
def test_bytes_may_be_in_either_alphabet_without_padding(text: str) -> None:
    (tls,) = read_desktop_json(one(caCert=text), with_tls=True).tls
    assert tls.ca.startswith(b"\xfb\xff\xbf")


@pytest.mark.parametrize("key", [{"caCert": "???"}, {"caCert": "a"}, {"clientCert": {"key": "a"}}, {"clientCert": []}])
def test_keys_that_are_none_are_refused_with_their_place(key: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="record 1, conn"):
        read_desktop_json(one(**key), with_tls=True)


def test_unknown_keys_are_named_once() -> None:
    records = [{"conn": {"remoteAddr": f"h{n}.example.com:1", "colour": "red"}, "mood": n} for n in range(5)]
    found = read_desktop_json(export(*records))
    assert len(found.routes) == 5
    assert found.notes == (
        "record 1, record 2, record 3 and 2 more: “mood” is not known and was left out",
        "record 1, record 2, record 3 and 2 more: “conn.colour” is not known and was left out",
    )


@given(
    st.lists(
        st.builds(
            Route,
            st.text("abc ", min_size=1, max_size=8).filter(lambda name: name == name.strip()),
            st.integers(1, 65535).map(lambda port: f"h.example.com:{port}"),
            st.sampled_from(["", ":1", "127.0.0.1:2"]),
            tags=st.sampled_from([(), ("x",), ("x", "y")]),
            autostart=st.booleans(),
        ),
        unique_by=(lambda route: route.name, lambda route: route.destination),
        max_size=5,
    )
)
def test_what_was_written_reads_the_same(routes: list[Route]) -> None:
    text = write_desktop_json(routes, way_of=lambda route: parse_destination(route.destination))
    assert read_desktop_json(text).routes == tuple(routes)
