"""Many changes to the saved routes at once, or none of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tunnelui.config.route import Route
from tunnelui.config.route_changes import RouteChange, changed_routes, split_changes, taken_back
from tunnelui.errors import ConfigError

A, B, C = Route("a", "a.example.com:1"), Route("b", "b.example.com:1"), Route("c", "c.example.com:1")


def test_a_changed_route_keeps_its_place_and_new_ones_come_last() -> None:
    after = replace(A, name="z", destination="z.example.com:1")
    changes = [RouteChange(A, after), RouteChange(B, None), RouteChange(None, C)]
    assert changed_routes([A, B], changes) == (after, C)


def test_names_may_go_round_in_one_step() -> None:
    swapped = [RouteChange(A, replace(A, name="b")), RouteChange(B, replace(B, name="a"))]
    assert [route.name for route in changed_routes([A, B], swapped)] == ["b", "a"]
    moved = [RouteChange(A, None), RouteChange(B, replace(B, name="a"))]
    assert [route.destination for route in changed_routes([A, B], moved)] == ["b.example.com:1"]


def test_taking_back_gives_what_was_there() -> None:
    changes = [RouteChange(A, replace(A, note="x")), RouteChange(B, None), RouteChange(None, C)]
    after = changed_routes([A, B], changes)
    assert set(changed_routes(after, taken_back(changes))) == {A, B}


@pytest.mark.parametrize(
    ("change", "code", "place"),
    [
        (RouteChange(C, None), "no_such_route", "name"),
        (RouteChange(replace(A, note="old"), None), "route_changed", ""),
        (RouteChange(None, replace(C, name="b")), "name_taken", "name"),
        (RouteChange(A, replace(A, name="b")), "name_taken", "name"),
        (RouteChange(None, replace(C, destination="nothing")), "", "destination"),
        (RouteChange(None, replace(C, profile="nobody")), "config", "profile"),
    ],
)
def test_what_can_not_be_is_refused(change: RouteChange, code: str, place: str) -> None:
    with pytest.raises(ConfigError) as caught:
        changed_routes([A, B], [change], profiles=("default",))
    assert caught.value.place == place
    assert code in ("", caught.value.code)


def test_two_new_routes_can_not_have_one_name() -> None:
    with pytest.raises(ConfigError, match="already"):
        changed_routes([], [RouteChange(None, A), RouteChange(None, replace(B, name="a"))])


def test_what_was_changed_since_is_told_apart() -> None:
    gone, edited, same, new = RouteChange(C, None), RouteChange(A, None), RouteChange(B, None), RouteChange(None, C)
    assert split_changes([gone, edited, same, new], [replace(A, note="mine"), B]) == ((same, new), (gone, edited))
