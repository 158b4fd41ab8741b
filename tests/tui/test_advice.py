"""The words of the strip: every state says what happened and what to do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.tunnel_scenes import NOW, every_state, identity
from tunnelui.engine.model import IdentityStatus, Problem, State, TunnelSnapshot
from tunnelui.tui.keys.bindings import TABLE
from tunnelui.tui.lines.advice import advise
from tunnelui.tui.style.glyphs import UNICODE
from tunnelui.tui.widgets.strip import strip_lines

BY_NAME = {tunnel.route.name: tunnel for tunnel in every_state()}


@pytest.mark.parametrize(
    ("name", "what", "then", "hint"),
    [
        ("orders-db", "2 connections to db.corp.example:5432, up 2h14m", "", "copy.local"),
        ("redis-stage", "listening on 127.0.0.1:16379, no connection yet", "Point a client at it.", "copy.local"),
        ("jump-ssh", "the proxy wants you to sign in", "", "access.sign_in"),
        (
            "grafana",
            "the proxy pomerium.corp.example:443 is unavailable: 503 upstream unavailable",
            "last try 14:13:16, next in 8s.",
            "tunnel.restart",
        ),
        (
            "win-rdp",
            "127.0.0.1:3389 is already in use by xrdp (pid 812)",
            "Stop the other program, or choose another port.",
            "tunnel.restart",
        ),
        (
            "billing-db",
            "alice@corp.example may not use billing.corp:5432",
            "Ask the administrator of pomerium.corp.example for access.",
            "tunnel.restart",
        ),
        ("kafka-1", "off, would listen on any free port, to kafka-1.corp:9092", "", "tunnel.toggle"),
        (
            "vnc-lab",
            "the certificate of the proxy pomerium.lab.example:443 is not trusted: it is for old.lab.example",
            "Name the right CA (ca_file of the profile, config.toml) or the right host; don't skip the check.",
            "tunnel.restart",
        ),
    ],
)
def test_every_state_has_its_words(name: str, what: str, then: str, hint: str) -> None:
    advice = advise(BY_NAME[name], identity(), NOW)
    assert (advice.what, advice.then, advice.hints[0].binding) == (what, then, hint)


def test_every_hint_names_a_key_that_exists() -> None:
    for tunnel in every_state():
        for who in (None, identity(), identity(sign_in=True)):
            for hint in advise(tunnel, who, NOW).hints:
                assert hint.binding in TABLE


def test_a_sign_in_under_way_counts_down_and_names_the_others() -> None:
    advice = advise(BY_NAME["jump-ssh"], identity(sign_in=True, waiting=("jump-ssh", "grafana", "kafka-1")), NOW)
    assert advice.what == "waiting for your sign-in, 4m12s left, 2 other routes too"
    assert advice.then == "Finish it in the browser."


def test_a_browser_that_did_not_start_is_told() -> None:
    who = identity(sign_in=True)
    assert who.sign_in
    who = replace(who, sign_in=replace(who.sign_in, note="no browser was found; open the address"))
    assert advise(BY_NAME["jump-ssh"], who, NOW).then == "No browser was found."


def test_a_failed_connection_shows_on_a_tunnel_that_is_up() -> None:
    problem = Problem("refused", "the proxy refused the connection", "Check that it runs.", NOW)
    advice = advise(replace(BY_NAME["redis-stage"], problem=problem), identity(), NOW)
    assert (advice.what, advice.then) == (problem.message, problem.hint)


def test_without_a_time_the_next_connection_tries_again() -> None:
    advice = advise(replace(BY_NAME["grafana"], retry_at=None), identity(), NOW)
    assert advice.then == "last try 14:13:16, the next connection tries again."
    advice = advise(BY_NAME["grafana"], identity(), NOW + 9)
    assert advice.then == "last try 14:13:16, trying now."


def test_a_busy_port_counts_down_too() -> None:
    advice = advise(replace(BY_NAME["win-rdp"], retry_at=NOW + 3), identity(), NOW)
    assert advice.then == "Stop the other program, or choose another port. Try: next in 3s."


def test_a_tunnel_that_was_used_is_not_called_new() -> None:
    advice = advise(replace(BY_NAME["redis-stage"], bytes_in=7), identity(), NOW)
    assert advice.what == "listening on 127.0.0.1:16379, no connection open"


def test_a_service_account_is_not_told_to_sign_in_as_someone_else() -> None:
    who = replace(identity(), status=IdentityStatus.SERVICE_ACCOUNT)
    assert "access.sign_in" not in [hint.binding for hint in advise(BY_NAME["billing-db"], who, NOW).hints]


@pytest.mark.parametrize(("width", "told"), [(60, False), (80, False), (140, True)])
def test_the_request_of_a_refusal_is_told_where_there_is_room(width: int, told: bool) -> None:
    advice = advise(BY_NAME["billing-db"], identity(), NOW)
    lines = strip_lines("billing-db", advice, "$ink", lambda id: TABLE[id].key[:5], width, UNICODE)
    assert ("Request 9a8c0f2d." in lines[1].plain) is told
    assert "9a8c" not in lines[1].plain or told


def test_a_refusal_by_an_unknown_proxy_has_words_too() -> None:
    for proxy in ("", "[1, 2", "https://[::1"):
        advice = advise(replace(BY_NAME["billing-db"], proxy=proxy), None, NOW)
        assert advice.then == "Ask the proxy's administrator for access."


@pytest.mark.parametrize("state", list(State))
def test_no_state_needs_a_problem_to_have_words(state: State) -> None:
    bare = TunnelSnapshot(BY_NAME["kafka-1"].route, state)
    assert advise(bare, None, NOW).what


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("name", list(BY_NAME))
def test_both_lines_fit_and_a_key_stays_visible(name: str, width: int) -> None:
    advice = advise(BY_NAME[name], identity(), NOW)
    lines = strip_lines(name, advice, "$ink", lambda id: TABLE[id].key[:5], width, UNICODE)
    assert all(line.cell_length <= width + 3 for line in lines)
    assert advice.hints[0].words in lines[1].plain
    assert name in lines[0].plain or "…" in lines[0].plain
