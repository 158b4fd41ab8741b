"""The diagnosis: it fills in as stages pass, can be left, asked again, copied, and leads to the sign-in."""

from __future__ import annotations

from dataclasses import replace

import anyio
import pytest

from tests.support.screens import LARGE, SMALL, Driven, drive
from tests.support.scripted_engine import ScriptedEngine
from tests.support.tunnel_scenes import HOSTILE, IDENTITY, PROFILES, PROXY, diagnosis, every_state, identity
from tunnelui.engine.findings import Finding, Outcome
from tunnelui.errors import ConfigError
from tunnelui.tui.screens.detail import DetailScreen
from tunnelui.tui.screens.diagnose import DiagnoseScreen
from tunnelui.tui.screens.routes import RoutesScreen
from tunnelui.tui.screens.sign_in import SignInScreen


def _engine(broken: str = "", **options: object) -> ScriptedEngine:
    engine = ScriptedEngine(every_state(), [IDENTITY], profiles=PROFILES)
    engine.findings = [*diagnosis(broken)]
    return engine


def _row(driven: Driven, stage: str) -> str:
    return next(line for line in driven.lines[2:] if f" {stage} " in line)


async def test_stages_fill_in_as_they_pass() -> None:
    engine = _engine()
    gates = [anyio.Event(), anyio.Event()]
    engine.findings = [*engine.findings[:2], gates[0], *engine.findings[2:], gates[1]]
    async with drive(engine) as driven:
        await driven.press("D")
        assert driven.shows(DiagnoseScreen)
        assert "✓  ok      dns         2.1 ms  pomerium.corp.example resolves" in driven.text
        assert "◌  now     tls" in driven.text
        assert "connect" in driven.text
        assert "Looking" in driven.text
        gates[0].set()
        await driven.settle()
        assert "▲  warning tls          24 ms  TLSv1.3" in driven.text
        assert "Tell the proxy's administrator" in driven.text
        gates[1].set()
        await driven.settle()
        assert "The way is open. Have a look at tls." in driven.text


async def test_where_it_ends_stands_with_the_next_step_and_the_request() -> None:
    async with drive(_engine("connect")) as driven:
        await driven.press("D")
        assert "✕  fail    connect" in driven.text
        assert "Ask the owner of the route for access." in driven.text
        assert "request 9a8c0f2d" in driven.text
        assert "○  skip    first byte" in driven.text
        assert "The way ends at connect." in driven.text


async def test_all_well_says_so() -> None:
    engine = _engine()
    engine.findings = [Finding("dns", Outcome.OK, "fine")]
    async with drive(engine) as driven:
        await driven.press("D")
        assert "The way is open, from this machine to the service." in driven.text


async def test_it_opens_from_the_details_and_asks_again() -> None:
    async with drive(_engine("connect")) as driven:
        await driven.press("enter", "D")
        assert driven.shows(DiagnoseScreen)
        driven.engine.findings = [*diagnosis()]
        await driven.press("D")
        assert [request[0] for request in driven.engine.requests].count("diagnose") == 2
        assert "The way is open." in driven.text
        await driven.press("escape")
        assert driven.shows(DetailScreen)


async def test_escape_ends_it_and_a_second_one_does_not_begin_meanwhile() -> None:
    engine = _engine()
    engine.findings = [engine.findings[0], anyio.Event()]
    async with drive(engine) as driven:
        await driven.press("D", "D")
        assert engine.requests == [("diagnose", "billing-db")]
        await driven.press("escape")
        assert driven.shows(RoutesScreen)
        assert engine.requests[-1] == ("diagnosed", "billing-db")


async def test_the_whole_is_copied_as_text() -> None:
    async with drive(_engine("connect")) as driven:
        await driven.press("D", "y")
        text = driven.app.clipboard
        assert text.startswith("billing-db: billing.corp:5432 through https://pomerium.corp.example:443\n2026-09-21 ")
        assert "ok       dns           2.1 ms  pomerium.corp.example resolves\n" in text
        assert "fail     connect               alice@corp.example may not use billing.corp:5432\n" in text
        assert "request 9a8c0f2d" in text
        assert text.endswith("there is no tunnel\n")
        assert driven.toasts[-1] == "Copied the diagnosis by the terminal, 12 lines."
        assert all(len(line) < 140 for line in text.splitlines())


async def test_nothing_is_copied_before_there_is_something() -> None:
    engine = _engine()
    engine.findings = [anyio.Event()]
    async with drive(engine) as driven:
        await driven.press("D", "y")
        assert driven.toasts[-1] == "There is nothing to copy yet."


async def test_a_missing_sign_in_is_one_key_away_and_the_diagnosis_runs_again() -> None:
    engine = _engine("token")
    engine.set(*every_state(), identities=[replace(identity(sign_in=True), sign_in=None)])
    async with drive(engine) as driven:
        await driven.press("D")
        assert driven.text.count("i signs in.") == 2
        await driven.press("i")
        assert driven.shows(SignInScreen)
        assert ("sign_in", "corp", PROXY) in engine.requests
        engine.findings = [*diagnosis()]
        engine.set(*every_state(), identities=[identity()])
        await driven.settle()
        await driven.settle()
        assert driven.shows(DiagnoseScreen)
        assert "signed in as alice@corp.example" in driven.text


async def test_what_goes_wrong_stands_on_the_screen() -> None:
    async with drive(_engine()) as driven:
        driven.engine.fail_with = ConfigError("there is no profile “x”", hint="Mend the route.")
        await driven.press("D")
        assert "There is no profile “x”. Mend the route." in driven.text
        driven.engine.fail_with = RuntimeError("surprise [/x]")
        await driven.press("D")
        assert "that did not work: surprise [/x]" in driven.text
        await driven.press("D")
        assert "The way is open." in driven.text


async def test_long_findings_scroll_by_key() -> None:
    engine = _engine()
    engine.findings = [replace(one, message="long words " * 60) for one in diagnosis()]
    async with drive(engine) as driven:
        await driven.press("D")
        top = _row(driven, "dns")
        await driven.press("j", "down", "j")
        assert top not in driven.lines
        await driven.press("k", "up", "k")
        assert top in driven.lines


async def test_keys_in_the_footer_can_be_clicked() -> None:
    async with drive(_engine()) as driven:
        await driven.press("D")
        foot = driven.lines[-1]
        await driven.pilot.click(offset=(foot.index("esc"), 23))
        await driven.settle()
        assert driven.shows(RoutesScreen)


@pytest.mark.parametrize("size", [(40, 12), SMALL, LARGE])
async def test_it_fits_every_size(size: tuple[int, int]) -> None:
    async with drive(_engine("connect"), size=size) as driven:
        await driven.press("D")
        assert [len(line) for line in driven.lines] == [size[0]] * size[1]
        assert "✓  ok      dns" in driven.text
        assert "The way ends at connect." in driven.text


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_findings_are_drawn_literally(text: str) -> None:
    engine = _engine()
    engine.findings = [
        Finding(stage, Outcome.FAIL, text, text, 0.1, {"request_id": text, "needs": text}) for stage in ("dns", text)
    ]
    async with drive(engine, size=LARGE) as driven:
        await driven.press("D", "y")
        assert driven.app.is_running
        assert all(character.isprintable() for line in driven.lines for character in line)
