"""What stands under the fields of the form."""

from __future__ import annotations

import pytest

from tunnelui.config.route import Route
from tunnelui.tui.edits.draft import Draft, check_draft, suggested_name
from tunnelui.tui.lines.command_line import equivalent_command

PROFILES = {"default": "", "corp": "https://pomerium.corp.example"}


def _verdict(field: str, **fields: str) -> tuple[str, str]:
    draft = Draft(**{"destination": "db.internal:5432", "name": "db", **fields})  # type: ignore[arg-type]  # text fields only
    listens = {"127.0.0.1:15432": "other"}
    verdict = check_draft(draft, taken={"taken"}, listens=listens, profiles=PROFILES)[field]
    return verdict.mark, verdict.words


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "proxy https://db.internal, target db.internal:5432"),
        ({"destination": " db.internal:5432 "}, "proxy https://db.internal, target db.internal:5432"),
        ({"profile": "corp"}, "proxy https://pomerium.corp.example, target db.internal:5432"),
        (
            {"profile": "corp", "proxy_url": "https://other.example:8443"},
            "proxy https://other.example:8443, target db.internal:5432",
        ),
        (
            {"destination": "tcp+https://proxy.example/db.internal:5432"},
            "proxy https://proxy.example, target db.internal:5432",
        ),
    ],
)
def test_a_destination_says_where_it_leads(fields: dict[str, str], words: str) -> None:
    assert _verdict("destination", **fields) == ("good", words)


@pytest.mark.parametrize("destination", ["ssh://x", "db.internal", "a:b:c", "x:99999", "https://a/b/c:1"])
def test_a_wrong_destination_says_why_and_what_to_write(destination: str) -> None:
    mark, words = _verdict("destination", destination=destination)
    assert mark == "bad"
    assert ". " in words


def test_an_empty_form_is_no_mistake_yet() -> None:
    verdicts = check_draft(Draft(), taken=(), listens={}, profiles=None)
    assert {verdict.mark for verdict in verdicts.values()} <= {"", "good"}


@pytest.mark.parametrize(
    ("listen", "mark", "part"),
    [
        ("", "good", "any free port"),
        ("15433", "good", "listens on 127.0.0.1:15433"),
        ("[::1]:22", "good", "listens on [::1]:22"),
        ("unix:/run/x.sock", "good", "only you"),
        ("0.0.0.0:22", "warn", "anyone on this network"),
        (":22", "warn", "anyone on this network"),
        ("15432", "warn", "the route other uses it too"),
        ("nonsense", "bad", "no listen address"),
        ("-", "bad", "standard input"),
    ],
)
def test_a_local_address_says_what_it_means(listen: str, mark: str, part: str) -> None:
    assert _verdict("listen", listen=listen)[0] == mark
    assert part in _verdict("listen", listen=listen)[1]


def test_names_profiles_tags_and_proxies_are_checked() -> None:
    assert _verdict("name", name="taken")[0] == "bad"
    assert _verdict("name", name="a/b")[0] == "bad"
    assert _verdict("profile", profile="nobody")[0] == "bad"
    assert _verdict("profile", profile="corp")[0] == ""
    assert _verdict("tags", tags="a, a")[0] == "bad"
    assert _verdict("proxy_url", proxy_url="proxy.example")[0] == "bad"
    assert _verdict("destination", proxy_url="proxy.example")[0] == ""


def test_a_draft_makes_its_route_and_back() -> None:
    route = Route("db", "db:1", "127.0.0.1:2", "corp", "https://p", ("a", "b"), True)
    assert Draft.of(route).route() == route
    assert Draft(tags=" a ,, b ", name=" x ", destination=" d:1 ", profile=" ").route() == Route(
        "x", "d:1", tags=("a", "b")
    )


@pytest.mark.parametrize(
    ("destination", "name"),
    [
        ("db.corp.example:5432", "db-2"),
        ("tcp+https://proxy.example/redis.internal:1", "redis"),
        ("10.0.0.7:22", "10.0.0.7"),
        ("[2001:db8::1]:22", "2001-db8--1"),
        ("nonsense", ""),
        ("", ""),
    ],
)
def test_a_name_is_suggested(destination: str, name: str) -> None:
    assert suggested_name(destination, {"db"}) == name


def test_the_same_on_a_command_line() -> None:
    assert equivalent_command(Route("n", "db:1")) == ["tunnelui tcp db:1"]
    route = Route("n", "db:1", "unix:/a b", "corp", "https://p")
    assert equivalent_command(route) == [
        "tunnelui tcp db:1",
        "--proxy-url https://p",
        "--listen 'unix:/a b'",
        "--profile corp",
    ]
