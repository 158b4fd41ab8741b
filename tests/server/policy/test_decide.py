"""Decisions: tables, and properties that no combination of rules may break."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunnelui.wire.address import HostPort
from tunnelui_server.identity.person import Person
from tunnelui_server.policy import (
    AllowAnyUser,
    AllowClaim,
    AllowDomain,
    AllowGroup,
    AllowPublic,
    AllowUser,
    Criterion,
    Decision,
    Route,
    decide,
    groups_of,
    normalise_domain,
    reachable_routes,
)

ALICE = Person(
    user_id="id-1",
    email="alice@example.com",
    groups=frozenset({"staff"}),
    claims={"level": ("5", "x"), "org.team": ("blue",), "a/b": ("literal",)},
)


def route(*criteria: Criterion, name: str = "r") -> Route:
    key = HostPort(f"{name}.example.com", 1)
    return Route(f"tcp+https://{key}", (key,), HostPort("127.0.0.1", 1), criteria, name=name)


@pytest.mark.parametrize(
    ("criterion", "allow"),
    [
        (AllowPublic(), True),
        (AllowAnyUser(), True),
        (AllowUser.of("alice@example.com"), True),
        (AllowUser.of("Alice@EXAMPLE.com"), True),
        (AllowUser.of("id-1"), True),
        (AllowUser.of("ID-1"), False),
        (AllowUser.of("alice"), False),
        (AllowUser.of("alice@example.com.evil.example"), False),
        (AllowUser.of(""), False),
        (AllowDomain("example.com"), True),
        (AllowDomain("sub.example.com"), False),
        (AllowDomain("com"), False),
        (AllowDomain(""), False),
        (AllowGroup("staff"), True),
        (AllowGroup("Staff"), False),
        (AllowGroup("static"), True),
        (AllowGroup("others"), False),
        (AllowGroup(""), False),
        (AllowClaim("level", "5"), True),
        (AllowClaim("level", "6"), False),
        (AllowClaim("org/team", "blue"), True),
        (AllowClaim("org.team", "blue"), True),
        (AllowClaim("a/b", "literal"), True),
        (AllowClaim("absent", ""), False),
    ],
)
def test_each_criterion(criterion: Criterion, allow: bool) -> None:
    decision = decide(route(criterion), ALICE, {"static": frozenset({"alice@example.com"})})
    assert decision.allow is allow
    assert not decision.needs_sign_in
    if allow:
        assert decision == Decision(True, False, criterion.rule, (criterion.ok,))
    else:
        assert decision == Decision(False, False, "default-deny", (criterion.failed,))


@pytest.mark.parametrize(
    ("email", "allow"),
    [
        ("a@good.example", True),
        ("a@GOOD.Example", True),
        ("a@good.example.", True),
        ("a@evil.example@good.example", False),
        ("@good.example", False),
        ("good.example", False),
        ("a@xgood.example", False),
        ("a@gооd.example", False),  # Cyrillic о
        ("a@good.example\n", False),
        ("", False),
    ],
)
def test_a_domain_rule_takes_exactly_that_domain(email: str, allow: bool) -> None:
    person = Person(user_id="u", email=email, groups=frozenset())
    assert decide(route(AllowDomain("good.example")), person, {}).allow is allow


def test_without_a_person_only_public_routes_open() -> None:
    closed = [route(), route(AllowAnyUser()), route(AllowDomain("example.com")), None]
    decisions = {decide(entry, None, {}) for entry in closed}
    assert decisions == {Decision(False, True, "sign-in", ("user-unauthenticated",))}
    assert decide(route(AllowPublic()), None, {}).allow


def test_a_route_without_rules_is_for_nobody() -> None:
    assert decide(route(), ALICE, {}) == Decision(False, False, "default-deny", ("no-rule",))


def test_an_unknown_route_is_denied_and_says_so_to_the_log_alone() -> None:
    assert decide(None, ALICE, {}) == Decision(False, False, "no-route", ("route-not-found",))


def test_a_person_without_an_id_is_nobody() -> None:
    assert decide(route(AllowAnyUser()), Person(user_id="", groups=frozenset()), {}).needs_sign_in


def test_all_failed_criteria_are_told_once_each() -> None:
    decision = decide(route(AllowUser("x"), AllowUser("y"), AllowGroup("z"), AllowDomain("d.example")), ALICE, {})
    assert decision.reasons == ("user-unauthorized", "groups-unauthorized", "domain-unauthorized")


def test_static_groups_join_those_of_the_provider() -> None:
    static = {"a": frozenset({"id-1"}), "b": frozenset({"alice@example.com"}), "c": frozenset({"bob@example.com"})}
    assert groups_of(ALICE, static) == {"staff", "a", "b"}
    nobody = Person(user_id="", groups=frozenset())
    assert groups_of(nobody, {"a": frozenset({""})}) == frozenset()


def test_the_portal_shows_what_connect_allows() -> None:
    routes = (route(AllowAnyUser(), name="a"), route(AllowGroup("others"), name="b"), route(AllowPublic(), name="c"))
    assert [entry.name for entry in reachable_routes(routes, ALICE, {})] == ["a", "c"]
    assert [entry.name for entry in reachable_routes(routes, None, {})] == ["c"]


words = st.sampled_from(["a", "b", "a@x.example", "b@x.example", "x.example", "y.example", ""])
criteria = st.one_of(
    st.builds(AllowUser.of, words),
    st.builds(AllowDomain, words),
    st.builds(AllowGroup, words),
    st.builds(AllowClaim, words, words),
    st.just(AllowAnyUser()),
)
people = st.builds(
    Person,
    user_id=words,
    email=words,
    groups=st.frozensets(words),
    claims=st.dictionaries(words, st.lists(words).map(tuple)),
)
statics = st.dictionaries(words, st.frozensets(words))


@given(st.lists(criteria), people, statics)
def test_allowed_means_that_one_criterion_alone_allows(
    rules: list[Criterion], person: Person, static: dict[str, frozenset[str]]
) -> None:
    together = decide(route(*rules), person, static)
    assert together.allow == any(decide(route(rule), person, static).allow for rule in rules)
    assert not (together.allow and together.needs_sign_in)
    assert together.reasons


@given(st.lists(criteria), people, statics, criteria)
def test_another_alternative_never_takes_access_away(
    rules: list[Criterion], person: Person, static: dict[str, frozenset[str]], more: Criterion
) -> None:
    if decide(route(*rules), person, static).allow:
        assert decide(route(*rules, more), person, static).allow


@given(st.lists(criteria), statics)
def test_nobody_is_never_allowed(rules: list[Criterion], static: dict[str, frozenset[str]]) -> None:
    assert decide(route(*rules), None, static) == decide(None, None, static)


@given(people, statics)
def test_empty_names_match_nobody(person: Person, static: dict[str, frozenset[str]]) -> None:
    assert not decide(route(AllowUser(""), AllowDomain(""), AllowGroup("")), person, static).allow


@pytest.mark.parametrize("criterion", [AllowUser.of("a@straße.de"), AllowDomain(normalise_domain("straße.de") or "")])
def test_names_that_only_resemble_each_other_are_two_people(criterion: Criterion) -> None:
    for email, allow in (("a@straße.de", True), ("a@strasse.de", False), ("a@STRASSE.de", False)):
        assert decide(route(criterion), Person(user_id="id-9", email=email), {}).allow is allow
    groups = {"staff": frozenset({"a@xn--strae-oqa.de"})}
    assert groups_of(Person(user_id="id-9", email="a@strasse.de"), groups) == frozenset()
