"""Exports of Pomerium Desktop in the shape that each of its versions gives them, and ours held against its rules.

The shape is protojson's: what is not set is left out, a choice that was set to its default is not (``tls_options`` is
one), bytes are base64, 64-bit numbers are text, times are RFC 3339, and the space between tokens is of no account. The
program compiles against one list of keys and refuses a file with any other (pomerium/cli: proto/api.proto and
api/import_export.go; pomerium/desktop-client: src/renderer/pages). The values here are made up.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any, Final

import pytest

from tunnelui.config.desktop_json import DesktopTls, read_desktop_json, write_desktop_json
from tunnelui.config.route import Route
from tunnelui.wire.destination import Destination, parse_destination

TYPE: Final = "type.googleapis.com/pomerium.cli.Records"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


INFO: Final = {
    "version": "3",
    "serial": "92233720368547758081",
    "issuer": {"organization": ["Corp"], "commonName": "Corp CA"},
    "subject": {"commonName": "alice@example.com"},
    "notBefore": "2026-01-01T00:00:00Z",
    "notAfter": "2027-01-01T00:00:00.500Z",
    "keyUsage": {"digitalSignature": True, "clientAuth": True},
    "emailAddresses": ["alice@example.com"],
}
CERTIFICATE, KEY, AUTHORITY = "-----BEGIN CERTIFICATE-----\nAA>?\n", "-----BEGIN PRIVATE KEY-----\n", "the authority"

# What was saved how; the record; the route; what the notes tell of; and the TLS settings on demand.
RECORDS: Final[dict[str, tuple[dict[str, Any], Route | None, tuple[str, ...], DesktopTls | None]]] = {
    "the form, nothing but what must be filled in": (
        {"conn": {"name": "Orders", "remoteAddr": "orders.corp.example.com:5432", "disableTlsVerification": False}},
        Route("Orders", "orders.corp.example.com:5432"),
        (),
        None,
    ),
    "the form, everything filled in": (
        {
            "tags": ["team a", "prod/eu", "Ünïcode"],
            "source": "",
            "conn": {
                "name": "Orders & co. 📦 <b>",
                "remoteAddr": "tcp+https://proxy.corp.example.com:8443/orders.internal:5432",
                "listenAddr": "127.0.0.1:15432",
                "pomeriumUrl": "https://proxy.corp.example.com:8443",
                "disableTlsVerification": True,
                "autostart": True,
            },
        },
        Route(
            "Orders & co. 📦 <b>",
            "tcp+https://proxy.corp.example.com:8443/orders.internal:5432",
            "127.0.0.1:15432",
            proxy_url="https://proxy.corp.example.com:8443",
            tags=("team a", "prod/eu", "Ünïcode"),
            autostart=True,
        ),
        ("disableTlsVerification",),
        DesktopTls("Orders & co. 📦 <b>", verify=False),
    ),
    "texts that were emptied again": (
        {"conn": {"name": "", "remoteAddr": "a.example.com:1", "listenAddr": "", "pomeriumUrl": "", "caCert": ""}},
        Route("a.example.com:1", "a.example.com:1"),
        (),
        None,
    ),
    "loaded from a portal": (
        {
            "source": "portal-route-1b9c",
            "conn": {"name": "cache", "protocol": "TCP", "remoteAddr": "cache.corp.example.com:6379"},
        },
        Route("cache", "cache.corp.example.com:6379"),
        (),
        None,
    ),
    "loaded from a portal, behind another host, whose URL has a path": (
        {
            "source": "portal-route-77aa",
            "conn": {
                "name": "cache",
                "protocol": "TCP",
                "remoteAddr": "cache.internal:6379",
                "pomeriumUrl": "https://proxy.corp.example.com:8443/cache.internal:6379",
            },
        },
        Route("cache", "cache.internal:6379", proxy_url="https://proxy.corp.example.com:8443"),
        (),
        None,
    ),
    "UDP, loaded from a portal": (
        {"source": "portal-route-9", "conn": {"name": "dns", "protocol": "UDP", "remoteAddr": "dns.example.com:53"}},
        None,
        ("UDP is not carried",),
        None,
    ),
    "an authority and a certificate from files": (
        {
            "conn": {
                "name": "x",
                "remoteAddr": "x.example.com:1",
                "caCert": b64(AUTHORITY),
                "clientCert": {"cert": b64(CERTIFICATE), "key": b64(KEY), "info": INFO},
            }
        },
        Route("x", "x.example.com:1"),
        ("caCert", "clientCert"),
        DesktopTls("x", ca=AUTHORITY.encode(), cert=CERTIFICATE.encode(), key=KEY.encode()),
    ),
    "a certificate that can't be read": (
        {
            "conn": {
                "name": "x",
                "remoteAddr": "x.example.com:1",
                "clientCert": {"cert": b64("junk"), "info": {"error": "parsing cert: no PEM"}},
            }
        },
        Route("x", "x.example.com:1"),
        ("clientCert",),
        DesktopTls("x", cert=b"junk"),
    ),
    "any certificate of the system's store": (
        {"conn": {"name": "x", "remoteAddr": "x.example.com:1", "clientCertFromStore": {}}},
        Route("x", "x.example.com:1"),
        ("clientCertFromStore",),
        None,
    ),
    "a certificate of the system's store, chosen": (
        {"conn": {"name": "x", "remoteAddr": "x.example.com:1", "clientCertFromStore": {"issuerFilter": "CN=Corp"}}},
        Route("x", "x.example.com:1"),
        ("clientCertFromStore",),
        None,
    ),
    "an early version's certificate": (
        {
            "conn": {
                "name": "x",
                "remoteAddr": "x.example.com:1",
                "tlsClientCert": b64(CERTIFICATE),
                "tlsClientKey": b64(KEY),
            }
        },
        Route("x", "x.example.com:1"),
        ("tlsClientCert",),
        DesktopTls("x", cert=CERTIFICATE.encode(), key=KEY.encode()),
    ),
    "an early version's certificate of the system's store": (
        {"conn": {"name": "x", "remoteAddr": "x.example.com:1", "clientCertIssuerCn": "Corp CA"}},
        Route("x", "x.example.com:1"),
        ("clientCertIssuerCn",),
        None,
    ),
    "its own settings file, which has ids": (
        {"id": "114acc22-c18f-4326-8606-425acc2b3eb5", "tags": ["t"], "conn": {"name": "x", "remoteAddr": "x:1"}},
        Route("x", "x:1", tags=("t",)),
        (),
        None,
    ),
}


def snake(value: Any) -> Any:
    """The spelling of the schema, which is as good when something is read."""
    if isinstance(value, dict):
        return {re.sub("[A-Z]", lambda match: f"_{match[0].lower()}", key): snake(item) for key, item in value.items()}
    return [snake(item) for item in value] if isinstance(value, list) else value


FORMS: Final = {
    "pretty": lambda value: json.dumps(value, indent=2, ensure_ascii=False),
    "pretty, two spaces": lambda value: json.dumps(value, indent=2, ensure_ascii=False, separators=(",", ":  ")),
    "compact": lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":")),
    "compact, a space after commas": lambda value: json.dumps(value, ensure_ascii=False, separators=(", ", ":")),
    "snake_case": lambda value: json.dumps(snake(value)),
    "with a byte order mark": lambda value: "\ufeff" + json.dumps(value),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("how", RECORDS)
def test_what_each_version_writes_is_taken_over(how: str, form: str) -> None:
    record, route, told, tls = RECORDS[how]
    text = FORMS[form]({"@type": TYPE, "records": [record]})
    found = read_desktop_json(text, "f")
    assert found.routes == ((route,) if route else ())
    assert len(found.notes) == len(told)
    for note, words in zip(found.notes, told, strict=True):
        assert f" {words} " in f"{note} "
    asked = read_desktop_json(text, "f", with_tls=True)
    assert asked.routes == found.routes
    assert asked.tls == ((tls,) if tls else ())
    assert b64(KEY) not in "".join((*found.notes, *asked.notes, repr(found), repr(asked)))


def test_all_of_them_in_one_file() -> None:
    text = json.dumps({"@type": TYPE, "records": [record for record, *_ in RECORDS.values()]})
    found = read_desktop_json(text)
    ways = {(route.destination, route.proxy_url) for _, route, *_ in RECORDS.values() if route}
    assert {(route.destination, route.proxy_url) for route in found.routes} == ways
    assert len({route.name for route in found.routes}) == len(found.routes)


def test_an_export_of_nothing() -> None:
    """A list without elements is left out as well."""
    for nothing in ("", ', "records": []', ', "records": null'):
        assert read_desktop_json(f'{{"@type": "{TYPE}"{nothing}}}').routes == ()


# The keys that the first public version compiles against, and their types; later ones know these and more.
FIRST: Final[dict[str, dict[str, type]]] = {
    "": {"@type": str, "records": list},
    "record": {"id": str, "tags": list, "conn": dict},
    "conn": {
        "name": str,
        "remoteAddr": str,
        "listenAddr": str,
        "pomeriumUrl": str,
        "disableTlsVerification": bool,
        "caCert": str,
    },
}
NEWEST: Final[dict[str, dict[str, type]]] = {
    **FIRST,
    "record": {**FIRST["record"], "source": str},
    "conn": {**FIRST["conn"], "protocol": str, "clientCert": dict, "clientCertFromStore": dict, "autostart": bool},
}


def refused(text: str, schema: dict[str, dict[str, type]]) -> list[str]:
    """What a version that knows *schema* would refuse in *text*, key by key."""
    whole = json.loads(text)
    messages = [("", whole)]
    for record in whole["records"]:
        messages += [("record", record), ("conn", record["conn"])]
    return [
        key
        for kind, message in messages
        for key, value in message.items()
        if not isinstance(value, schema[kind].get(key, ()))
    ]


def way(route: Route) -> Destination:
    return parse_destination(route.destination, proxy_url=route.proxy_url or None)


@pytest.mark.parametrize("schema", [FIRST, NEWEST], ids=["first", "newest"])
def test_every_version_takes_what_we_write(schema: dict[str, dict[str, type]]) -> None:
    route = Route("db", "db.example.com:1", "127.0.0.1:2", tags=("a", "b"), note="mine", command="psql -p {port}")
    text = write_desktop_json([route, Route("x", "x:1", proxy_url="https://proxy.example.com")], way_of=way)
    assert refused(text, schema) == []
    assert json.loads(text)["@type"] == TYPE


def test_only_a_route_that_starts_by_itself_needs_a_newer_version() -> None:
    text = write_desktop_json([Route("x", "x:1", autostart=True)], way_of=way)
    assert refused(text, FIRST) == ["autostart"]
    assert refused(text, NEWEST) == []


@pytest.mark.parametrize(
    ("destination", "proxy_url", "pomerium_url"),
    [
        ("DB.example.com:1", "", None),
        ("tcp+https://db.example.com:1", "", None),
        ("tcp+https://proxy.example.com/db.example.com:1", "", "https://proxy.example.com"),
        ("tcp+https://proxy.example.com:8443/db.example.com:1", "", "https://proxy.example.com:8443"),
        ("db.example.com:1", "http://127.0.0.1:8000", "http://127.0.0.1:8000"),
    ],
)
def test_where_a_route_leads_is_written_for_the_first_version(
    destination: str, proxy_url: str, pomerium_url: str | None
) -> None:
    """It takes HOST:PORT for the destination and nothing else."""
    route = Route("x", destination, proxy_url=proxy_url)
    text = write_desktop_json([route], way_of=way)
    connection = json.loads(text)["records"][0]["conn"]
    assert (connection["remoteAddr"], connection.get("pomeriumUrl")) == ("db.example.com:1", pomerium_url)
    assert way(read_desktop_json(text).routes[0]) == way(route)
