"""The sign-in: the whole address, who waits, how long, and the answer pasted back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from textual import events
from textual.widgets import Input

from tests.support.screens import SMALL, Driven, drive
from tests.support.scripted_engine import ScriptedEngine
from tests.support.tunnel_scenes import NOW, PROXY, URL, every_state, identity
from tunnelui.config.profile import Profile
from tunnelui.config.settings import Settings
from tunnelui.engine.model import IdentityStatus, Problem, ProfileSnapshot
from tunnelui.errors import ConfigError
from tunnelui.tui.screens.profiles import ProfilesScreen
from tunnelui.tui.screens.question import Question
from tunnelui.tui.screens.routes import RoutesScreen
from tunnelui.tui.screens.sign_in import SignInScreen
from tunnelui.tui.surroundings import Surroundings

if TYPE_CHECKING:
    from pathlib import Path


def _engine(url: str = URL, waiting: tuple[str, ...] = ("jump-ssh", "grafana")) -> ScriptedEngine:
    return ScriptedEngine(every_state(), [identity(sign_in=True, url=url, waiting=waiting)])


def _shown_url(driven: Driven) -> str:
    return "".join(line.plain.strip() for line in driven.app.screen.query_one("#url").lines)  # type: ignore[attr-defined]  # a LineView


async def _opened(driven: Driven) -> None:
    """Wait until the browser has been started, or was not."""
    if opening := [each for each in driven.app.workers if each.group == "browser"]:
        await driven.app.workers.wait_for_complete(opening)
    await driven.settle()


async def test_it_shows_the_address_the_routes_and_the_time_left() -> None:
    async with drive(_engine()) as driven:
        await driven.press("i")
        assert "2 routes wait for it: jump-ssh, grafana" in driven.text
        assert "4m12s left" in driven.text
        assert _shown_url(driven) == URL
        await driven.wait(10)
        assert "4m02s left" in driven.text


@pytest.mark.parametrize("key", ["i", "P"], ids=["sign-in", "profiles"])
async def test_the_message_that_a_sign_in_is_needed_goes_where_the_sign_in_is_shown(key: str) -> None:
    async with drive(_engine()) as driven:
        assert "Sign-in needed at" in driven.text
        await driven.press(key)
        assert "Sign-in needed at" not in driven.text


@pytest.mark.parametrize("key", ["i", "P"], ids=["sign-in", "profiles"])
async def test_no_browser_is_spoken_of_where_none_is_opened(key: str) -> None:
    engine = _engine()
    profiles = tuple(ProfileSnapshot(each, opens_browser=False) for each in ("default", "corp"))
    quiet = ScriptedEngine(engine.snapshot().tunnels, engine.snapshot().identities, profiles=profiles)
    for one, opens in ((engine, True), (quiet, False)):
        async with drive(one) as driven:
            await driven.press(key)
            assert ("A browser window should have opened." in driven.text) == opens
            assert ("No browser is opened for this profile (open_browser in config.toml)." in driven.text) != opens
            assert ("No browser here?" in driven.text) == opens
            assert driven.text.lower().count("on any machine") == 1


async def test_what_is_said_of_a_browser_is_a_sentence() -> None:
    note = "no browser was found on this machine; open the address anywhere and paste the one that it ends on"
    who = identity(sign_in=True, url=URL)
    assert who.sign_in is not None
    who = replace(who, sign_in=replace(who.sign_in, note=note))
    async with drive(ScriptedEngine(every_state(), [who])) as driven:
        await driven.press("i")
        assert "  No browser was found on this machine; open the address" in driven.text


async def test_a_very_long_address_is_whole_on_the_screen_and_in_the_clipboard() -> None:
    url = URL + "&x=" + "y" * 5000
    async with drive(_engine(url)) as driven:
        await driven.press("i", "y")
        assert driven.app.clipboard == url
        assert _shown_url(driven) == url
        assert driven.toasts[-1].startswith("Copied the whole address by the terminal: https://authenticate.corp")


async def test_b_opens_the_browser_that_the_settings_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Far from our terminal, where a text browser would fight with the screen for the keys."""
    opened = tmp_path / "opened"
    script = f'#!/bin/sh\n{{ echo "$1"; [ -t 0 ] || [ -t 1 ] || echo away; }} > {opened}\n'
    browser = tmp_path / "w3m"
    browser.write_text(script)
    browser.chmod(0o755)
    monkeypatch.delenv("TUNNELUI_BROWSER_CMD", raising=False)
    settings = Settings({"corp": Profile("corp", browser_cmd=str(browser))})
    async with drive(_engine(), surroundings=lambda: Surroundings(settings)) as driven:
        await driven.press("i", "b")
        await _opened(driven)
        assert opened.read_text() == f"{URL}\naway\n"
        assert driven.toasts[-1] == "Asked for a browser window."


async def test_b_says_why_no_browser_opens_over_ssh(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TUNNELUI_BROWSER_CMD", "BROWSER", "DISPLAY", "SSH_TTY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22")
    async with drive(_engine()) as driven:
        await driven.press("i", "b")
        await _opened(driven)
        assert driven.toasts[-1] == (
            "tunnelui was started over ssh, so no browser is opened here; open the address on your own machine and "
            "paste the one that it ends on. y copies it."
        )


async def test_before_the_proxy_answered_there_is_no_address_to_copy() -> None:
    async with drive(_engine("")) as driven:
        await driven.press("i", "y", "b")
        assert driven.toasts.count("There is no address yet.") == 1
        assert "Asking the proxy for the address." in driven.text


async def test_the_answer_is_pasted_and_the_screen_closes() -> None:
    async with drive(_engine()) as driven:
        await driven.press("i", "v")
        await driven.enter_text("good-token")
        assert "good-token" not in driven.text
        await driven.press("enter")
        assert driven.engine.requests[-1] == ("paste", "corp", PROXY, "good-token")
        assert driven.shows(RoutesScreen)
        assert "● alice@example.com" in driven.lines[0]


async def test_text_pasted_anywhere_goes_into_the_field() -> None:
    async with drive(_engine()) as driven:
        await driven.press("i")
        driven.app.post_message(events.Paste("  http://127.0.0.1:40001/n?pomerium_jwt=x  "))
        await driven.settle()
        assert driven.app.screen.query_one(Input).value == "http://127.0.0.1:40001/n?pomerium_jwt=x"
        assert driven.app.focused is driven.app.screen.query_one(Input)


async def test_an_address_that_was_copied_in_lines_is_put_together() -> None:
    async with drive(_engine()) as driven:
        await driven.press("i", "v")
        driven.app.post_message(events.Paste("http://127.0.0.1:40001/n?pomerium_\n  jwt=x\r\ny \n"))
        await driven.settle()
        assert driven.app.screen.query_one(Input).value == "http://127.0.0.1:40001/n?pomerium_jwt=xy"
        await driven.press("escape")
        driven.app.post_message(events.Paste("http://127.0.0.1:1/\n  n"))
        await driven.settle()
        assert driven.app.screen.query_one(Input).value == "http://127.0.0.1:1/n"


async def test_a_wrong_answer_says_what_to_do_and_keeps_the_screen() -> None:
    async with drive(_engine()) as driven:
        await driven.press("i", "v")
        await driven.enter_text("bad")
        await driven.press("enter")
        assert "The text holds no token. Paste the whole address." in driven.text
        assert driven.shows(SignInScreen)
        driven.engine.fail_with = RuntimeError("surprise [/x]")
        await driven.press("enter")
        assert "that did not work: surprise [/x]" in driven.text
        await driven.press("escape")
        assert driven.shows(SignInScreen)
        assert driven.app.focused is None
        assert "surprise" not in driven.text


async def test_escape_asks_when_routes_wait_and_cancels() -> None:
    async with drive(_engine()) as driven:
        await driven.press("i", "escape")
        assert driven.shows(Question)
        await driven.press("n")
        assert driven.shows(SignInScreen)
        await driven.press("escape", "y")
        assert driven.engine.requests[-1] == ("cancel_sign_in", "corp", PROXY)
        assert driven.shows(RoutesScreen)


@pytest.mark.parametrize("keys", [("i", "escape"), ("P", "x")], ids=["sign-in", "profiles"])
async def test_a_sign_in_that_ends_under_the_question_takes_it_along(keys: tuple[str, ...]) -> None:
    async with drive(_engine()) as driven:
        await driven.press(*keys)
        assert driven.shows(Question)
        driven.engine.set(*every_state(), identities=[identity()])
        await driven.settle()
        assert driven.shows(RoutesScreen if "i" in keys else ProfilesScreen)
        assert "cancel_sign_in" not in {request[0] for request in driven.engine.requests}


async def test_a_sign_in_that_ends_under_the_help_closes_after_it() -> None:
    async with drive(_engine()) as driven:
        for key in ("question_mark", "ctrl+p"):
            await driven.press("i", key)
            over = driven.app.screen
            driven.engine.set(*every_state(), identities=[identity()])
            await driven.settle()
            assert driven.app.screen is over
            await driven.press("escape")
            assert driven.shows(RoutesScreen)
            driven.engine.set(*every_state(), identities=[identity(sign_in=True)])


async def test_escape_cancels_at_once_when_nothing_waits() -> None:
    async with drive(_engine(waiting=())) as driven:
        await driven.press("i", "escape")
        assert driven.engine.requests[-1] == ("cancel_sign_in", "corp", PROXY)
        assert driven.shows(RoutesScreen)


async def test_w_goes_back_and_leaves_it_open() -> None:
    async with drive(_engine()) as driven:
        await driven.press("i", "w")
        assert driven.shows(RoutesScreen)
        assert driven.engine.requests == [("sign_in", "corp", PROXY)]
        assert "◌ signing in 4m12s" in driven.lines[0]


async def test_it_closes_when_the_browser_finished() -> None:
    async with drive(_engine()) as driven:
        await driven.press("i")
        driven.engine.set(*every_state(), identities=[identity()])
        await driven.settle()
        assert driven.shows(RoutesScreen)


async def test_a_failure_stays_on_the_screen_with_its_hint_and_i_starts_again() -> None:
    async with drive(_engine()) as driven:
        await driven.press("i")
        assert "y copy  b browser  v paste  w leave open  esc cancel" in driven.lines[-1]
        await driven.press("v")
        assert "esc back" in driven.lines[-1]  # out of the field
        await driven.press("escape")
        assert "start again" not in driven.lines[-1]
        hint = "Try again, or sign in beforehand: tunnelui login (--device or --paste where no browser opens)."
        failed = replace(
            identity(),
            status=IdentityStatus.SIGNED_OUT,
            problem=Problem("sign_in_failed", "nobody signed in within 5 minutes", hint, NOW),
        )
        driven.engine.set(*every_state(), identities=[failed])
        await driven.settle()
        assert "Nobody signed in within 5 minutes" in driven.text
        assert "  Try again. " in driven.text
        assert "tunnelui login" not in driven.text
        assert driven.lines[-1].startswith(" i start again  esc back ")
        assert "i starts again" in driven.text
        assert not driven.app.screen.query_one("#answer-row").display
        await driven.press("v", "i")
        assert driven.engine.requests[-1] == ("sign_in", "corp", PROXY)
        assert "Waiting for your sign-in" in driven.text
        driven.engine.set(*every_state(), identities=[failed])
        await driven.settle()
        await driven.press("escape")
        assert driven.shows(RoutesScreen)
        assert driven.engine.requests[-1] == ("sign_in", "corp", PROXY)  # there was nothing to cancel


async def test_a_sign_in_that_can_not_begin_says_why() -> None:
    async with drive() as driven:
        driven.engine.fail_with = ConfigError("there is no such profile")
        await driven.press("i")
        assert driven.toasts[-1] == "There is no such profile."
        await driven.press("escape")
        assert driven.shows(RoutesScreen)


async def test_beginning_and_ending_are_told_on_the_list() -> None:
    async with drive() as driven:
        driven.engine.set(*every_state(), identities=[identity(sign_in=True)])
        await driven.settle()
        assert driven.toasts[-1] == f"Sign-in needed at {PROXY}. i shows the address."
        driven.engine.set(*every_state(), identities=[identity()])
        await driven.settle()
        assert driven.toasts[-1] == "Signed in as alice@corp.example."
        renewing = replace(identity(), sign_in=identity(sign_in=True).sign_in)
        for who in (renewing, identity()):
            driven.engine.set(*every_state(), identities=[who])
            await driven.settle()
        assert driven.toasts == ["The sign-in was cancelled; the session that you have stays."]
        driven.engine.set(*every_state(), identities=[identity(sign_in=True)])
        await driven.settle()
        gone = replace(identity(), status=IdentityStatus.SIGNED_OUT)
        driven.engine.set(*every_state(), identities=[gone])
        await driven.settle()
        assert driven.toasts[-1] == "The sign-in was cancelled; nobody is signed in."


@pytest.mark.parametrize("size", [(40, 12), SMALL, (120, 36)])
async def test_it_fits_every_size(size: tuple[int, int]) -> None:
    async with drive(_engine(), size=size) as driven:
        await driven.press("i")
        assert [len(line) for line in driven.lines] == [size[0]] * size[1]
        assert "Waiting for your sign-in" in driven.text
