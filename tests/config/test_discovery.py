"""What a proxy offers against what is saved."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tunnelui.config.discovery import plan_discovery, read_portal
from tunnelui.config.profile import Profile
from tunnelui.config.route import Route
from tunnelui.errors import ConfigError
from tunnelui.wire.destination import parse_proxy_url

PROXY = parse_proxy_url("https://proxy.corp.example.com")
CORP = Profile("corp", proxy_url="https://proxy.corp.example.com")


def offer(number: str, name: str, target: str, kind: str = "tcp", **more: Any) -> dict[str, Any]:
    return {"id": number, "name": name, "type": kind, "from": f"tcp+https://{target}", **more}


def found(*entries: dict[str, Any], profile: Profile = CORP) -> tuple[Route, ...]:
    return read_portal({"routes": list(entries)}, PROXY, profile)[0]


def test_the_list_becomes_routes() -> None:
    routes, notes = read_portal(
        {
            "routes": [
                offer("1", "db", "db.corp.example.com:5432", description="orders"),
                offer("2", "wiki", "wiki.corp.example.com", "http"),
                offer("3", "dns", "dns.corp.example.com:53", "udp"),
                offer("4", "odd", "no port"),
                offer("5", "\x1b[31m/red", "red.corp.example.com:1"),
                offer("1", "again", "db.corp.example.com:5432"),
            ]
        },
        PROXY,
        CORP,
    )
    assert routes[0] == Route(
        "db", "db.corp.example.com:5432", profile="corp", note="orders", source="https://proxy.corp.example.com:443 1"
    )
    assert len(routes) == 2
    assert "\x1b" not in routes[1].name
    assert len(notes) == 2


def test_a_route_names_its_proxy_where_nothing_else_does() -> None:
    (route,) = found(offer("1", "db", "db.corp.example.com:5432"), profile=Profile())
    assert route.proxy_url == "https://proxy.corp.example.com"
    own = parse_proxy_url("https://db.corp.example.com")
    (route,), _ = read_portal({"routes": [offer("1", "db", "db.corp.example.com:5432")]}, own, Profile())
    assert route.proxy_url == ""


@pytest.mark.parametrize("answer", [None, [], {}, {"routes": {}}, {"routes": [1]}, {"routes": [{}] * 10_001}])
def test_what_is_no_list_is_refused(answer: Any) -> None:
    with pytest.raises(ConfigError):
        read_portal(answer, PROXY, CORP)


def test_the_first_time_all_is_new_and_the_second_time_nothing() -> None:
    offered = found(offer("1", "db", "db.corp.example.com:5432"), offer("2", "db", "b.corp.example.com:5432"))
    first = plan_discovery([], offered, PROXY, tags=["corp"])
    assert [(route.name, route.tags) for route in first.added] == [("db", ("corp",)), ("db-2", ("corp",))]
    second = plan_discovery(first.routes, offered, PROXY)
    assert second.is_empty
    assert len(second.known) == 2


def test_what_a_person_changed_stays_and_where_it_leads_follows() -> None:
    (route,) = found(offer("1", "db", "db.corp.example.com:5432"))
    mine = replace(route, name="orders", listen=":15432", tags=("x",), autostart=True, note="mine")
    plan = plan_discovery([mine], found(offer("1", "db", "db2.corp.example.com:5433")), PROXY)
    assert plan.changed == ((mine, replace(mine, destination="db2.corp.example.com:5433")),)
    assert plan.routes == (replace(mine, destination="db2.corp.example.com:5433"),)


def test_what_is_not_offered_any_more_goes_and_nothing_else() -> None:
    gone, kept = found(offer("1", "a", "a.corp.example.com:1"), offer("2", "b", "b.corp.example.com:1"))
    mine = Route("mine", "c.corp.example.com:1", profile="corp")
    other = replace(gone, name="other", source="https://other.example.com:443 1")
    plan = plan_discovery([gone, mine, kept, other], [kept], PROXY)
    assert plan.removed == (gone,)
    assert plan.routes == (mine, kept, other)


def test_a_route_that_somebody_saved_by_hand_is_not_saved_twice() -> None:
    mine = Route("mine", "db.corp.example.com:5432", profile="corp")
    plan = plan_discovery([mine], found(offer("1", "db", "db.corp.example.com:5432")), PROXY)
    assert plan.is_empty
    assert plan.known == (mine,)
