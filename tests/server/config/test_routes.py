"""The list of routes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tunnelui_server.policy import AllowAnyUser, AllowClaim, AllowDomain, AllowGroup, AllowPublic, AllowUser

if TYPE_CHECKING:
    from tests.server.config.conftest import Workshop


def route(source: str = "tcp+https://a.example.com:1", to: str = "tcp://127.0.0.1:1", more: str = "") -> str:
    return f"routes:\n- from: '{source}'\n  to: {to}\n{more}"


@pytest.mark.parametrize(
    ("source", "authorities"),
    [
        ("tcp+https://redis.example.com:6379", ["redis.example.com:6379"]),
        ("tcp+https://Redis.Example.COM:6379", ["redis.example.com:6379"]),
        ("tcp+https://redis.example.com:6379/", ["redis.example.com:6379"]),
        ("tcp+http://redis.example.com:6379", ["redis.example.com:6379"]),
        ("tcp+https://[2001:db8:0::1]:22", ["[2001:db8::1]:22"]),
        ("tcp+https://proxy.example.com:8443/redis.internal:6379", ["redis.internal:6379"]),
        ("tcp+https://proxy.example.com/redis.internal:6379", ["redis.internal:6379"]),
        ("tcp+https://proxy.example.com/a:1/b:2", ["a:1", "b:2"]),
        ("tcp+https://bücher.example:1", ["xn--bcher-kva.example:1"]),
    ],
)
def test_from_names_the_authorities(workshop: Workshop, source: str, authorities: list[str]) -> None:
    config = workshop.load(route(source))
    assert [str(authority) for authority in config.routes[0].authorities] == authorities


@pytest.mark.parametrize(
    "source",
    [
        "tcp+https://redis.example.com",
        "tcp://redis.example.com:1",
        "redis.example.com:1",
        "tcp+https://",
        "tcp+https://*.example.com:1",
        "tcp+https://u@redis.example.com:1",
        "tcp+https://redis.example.com:1?x",
        "tcp+https://redis.example.com:0",
        "tcp+https://redis.example.com:99999",
        "tcp+https://2130706433:1",
        "tcp+https://proxy:x/a:1",
        "ftp://a:1",
    ],
)
def test_from_that_is_no_route(workshop: Workshop, source: str) -> None:
    error = workshop.error(route(source))
    assert error.message.startswith("from: ")
    assert error.place.endswith(f":{workshop.line_of('- from')}")
    assert error.hint


@pytest.mark.parametrize("to", ["tcp://db.internal:5432", "[tcp://db.internal:5432]", "tcp://db.internal:5432/"])
def test_to_is_a_text_or_a_list_of_one(workshop: Workshop, to: str) -> None:
    assert str(workshop.load(route(to=to)).routes[0].to) == "db.internal:5432"


@pytest.mark.parametrize(
    "to",
    [
        "''",
        "[]",
        "null",
        "{a: b}",
        "db:5432",
        "http://db:80",
        "udp://db:53",
        "tcp://db",
        "tcp://:1",
        "tcp://db:0",
        "'tcp://db:1,10'",
        "[tcp://a:1, tcp://b:1]",
    ],
)
def test_to_that_is_no_upstream(workshop: Workshop, to: str) -> None:
    assert any("to" in error.message for error in workshop.errors(route(to=to)))


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "169.254.1.1",
        "[fe80::1]",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "[fd00:ec2::254]",
        "100.100.100.200",
        "0.0.0.0",
        "[::]",
        "224.0.0.1",
        "255.255.255.255",
        "metadata.google.internal",
    ],
)
def test_special_addresses_need_a_second_word(workshop: Workshop, host: str) -> None:
    assert "allow_private_special" in workshop.error(route(to=f"'tcp://{host}:80'")).hint
    assert workshop.load(route(to=f"'tcp://{host}:80'", more="  allow_private_special: true\n")).routes


def test_one_authority_belongs_to_one_route(workshop: Workshop) -> None:
    text = route() + "- from: tcp+https://proxy.example.com/A.example.com:1\n  to: tcp://127.0.0.1:2\n"
    error = workshop.error(text)
    assert f"line {workshop.line_of('- from')}" in error.message
    assert error.place.endswith(f":{workshop.line_of('proxy.example.com')}")


@pytest.mark.parametrize(
    ("more", "criteria"),
    [
        ("allow_public_unauthenticated_access: true", [AllowPublic()]),
        ("allow_any_authenticated_user: true", [AllowAnyUser()]),
        ("allowed_users: [A@Example.com, id-7]", [AllowUser("A@Example.com", "a@example.com"), AllowUser("id-7")]),
        ("allowed_users: just@example.com", [AllowUser("just@example.com", "just@example.com")]),
        ("allowed_domains: [EXAMPLE.com]", [AllowDomain("example.com")]),
        ("allowed_groups: [Admins, 7]", [AllowGroup("Admins"), AllowGroup("7")]),
        (
            "allowed_idp_claims: {level: [5, x], a/b: y}",
            [AllowClaim("level", v) for v in "5x"] + [AllowClaim("a/b", "y")],
        ),
        ("allowed_groups: []", []),
        ("allowed_groups:", []),
        ("allow_any_authenticated_user: false", []),
    ],
)
def test_criteria(workshop: Workshop, more: str, criteria: list[object]) -> None:
    config = workshop.load(route(more=f"  {more}\n"))
    assert list(config.routes[0].criteria) == criteria
    assert any("nobody" in warning for warning in config.warnings) == (not criteria)


@pytest.mark.parametrize(
    "more",
    [
        "  allow_public_unauthenticated_access: true\n  allow_any_authenticated_user: true\n",
        "  allow_public_unauthenticated_access: true\n  allowed_users: [a]\n",
        "  allow_public_unauthenticated_access: true\n  allowed_groups: [a]\n",
        "  allow_any_authenticated_user: true\n  allowed_domains: [example.com]\n",
        "  allow_any_authenticated_user: maybe\n",
        "  allowed_domains: ['a@b']\n",
        "  allowed_users: {a: b}\n",
        "  allowed_users: [[a]]\n",
        "  allowed_users: ['']\n",
        "  allowed_idp_claims: [a]\n",
        "  idle_timeout: 5\n",
    ],
)
def test_rules_that_contradict_or_make_no_sense(workshop: Workshop, more: str) -> None:
    assert workshop.errors(route(more=more))


def test_a_public_route_with_claims_gives_a_warning_as_pomerium_takes_it(workshop: Workshop) -> None:
    config = workshop.load(route(more="  allow_public_unauthenticated_access: true\n  allowed_idp_claims: {a: [b]}\n"))
    assert "allowed_idp_claims" in config.warnings[0]
    assert config.routes[0].is_public


def test_time_limits_are_off_unless_given(workshop: Workshop) -> None:
    bare = workshop.load(route()).routes[0]
    zero = workshop.load(route(more="  idle_timeout: 0s\n  timeout: 0\n")).routes[0]
    given = workshop.load(route(more="  idle_timeout: 5m\n  timeout: 8h\n")).routes[0]
    assert (bare.idle_timeout, bare.timeout, zero.idle_timeout, zero.timeout) == (None, None, None, None)
    assert (given.idle_timeout, given.timeout) == (300, 28800)


def test_names_are_cleaned_and_cut(workshop: Workshop) -> None:
    found = workshop.load(route(more='  name: "a\\u001b[2Jb"\n  description: "' + "x" * 2000 + '"\n')).routes[0]
    assert "\x1b" not in found.name
    assert len(found.description) == 500


def test_no_routes_at_all_is_an_error(workshop: Workshop) -> None:
    assert "no routes" in workshop.error("").message
    assert "no routes" in workshop.error("routes: []\n").message


def test_routes_and_policy_are_the_same_list(workshop: Workshop) -> None:
    text = route() + "policy:\n- {from: 'tcp+https://b:1', to: 'tcp://127.0.0.1:1'}\n"
    assert "same list" in workshop.error(text).message
