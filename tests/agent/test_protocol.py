"""What goes over the socket: lines, values, errors, changes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.tunnel_scenes import every_state, identity, many
from tunnelui.agent.changes import PIECE, apply, difference
from tunnelui.agent.codec import decode, decode_error, encode, encode_error
from tunnelui.agent.protocol import LineParser, render
from tunnelui.config.route import Route
from tunnelui.engine.model import EngineSnapshot, Event, ProfileSnapshot, TunnelSnapshot
from tunnelui.errors import (
    AccessDenied,
    AuthError,
    ConfigError,
    PortBusyError,
    ProtocolError,
    ProxyError,
    SignInFailed,
    TunnelError,
)
from tunnelui.wire.destination import DestinationError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def over_the_wire(value: Any) -> Any:
    (message,) = LineParser(1 << 20).feed(render({"value": encode(value)}))
    return message["value"]


@given(st.lists(st.dictionaries(st.text(), JSON), max_size=5), st.integers(1, 50))
def test_lines_come_back_in_any_pieces(messages: list[dict[str, Any]], size: int) -> None:
    data = b"".join(map(render, messages))
    parser = LineParser(1 << 20)
    found = [one for at in range(0, len(data), size) for one in parser.feed(data[at : at + size])]
    assert found == messages


@pytest.mark.parametrize("line", [b"{\n", b"[]\n", b"7\n", b"\xff\n", b"[" * 100_000 + b"\n", b"x" * 2000])
def test_what_is_no_message_is_refused(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        LineParser(1000).feed(line)


def test_a_long_line_is_refused_before_its_end() -> None:
    parser = LineParser(1000)
    parser.feed(b"x" * 600)
    with pytest.raises(ProtocolError, match="too long"):
        parser.feed(b"x" * 600)


def test_every_snapshot_comes_back_equal() -> None:
    for tunnel in every_state():
        assert decode(TunnelSnapshot, over_the_wire(tunnel)) == tunnel
    who = identity()
    snapshot = EngineSnapshot(3, every_state(), (who,), (ProfileSnapshot("corp"),), ("a note",))
    assert decode(EngineSnapshot, over_the_wire(snapshot)) == snapshot
    event = Event("note", 1.5, "words", data={"a": [1, None], "b": {"c": True}})
    assert decode(Event, over_the_wire(event)) == event


def test_fields_of_another_version_are_no_fault() -> None:
    assert decode(Route, {"name": "db", "destination": "a:1", "colour": "red"}) == Route("db", "a:1")


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {"name": "db"},
        {"name": 1, "destination": "a:1"},
        {"name": "db", "destination": "a:1", "tags": "prod"},
        {"name": "db", "destination": "a:1", "tags": [1]},
        {"name": "db", "destination": "a:1", "autostart": 1},
    ],
)
def test_what_is_no_route_is_refused(data: Any) -> None:
    with pytest.raises(ProtocolError):
        decode(Route, data)


def test_an_unknown_state_is_refused() -> None:
    data = over_the_wire(every_state()[0])
    with pytest.raises(ProtocolError, match="State"):
        decode(TunnelSnapshot, {**data, "state": "levitating"})


@pytest.mark.parametrize(
    "error",
    [
        ConfigError("wrong", place="routes.toml:3", hint="Mend it."),
        AccessDenied("no", request_id="r1"),
        PortBusyError("127.0.0.1:1", holder="nc (pid 1)"),
        ProxyError("refused", address="a:1", stage="tcp", detail="x", status=503, request_id="r2"),
        SignInFailed("late", code="timeout"),
        ProtocolError("odd", status_hint=431),
    ],
)
def test_errors_arrive_as_they_were(error: TunnelError) -> None:
    arrived = decode_error(over_the_wire(encode_error(error)))
    assert type(arrived) is type(error)
    assert str(arrived) == str(error)
    assert vars(arrived) == vars(error)


def test_an_error_of_another_layer_arrives_as_its_base() -> None:
    arrived = decode_error(encode_error(DestinationError("no destination")))
    assert type(arrived) is ConfigError
    assert str(arrived) == "no destination"


@pytest.mark.parametrize("data", [None, [], {}, {"kind": "SystemExit"}, {"kind": "AuthError", "facts": 7}])
def test_an_odd_refusal_is_an_error_all_the_same(data: Any) -> None:
    error = decode_error(data)
    assert isinstance(error, TunnelError)
    assert str(error)


def test_a_refusal_without_facts_can_be_shown() -> None:
    assert str(decode_error({"kind": "ConfigError", "message": "wrong"})) == "wrong"
    assert isinstance(decode_error({"kind": "AuthError", "message": "who"}), AuthError)


def test_only_what_changed_is_told() -> None:
    old = EngineSnapshot(1, many(50))
    assert list(difference(old, old)) == []
    changed = replace(old.tunnels[7], bytes_in=99)
    new = replace(old, version=2, tunnels=(*old.tunnels[:7], changed, *old.tunnels[8:]))
    (changes,) = difference(old, new)
    assert [tunnel["bytes_in"] for tunnel in changes["tunnels"]] == [99]
    assert "order" not in changes
    assert apply(old, json.loads(json.dumps(changes))) == new


def test_a_tunnel_that_is_another_object_and_equal_is_not_told() -> None:
    old = EngineSnapshot(1, many(3))
    (changes,) = difference(old, replace(old, version=2, tunnels=many(3)))
    assert changes == {"version": 2}


def test_many_changes_come_in_pieces_and_the_last_one_has_the_order() -> None:
    new = EngineSnapshot(7, tuple(reversed(many(3 * PIECE + 5))))
    pieces = list(difference(None, new))
    assert [len(piece["tunnels"]) for piece in pieces] == [PIECE, PIECE, PIECE, 5]
    assert ["order" in piece for piece in pieces] == [False, False, False, True]
    seen = EngineSnapshot()
    for piece in pieces:
        seen = apply(seen, json.loads(json.dumps(piece)))
        assert (seen.version == new.version) == (piece is pieces[-1])
    assert seen == new


@given(
    st.lists(st.permutations(range(6)).flatmap(lambda order: st.integers(0, 6).map(lambda n: order[:n])), max_size=6)
)
def test_any_row_of_changes_leads_to_the_same_snapshot(steps: list[list[int]]) -> None:
    tunnels = many(6)
    told: EngineSnapshot | None = None
    seen = EngineSnapshot()
    for version, step in enumerate(steps):
        now = EngineSnapshot(version, tuple(replace(tunnels[one], bytes_in=version // 2) for one in step))
        for changes in difference(told, now):
            seen = apply(seen, json.loads(json.dumps(changes)))
        told = now
        assert seen == now


@pytest.mark.parametrize(
    "changes", [{}, {"version": "1"}, {"version": 1, "order": ["x"]}, {"version": 1, "tunnels": [1]}]
)
def test_changes_that_do_not_fit_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        apply(EngineSnapshot(), changes)
