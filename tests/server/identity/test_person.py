"""One spelling for each address, and none for what is no address."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunnelui_server.identity import Person, normalise_email


@pytest.mark.parametrize(
    ("text", "email"),
    [
        ("alice@example.com", "alice@example.com"),
        ("Alice@Example.COM", "alice@example.com"),
        ("alice@example.com.", "alice@example.com"),
        ("a.b+c@example.com", "a.b+c@example.com"),
        ("alice@bücher.example", "alice@xn--bcher-kva.example"),
        ("alice@XN--BCHER-KVA.example", "alice@xn--bcher-kva.example"),
        ("alice@localhost", "alice@localhost"),
        ("alice@straße.de", "alice@xn--strae-oqa.de"),
        ("alice@strasse.de", "alice@strasse.de"),
    ],
)
def test_an_address_has_one_spelling(text: str, email: str) -> None:
    assert normalise_email(text) == email
    assert normalise_email(email) == email


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "alice",
        "alice@",
        "@example.com",
        "a@evil.example@good.example",
        '"a@evil.example"@good.example',
        "alice@example.com@",
        "alice@@example.com",
        "alice@exam ple.com",
        " alice@example.com",
        "alice@example.com ",
        "alice@example.com\n",
        "alice@example.com\0",
        "al\u200bice@example.com",
        "аlice@example.com",  # the first letter is Cyrillic
        "alice@example..com",
        ".alice@example.com",
        "alice.@example.com",
        "alice@ban\u212a.example",  # the Kelvin sign
        "alice@ｅxample.com",
        "alice@example。com",
        "alice@127.0.0.1",
        "alice@[127.0.0.1]",
        "alice@[::1]",
        "alice@::1",
        "alice@example.com:25",
        "alice@-example.com",
        "a" * 250 + "@example.com",
        "Alice <alice@example.com>",
    ],
)
def test_what_is_no_address_has_no_spelling(text: str) -> None:
    assert normalise_email(text) == ""


def test_a_look_alike_domain_is_another_domain() -> None:
    assert normalise_email("alice@exаmple.com") not in ("", "alice@example.com")  # a Cyrillic letter in the domain


@given(st.text(max_size=80))
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = normalise_email(text)
    assert normalise_email(once) == once
    assert once.count("@") in (0, 1) and once.isascii()


def test_people_are_values() -> None:
    assert Person("a", groups=frozenset({"x"})) == Person("a", groups=frozenset({"x"}))
    assert len({Person("a"), Person("a"), Person("b")}) == 2
