"""Which words of a provider count."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunnelui_server.identity.claims import flatten_claims, person_from_claims
from tunnelui_server.identity.provider import SignInRefused

SUB = {"sub": "user-1"}


def test_a_verified_address_counts_and_is_normalised() -> None:
    person = person_from_claims(SUB | {"email": "Alice@Example.com", "email_verified": True}, {}, "groups")
    assert person.email == "alice@example.com" and person.claims["email"] == ("alice@example.com",)


@pytest.mark.parametrize("verified", [False, None, "false", "True", 1, "yes", [True], ...])
def test_an_address_that_is_not_verified_is_nowhere(verified: object) -> None:
    said: dict[str, Any] = {**SUB, "email": "alice@example.com"} | (
        {} if verified is ... else {"email_verified": verified}
    )
    person = person_from_claims(said, {}, "groups")
    assert person.email == "" and "email" not in person.claims


def test_the_word_of_one_answer_does_not_vouch_for_the_address_of_the_other() -> None:
    token = SUB | {"email": "alice@example.com", "email_verified": True}
    userinfo = SUB | {"email": "root@example.com"}
    assert person_from_claims(token, userinfo, "groups").email == ""
    vouching: dict[str, Any] = {**SUB, "email_verified": True}
    assert person_from_claims(SUB | {"email": "root@example.com"}, vouching, "groups").email == ""


@pytest.mark.parametrize("email", ["a@evil.example@good.example", ["a@example.com"], 7, "", "x"])
def test_an_address_that_is_none_is_left_out(email: object) -> None:
    assert person_from_claims({**SUB, "email": email, "email_verified": True}, {}, "groups").email == ""


@pytest.mark.parametrize("sub", [None, "", 7, "x" * 256, "a\nb", ["a"], ...])
def test_without_a_sound_subject_there_is_nobody(sub: object) -> None:
    said = {} if sub is ... else {"sub": sub}
    with pytest.raises(SignInRefused):
        person_from_claims(said, {}, "groups")


@pytest.mark.parametrize("userinfo", [{"sub": "user-2"}, {"sub": "USER-1"}, {"name": "x"}, {"sub": None}])
def test_userinfo_about_somebody_else_is_refused(userinfo: dict[str, Any]) -> None:
    with pytest.raises(SignInRefused):
        person_from_claims(SUB, userinfo, "groups")


@pytest.mark.parametrize(
    ("token", "userinfo", "claim", "groups"),
    [
        ({"groups": ["a", "b"]}, {}, "groups", {"a", "b"}),
        ({}, {"groups": ["a"]}, "groups", {"a"}),
        ({"groups": ["old"]}, {"groups": ["new"]}, "groups", {"new"}),
        ({"groups": ["old"]}, {"groups": []}, "groups", set()),
        ({"groups": "a"}, {}, "groups", {"a"}),
        ({"roles": ["a"]}, {}, "roles", {"a"}),
        ({"realm_access": {"roles": ["a"]}}, {}, "realm_access/roles", {"a"}),
        ({"https://example.com/groups": ["a"]}, {}, "https://example.com/groups", {"a"}),
        ({"groups": [None, ["x"], {"y": 1}, "a"]}, {}, "groups", {"a"}),
        ({"groups": None}, {}, "groups", set()),
        ({}, {}, "groups", set()),
    ],
)
def test_groups_come_from_the_claim_that_was_named(
    token: dict[str, Any], userinfo: dict[str, Any], claim: str, groups: set[str]
) -> None:
    userinfo = SUB | userinfo if userinfo else {}
    assert person_from_claims(SUB | token, userinfo, claim).groups == groups


def test_claims_become_flat() -> None:
    claims = {"a": 1, "b": True, "c": None, "d": ["x", 2, False], "e": {"f": {"g": "deep"}, "h": ["i"]}}
    assert flatten_claims(claims) == {
        "a": ("1",),
        "b": ("true",),
        "d": ("x", "2", "false"),
        "e.f.g": ("deep",),
        "e.h": ("i",),
    }


def test_claims_about_the_token_are_left_out() -> None:
    assert flatten_claims({"iss": "x", "aud": "x", "nonce": "n", "at_hash": "h", "exp": 1, "email": "a@b.c"}) == {}


def test_claims_are_bounded() -> None:
    assert sum(map(len, flatten_claims({"many": [str(n) for n in range(100_000)]}).values())) == 2000
    assert flatten_claims({"long": "x" * 513}) == {}
    nested: dict[str, Any] = {"x": "bottom"}
    for _ in range(500):
        nested = {"n": nested}
    assert flatten_claims(nested) == {}


@given(
    st.dictionaries(
        st.text(max_size=6),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
            lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
        ),
        max_size=6,
    )
)
def test_any_claims_give_strings(claims: dict[str, Any]) -> None:
    for values in flatten_claims(claims).values():
        assert all(isinstance(value, str) for value in values)
