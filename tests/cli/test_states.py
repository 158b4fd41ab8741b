"""Tunnels as lines of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunnelui.cli.states import print_states
from tunnelui.config.route import Route
from tunnelui.engine.model import Problem, State, TunnelSnapshot

if TYPE_CHECKING:
    import pytest


def test_trouble_is_told_with_what_an_administrator_asks_for(capsys: pytest.CaptureFixture[str]) -> None:
    problem = Problem("denied", "alice@example.com may not reach db:1", "Ask for access.", 0.0, request_id="4711-a")
    print_states([TunnelSnapshot(Route("db", "db:1"), State.DENIED, problem=problem)], as_json=False)
    out, err = capsys.readouterr()
    assert out.splitlines()[1].split()[:2] == ["db", "denied"]
    assert err == "db: alice@example.com may not reach db:1 (request 4711-a)\n  Ask for access.\n"
