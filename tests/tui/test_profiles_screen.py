"""Profiles and sign-in: several of each at once, one panel for a sign-in, and every key."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual import events
from textual.widgets import Input

from tests.support.screens import LARGE, SMALL, Driven, drive
from tests.support.scripted_engine import ScriptedEngine
from tests.support.tunnel_scenes import HOSTILE, IDENTITY, NOW, PROXY, URL, every_state, hostile_tunnel, identity
from tunnelui.engine.model import (
    EngineSnapshot,
    IdentitySnapshot,
    IdentityStatus,
    Problem,
    ProfileSnapshot,
    State,
)
from tunnelui.errors import AuthError, ConfigError
from tunnelui.tui.lines.access_rows import access_rows
from tunnelui.tui.screens.diagnose import DiagnoseScreen
from tunnelui.tui.screens.profiles import ProfilesScreen
from tunnelui.tui.screens.question import Question
from tunnelui.tui.screens.routes import RoutesScreen
from tunnelui.tui.screens.unlock import Unlock

LAB = "https://pomerium.lab.example:443"
PROFILES = (
    ProfileSnapshot("default"),
    ProfileSnapshot("corp", "https://pomerium.corp.example", ca="/etc/corp-ca.pem", client_cert="/etc/me.pem"),
    ProfileSnapshot("lab", "https://pomerium.lab.example", verify=False),
    ProfileSnapshot("ci", "https://pomerium.corp.example", service_account="/run/token"),
    ProfileSnapshot("spare"),
)
EXPIRED = IdentitySnapshot("lab", LAB, IdentityStatus.EXPIRED, "alice@lab.example", NOW - 5, "keyring")


def _engine(one: IdentitySnapshot = IDENTITY, *others: IdentitySnapshot) -> ScriptedEngine:
    return ScriptedEngine(every_state(), [one, EXPIRED, *others], profiles=PROFILES)


def _row(driven: Driven, name: str) -> str:
    return next(line for line in driven.lines[2:] if f" {name} " in line)


def test_every_pair_has_one_row_in_the_order_of_the_configuration() -> None:
    snapshot = EngineSnapshot(1, every_state(), (IDENTITY, EXPIRED), PROFILES)
    rows = access_rows(snapshot)
    assert [(row.profile, row.proxy) for row in rows] == [("corp", PROXY), ("lab", LAB), ("ci", PROXY), ("spare", "")]
    assert len(rows[0].routes) == 8
    assert (rows[0].identity, rows[1].identity, rows[2].identity) == (IDENTITY, EXPIRED, None)
    assert access_rows(EngineSnapshot()) == ()


async def test_it_shows_who_is_where_and_until_when() -> None:
    async with drive(_engine(replace(IDENTITY, signed_in_at=NOW - 3600, signed_in_by="browser"))) as driven:
        await driven.press("P")
        assert driven.shows(ProfilesScreen)
        assert "● corp" in _row(driven, "corp")
        assert "9h12m" in _row(driven, "corp")
        assert _row(driven, "corp").rstrip().endswith("8")
        assert "expired" in _row(driven, "lab")
        assert "service account" in _row(driven, "ci")
        assert "by browser; token in keyring" in driven.text
        assert "(9h12m). A reminder comes 10 minutes before." in driven.text
        assert "of the system, and /etc/corp-ca.pem" in driven.text
        assert "/etc/me.pem" in driven.text
        assert "tokens: keyring" in driven.lines[0]
        await driven.press("j")
        assert "it has expired" in driven.text
        assert "is NOT checked" in driven.text
        await driven.press("j")
        assert "its token comes from /run/token" in driven.text


async def test_a_column_has_the_room_that_others_do_not_need() -> None:
    who = "somebody.with.a.long.name@corp.example"
    async with drive(_engine(replace(IDENTITY, name=who))) as driven:
        await driven.press("P")
        assert who not in _row(driven, "corp")
        await driven.pilot.resize_terminal(120, 36)
        await driven.settle()
        assert who in _row(driven, "corp")
        assert f"{PROXY.removeprefix('https://')}  {who}  9h12m" in _row(driven, "corp")
        await driven.pilot.resize_terminal(200, 60)
        await driven.settle()
        assert len(_row(driven, "corp").rstrip()) < 120  # what belongs together is not torn apart


async def test_one_panel_lists_every_route_that_waits() -> None:
    async with drive(_engine(identity(sign_in=True))) as driven:
        await driven.press("P")
        assert "Waiting for your sign-in  4m12s left   for 2 routes (jump-ssh, grafana)" in driven.text
        assert "y copies it   b opens a browser   v pastes the answer back   x cancels" in driven.text
        await driven.press("y")
        assert driven.app.clipboard == URL
        await driven.wait(10)
        assert "4m02s left" in driven.text


async def test_two_sign_ins_at_once_each_have_their_row() -> None:
    other = replace(identity(sign_in=True, waiting=("lab-db",), url=URL + "&lab"), profile="lab", proxy=LAB)
    engine = ScriptedEngine(every_state(), [identity(sign_in=True), other], profiles=PROFILES)
    async with drive(engine) as driven:
        await driven.press("P", "j", "y")
        assert "for 1 route (lab-db)" in driven.text
        assert driven.app.clipboard == URL + "&lab"
        assert driven.text.count("signing in") == 2


async def test_a_browser_opens_and_the_answer_is_pasted(monkeypatch: pytest.MonkeyPatch) -> None:
    async with drive(_engine(identity(sign_in=True))) as driven:
        opened: list[str] = []

        async def open_browser(url: str, *, program: str | None) -> str:
            opened.append(url)
            return ""

        monkeypatch.setattr("tunnelui.auth.browser.open_browser", open_browser)
        await driven.press("P", "b")
        assert opened == [URL]
        await driven.press("v")
        await driven.enter_text("bad")
        await driven.press("enter")
        assert "The text holds no token" in driven.text
        await driven.press("escape")
        assert driven.shows(ProfilesScreen)
        driven.app.post_message(events.Paste("good-token"))
        await driven.settle()
        assert driven.app.screen.query_one(Input).value == "good-token"
        assert "good-token" not in driven.text
        await driven.press("enter")
        assert driven.engine.requests[-1] == ("paste", "corp", PROXY, "good-token")
        assert "alice@example.com" in driven.text
        assert not driven.app.screen.query_one("#answer-row").display


async def test_before_the_proxy_answered_there_is_no_address() -> None:
    async with drive(_engine(identity(sign_in=True, url=""))) as driven:
        await driven.press("P", "y", "b")
        assert driven.toasts.count("There is no address yet.") == 1
        assert "Asking the proxy for the address." in driven.text


async def test_i_begins_a_sign_in_in_place() -> None:
    engine = _engine(replace(IDENTITY, status=IdentityStatus.SIGNED_OUT, name="", expires_at=None))
    async with drive(engine) as driven:
        await driven.press("P", "y", "v", "x", "i")
        assert engine.requests == [("sign_in", "corp", PROXY)]
        assert driven.shows(ProfilesScreen)
        assert "Waiting for your sign-in" in driven.text
        driven.engine.fail_with = AuthError("a service account is used here, so nobody signs in")
        await driven.press("i")
        assert driven.toasts[-1].startswith("A service account is used here")


async def test_a_failed_sign_in_says_why_and_how_to_go_on() -> None:
    problem = Problem("timeout", "nobody signed in within 5 minutes", "Start it again.", NOW)
    async with drive(_engine(replace(IDENTITY, status=IdentityStatus.SIGNED_OUT, problem=problem))) as driven:
        await driven.press("P")
        assert "Nobody signed in within 5 minutes" in driven.text
        assert "i starts a sign-in" in driven.text


async def test_signing_out_asks_first() -> None:
    async with drive(_engine()) as driven:
        await driven.press("P", "o")
        assert driven.shows(Question)
        assert "8 routes ask for a sign-in" in driven.text
        await driven.press("n")
        assert driven.engine.requests == []
        await driven.press("o", "y")
        assert driven.engine.requests == [("sign_out", "corp", PROXY)]
        assert driven.toasts[-1] == f"Signed out at {PROXY}."
        await driven.press("j", "j", "o")
        assert driven.toasts[-1] == "Nobody is signed in there."


async def test_a_pending_sign_in_is_cancelled_and_asks_when_routes_wait() -> None:
    async with drive(_engine(identity(sign_in=True))) as driven:
        await driven.press("P", "x", "n")
        assert driven.engine.requests == []
        await driven.press("x", "y")
        assert driven.engine.requests == [("cancel_sign_in", "corp", PROXY)]
        assert driven.shows(ProfilesScreen)
    async with drive(_engine(identity(sign_in=True, waiting=()))) as driven:
        await driven.press("P", "x")
        assert driven.engine.requests == [("cancel_sign_in", "corp", PROXY)]


async def test_enter_shows_the_routes_of_the_profile_alone() -> None:
    engine = _engine()
    other = replace(every_state()[0], route=replace(every_state()[0].route, name="lab-db", profile="lab"), proxy=LAB)
    engine.set(*every_state(), other)
    async with drive(engine) as driven:
        await driven.press("P", "j", "enter")
        assert driven.shows(RoutesScreen)
        assert driven.app.screen.query_one("RouteList").names == ["lab-db"]  # type: ignore[attr-defined]  # a RouteList
        assert "filter @lab" in driven.text


async def test_the_password_of_a_locked_certificate_is_asked_for() -> None:
    locked = Problem("client_certificate_locked", "me.pem: a password is needed", "Run: tunnelui profiles unlock", NOW)
    engine = _engine()
    engine.change("grafana", state=State.ERROR, problem=locked)
    async with drive(engine) as driven:
        await driven.press("slash", *"graf", "enter")
        assert "Give the password in the profiles." in driven.text and "P profiles" in driven.text
        await driven.press("P")
        assert "/etc/me.pem, waits for its password" in driven.text
        assert "can't be used without its password." in driven.text and "p asks for it" in driven.text
        assert "p password" in driven.lines[-1]
        await driven.press("p")
        assert driven.shows(Unlock)
        await driven.press("enter")
        assert "Type or paste the password." in driven.text
        for typed, then in (("wrong-password", "That password does not open it."), ("good-password", "")):
            await driven.enter_text(typed)
            assert typed not in driven.text and "does not open it" not in driven.text
            await driven.press("enter")
            assert driven.engine.requests[-1] == ("unlock", "corp", typed)
            assert driven.shows(Unlock) == bool(then) and then in driven.text
        assert driven.toasts == ["Unlocked /etc/me.pem."]
        assert "waits for its password" not in driven.text
        await driven.press("p")
        driven.engine.fail_with = ConfigError(
            "config.toml says where it comes from", code="password_file", hint="Mend."
        )
        await driven.enter_text("x")
        await driven.press("enter")
        assert "config.toml says where it comes from. Mend." in driven.text
        await driven.press("escape", "j")
        assert driven.shows(ProfilesScreen)
        assert "p password" not in driven.lines[-1]  # a profile without a certificate
        await driven.press("p")
        assert driven.shows(ProfilesScreen)


async def test_t_walks_the_way_of_a_route() -> None:
    async with drive(_engine()) as driven:
        await driven.press("P", "t")
        assert driven.shows(DiagnoseScreen)
        assert driven.engine.requests[0] == ("diagnose", "orders-db")
        await driven.press("escape", "j", "t")
        assert driven.toasts[-1] == "No route leads there yet, so there is no way to test."


async def test_without_a_proxy_there_is_nobody_to_sign_in_to() -> None:
    async with drive(_engine()) as driven:
        await driven.press("P", "G", "i", "o", "escape")
        assert driven.toasts == ["No proxy is known for it yet: a route or config.toml names one."]
        assert driven.shows(RoutesScreen)
        assert driven.engine.requests == []


async def test_rows_are_chosen_by_mouse() -> None:
    async with drive(_engine()) as driven:
        await driven.press("P")
        await driven.pilot.click("#access", offset=(8, 2))
        await driven.settle()
        assert "┤ lab ├" in driven.text
        await driven.pilot.click("#access", offset=(8, 2), times=2)
        await driven.settle()
        assert driven.shows(RoutesScreen)


async def test_a_session_that_ends_soon_is_said_once() -> None:
    async with drive(_engine()) as driven:
        await driven.wait(33_120 - 605)
        assert not driven.toasts
        await driven.wait(10)
        assert driven.toasts == [f"The session at {PROXY} ends in 10 min. i renews it."]
        await driven.wait(60)
        assert len(driven.toasts) == 1


@pytest.mark.parametrize("size", [(40, 14), SMALL, LARGE])
async def test_it_fits_every_size(size: tuple[int, int]) -> None:
    async with drive(_engine(identity(sign_in=True)), size=size) as driven:
        await driven.press("P")
        assert [len(line) for line in driven.lines] == [size[0]] * size[1]


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_text_is_drawn_literally(text: str) -> None:
    tunnel, who = hostile_tunnel(text, State.AUTH)
    settings = ProfileSnapshot(text, text, ca=text, client_cert=text, server_name=text)
    async with drive(ScriptedEngine([tunnel], [who], profiles=[settings])) as driven:
        await driven.press("P", "j", "y", "o", "n", "v", "escape", "t")
        assert driven.app.is_running
        assert all(character.isprintable() for line in driven.lines for character in line)
