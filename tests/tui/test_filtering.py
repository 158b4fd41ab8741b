"""The filter line."""

from __future__ import annotations

import pytest

from tests.support.tunnel_scenes import every_state
from tunnelui.tui.listing.filtering import RouteFilter

ALL = ["orders-db", "redis-stage", "jump-ssh", "grafana", "win-rdp", "billing-db", "kafka-1", "vnc-lab"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ALL),
        ("   ", ALL),
        ("DB", ["orders-db", "billing-db"]),
        ("5432", ["orders-db", "billing-db"]),
        ("corp:3000", ["grafana"]),
        ("#prod", ["orders-db", "billing-db"]),
        ("#", ALL),
        (":retry", ["grafana"]),
        (":port", ["win-rdp"]),
        (":up", ["orders-db", "redis-stage"]),
        (":trouble", ["jump-ssh", "grafana", "win-rdp", "billing-db", "vnc-lab"]),
        (":tr !:auth", ["grafana", "win-rdp", "billing-db", "vnc-lab"]),
        (":r", ["redis-stage", "grafana"]),
        (":", ALL),
        ("!", ALL),
        ("!#", ALL),
        ("!#db", ["redis-stage", "jump-ssh", "grafana", "win-rdp", "kafka-1", "vnc-lab"]),
        ("!:off !:err #lab", ["redis-stage", "jump-ssh", "grafana", "win-rdp"]),
        ("db !billing", ["orders-db"]),
        ("no-such-thing", []),
    ],
)
def test_what_a_filter_lets_through(text: str, names: list[str]) -> None:
    wanted = RouteFilter(text)
    assert [tunnel.route.name for tunnel in every_state() if wanted.matches(tunnel)] == names


def test_a_blank_filter_is_none() -> None:
    assert not RouteFilter("  ")
    assert RouteFilter("x")
