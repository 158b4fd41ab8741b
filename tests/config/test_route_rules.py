from __future__ import annotations

from dataclasses import replace

import pytest

from tunnelui.config.route import Route
from tunnelui.config.route_rules import check_name, check_route
from tunnelui.errors import ConfigError

GOOD = Route(name="orders db", destination="db.corp.example:5432")


@pytest.mark.parametrize(
    "route",
    [
        GOOD,
        replace(GOOD, name="x"),
        replace(GOOD, name="ñandú-β 😀"),
        replace(GOOD, name="n" * 64),
        replace(GOOD, destination="tcp+https://proxy.example.com:8443/db.internal:5432"),
        replace(GOOD, destination="[2001:db8::1]:22"),
        replace(GOOD, listen="127.0.0.1:15432"),
        replace(GOOD, listen="0"),
        replace(GOOD, listen=":5432"),
        replace(GOOD, listen="[::1]:22"),
        replace(GOOD, listen="unix:/run/x.sock"),
        replace(GOOD, proxy_url="https://proxy.example.com"),
        replace(GOOD, profile="corp"),
        replace(GOOD, profile="default"),
        replace(GOOD, tags=("prod", "data base")),
    ],
)
def test_a_good_route_passes(route: Route) -> None:
    check_route(route, profiles=("corp",), taken=("other",))


@pytest.mark.parametrize(
    ("route", "place", "words"),
    [
        (replace(GOOD, name=""), "name", "needs a name"),
        (replace(GOOD, name="n" * 65), "name", "longer than 64"),
        (replace(GOOD, name="a/b"), "name", "can't have"),
        (replace(GOOD, name="a\nb"), "name", "can't have"),
        (replace(GOOD, name="a\x1b[1m"), "name", "can't have"),
        (replace(GOOD, name="a\u202eb"), "name", "can't have"),
        (replace(GOOD, name="a\u200bb"), "name", "can't have"),
        (replace(GOOD, name=" a"), "name", "blank"),
        (replace(GOOD, name="a "), "name", "blank"),
        (replace(GOOD, name="--all"), "name", "dash"),
        (replace(GOOD, name="taken"), "name", "already"),
        (replace(GOOD, destination=""), "destination", ""),
        (replace(GOOD, destination="host"), "destination", "port"),
        (replace(GOOD, destination="ssh://h:22"), "destination", "no way to a proxy"),
        (replace(GOOD, destination="h" * 2000), "destination", "longer"),
        (replace(GOOD, listen="-"), "listen", "standard input"),
        (replace(GOOD, listen="localhost"), "listen", "no listen address"),
        (replace(GOOD, listen="127.0.0.1:99999"), "listen", "no port"),
        (replace(GOOD, listen="unix:/tmp/\x1b[1m"), "listen", "can't be shown"),
        (replace(GOOD, proxy_url="proxy.example.com"), "proxy_url", "no proxy URL"),
        (replace(GOOD, profile="cor"), "profile", "no profile"),
        (replace(GOOD, tags=("",)), "tags", "no tag"),
        (replace(GOOD, tags=("a,b",)), "tags", "no tag"),
        (replace(GOOD, tags=(" a",)), "tags", "no tag"),
        (replace(GOOD, tags=("x" * 33,)), "tags", "no tag"),
        (replace(GOOD, tags=("\x1b",)), "tags", "no tag"),
        (replace(GOOD, tags=("a", "a")), "tags", "twice"),
        (replace(GOOD, tags=tuple(map(str, range(17)))), "tags", "at most 16"),
    ],
)
def test_a_wrong_field_is_named(route: Route, place: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_route(route, profiles=("corp",), taken=("taken",))
    assert caught.value.place == place
    assert words in caught.value.message
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_the_hint_names_the_profiles_that_exist() -> None:
    with pytest.raises(ConfigError) as caught:
        check_route(replace(GOOD, profile="x"), profiles=("corp", "lab"))
    assert "corp, lab" in caught.value.hint
    with pytest.raises(ConfigError) as caught:
        check_route(replace(GOOD, profile="x"), profiles=())
    assert caught.value.hint == ""


def test_profiles_may_be_left_open() -> None:
    check_route(replace(GOOD, profile="anything"))


def test_a_name_is_checked_for_profiles_too() -> None:
    with pytest.raises(ConfigError, match="a profile needs a name"):
        check_name("", what="profile")
