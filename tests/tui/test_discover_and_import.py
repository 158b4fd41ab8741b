"""What a proxy or a file proposes is looked at and taken line by line, and can be taken back."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.support.screens import LARGE, SMALL, Driven, drive
from tests.support.scripted_engine import ScriptedEngine
from tests.support.tunnel_scenes import HOSTILE, IDENTITY, PROFILES, PROXY, every_state, identity
from tunnelui.config.discovery import Offer
from tunnelui.config.route import Route
from tunnelui.config.route_changes import RouteChange
from tunnelui.config.routes import render_routes
from tunnelui.engine.model import IdentityStatus
from tunnelui.errors import ConfigError
from tunnelui.tui.edits.proposals import Proposal, accepted, summary
from tunnelui.tui.screens.discover import DiscoverScreen
from tunnelui.tui.screens.import_routes import ImportScreen
from tunnelui.tui.screens.routes import RoutesScreen
from tunnelui.tui.screens.sign_in import SignInScreen
from tunnelui.tui.widgets.field import Field
from tunnelui.tui.widgets.proposal_list import ProposalList

if TYPE_CHECKING:
    from pathlib import Path

OFFERED = (
    Route("wiki-db", "wiki-db.corp:5432", profile="corp", note="the wiki", source=f"{PROXY} 9"),
    Route("grafana", "grafana2.corp:3000", profile="corp", source=f"{PROXY} 3"),
    Route("kafka-2", "kafka-2.corp:9092", profile="corp", source=f"{PROXY} 8"),
)
CORP = ("corp", PROXY)


def _engine() -> ScriptedEngine:
    """A proxy that offers two new routes, has moved one, and has two saved ones no more, of which one is up."""
    tunnels = [
        replace(one, route=replace(one.route, source=f"{PROXY} {number}")) if number in (0, 3, 6) else one
        for number, one in enumerate(every_state())
    ]
    engine = ScriptedEngine(tunnels, [IDENTITY], profiles=PROFILES)
    engine.offers[CORP] = Offer(OFFERED, ("dns: UDP is not carried",))
    return engine


async def _read(driven: Driven, path: Path | str = "") -> None:
    """Name the file *path*, or read the same again, and wait until that is done."""
    if path:
        driven.app.screen.query_one("#where", Field).value = str(path)
    await driven.press("enter")
    while "Reading the file." in driven.text:
        await driven.settle()


def _sentence(driven: Driven) -> str:
    """What stands on the screen, on one line."""
    return " ".join(driven.text.split())


def _ticks(driven: Driven) -> dict[str, bool]:
    return {one.route.name: one.taken for one in driven.app.screen.query_one(ProposalList).proposals}


def test_names_in_use_get_numbers_and_names_set_free_do_not() -> None:
    old, new = Route("db", "old.corp:1"), Route("db", "new.corp:1")
    both = [Proposal(RouteChange(None, new)), Proposal(RouteChange(old, None))]
    assert [one.new and one.new.name for one in accepted(both, ["db"])] == ["db", None]
    left = [both[0], replace(both[1], taken=False)]
    assert [one.new and one.new.name for one in accepted(left, ["db"])] == ["db-2"]
    twice = [Proposal(RouteChange(None, new)), Proposal(RouteChange(None, replace(new, destination="x.corp:2")))]
    assert [one.new and one.new.name for one in accepted(twice, [])] == ["db", "db-2"]


def test_changes_are_summed_up() -> None:
    old, new = Route("a", "a:1"), Route("b", "b:1")
    add, change, remove = RouteChange(None, new), RouteChange(old, new), RouteChange(old, None)
    assert summary([add, add, change, remove]) == "2 routes added, 1 changed, 1 removed"
    assert summary([remove]) == "1 route removed"
    assert summary([]) == "nothing"


async def test_the_list_is_a_difference_and_routes_that_are_up_stay_by_themselves() -> None:
    async with drive(_engine()) as driven:
        await driven.press("R")
        assert driven.shows(DiscoverScreen)
        assert driven.engine.requests == [("offer", *CORP)]
        assert _ticks(driven) == {
            "wiki-db": True, "kafka-2": True, "grafana": True, "orders-db": False, "kafka-1": True,
        }  # fmt: skip
        assert "[x] + new      wiki-db" in driven.text
        assert "[x] ~ changed  grafana" in driven.text
        assert "grafana.corp:3000 → grafana2.corp:3000" in driven.text
        assert "[ ] - gone     orders-db" in driven.text
        assert "4 of 5 taken" in driven.lines[0]
        assert "dns: UDP is not carried" in driven.text
        assert "the wiki" in driven.text


async def test_lines_are_taken_saved_and_taken_back() -> None:
    async with drive(_engine()) as driven:
        before = driven.engine.state.tunnels
        await driven.press("R", "space", "space", "ctrl+s")
        assert driven.engine.requests[-1] == ("change_routes", "grafana>grafana", "kafka-1>")
        assert driven.shows(RoutesScreen)
        assert driven.toasts[-1] == "Saved: 1 route changed, 1 removed. u takes it back."
        tunnel = driven.engine.state.tunnel("grafana")
        assert tunnel is not None
        assert (tunnel.route.destination, tunnel.route.listen) == ("grafana2.corp:3000", "127.0.0.1:13000")
        await driven.press("u")
        assert {one.route for one in driven.engine.state.tunnels} == {one.route for one in before}
        assert driven.toasts[-1] == "Taken back: 1 route changed, 1 removed."


async def test_all_are_taken_or_left() -> None:
    async with drive(_engine()) as driven:
        await driven.press("R", "asterisk")
        assert all(_ticks(driven).values())
        await driven.press("asterisk", "enter")
        assert driven.toasts[-1] == "Nothing is ticked. space takes a line, * all of them."
        assert driven.shows(DiscoverScreen)
        await driven.press("escape")
        assert driven.engine.requests == [("offer", *CORP)]


async def test_what_a_line_means_stands_below() -> None:
    async with drive(_engine()) as driven:
        await driven.press("R", "j", "j")
        assert "your name, tags, local address, note and program" in driven.text
        await driven.press("j")
        assert "The proxy does not offer it any more." in driven.text
        assert "2 open connections end." in driven.text


async def test_boxes_are_ticked_by_mouse() -> None:
    async with drive(_engine()) as driven:
        await driven.press("R")
        await driven.pilot.click("#proposals", offset=(4, 4))
        await driven.settle()
        assert _ticks(driven)["orders-db"]
        await driven.pilot.click("#proposals", offset=(20, 1))
        await driven.settle()
        assert _ticks(driven)["wiki-db"]
        assert "┤ wiki-db ├" in driven.text


async def test_without_a_sign_in_one_key_leads_there_and_the_list_comes_afterwards() -> None:
    engine = _engine()
    offer = engine.offers.pop(CORP)
    out = replace(IDENTITY, status=IdentityStatus.SIGNED_OUT, name="", expires_at=None)
    engine.set(*engine.state.tunnels, identities=[out])
    async with drive(engine) as driven:
        await driven.press("R", "space", "ctrl+s")
        assert f"Nobody is signed in at {PROXY}." in driven.text
        await driven.press("i")
        assert driven.shows(SignInScreen)
        engine.offers[CORP] = offer
        engine.set(*engine.state.tunnels, identities=[identity()])
        await driven.settle()
        await driven.settle()
        assert "4 of 5 taken" in driven.lines[0]


async def test_nothing_to_do_says_so() -> None:
    engine = _engine()
    engine.set(*every_state())
    engine.offers[CORP] = Offer(tuple(replace(one.route, source="") for one in every_state()[:2]), ("a note",))
    async with drive(engine) as driven:
        await driven.press("R")
        assert "It offers 2 TCP routes, and all of them are saved." in driven.text
        engine.offers[CORP] = Offer()
        await driven.press("R")
        assert "It offers no TCP routes." in driven.text


async def test_several_proxies_take_turns_and_another_one_can_be_typed() -> None:
    engine = _engine()
    lab = replace(every_state()[1], proxy="https://lab.example:443", route=Route("lab", "x.lab:1"))
    engine.set(*engine.state.tunnels, lab)
    engine.offers["default", "https://lab.example:443"] = Offer((Route("lab-db", "db.lab:1"),))
    async with drive(engine) as driven:
        await driven.press("R", "p")
        assert "default at https://lab.example:443" in driven.lines[0]
        assert _ticks(driven) == {"lab-db": True}
        await driven.press("p")
        assert "corp at" in driven.lines[0]
        await driven.press("a")
        await driven.enter_text("nonsense://x")
        await driven.press("enter")
        assert "✕" not in driven.lines[0]
        assert engine.requests[-1] == ("offer", *CORP)
        driven.app.screen.query_one("#where", Field).value = "https://other.example"
        await driven.press("enter")
        assert engine.requests[-1] == ("offer", "corp", "https://other.example:443")
        assert "signs in; the list comes by itself" in driven.text
        await driven.press("p")  # is no letter of the address by now
        assert "default at https://lab.example:443" in driven.lines[0]


async def test_the_first_run_asks_for_a_proxy() -> None:
    engine = ScriptedEngine()
    engine.offers["default", "https://proxy.example:443"] = Offer((Route("db", "db.corp:1"),))
    async with drive(engine) as driven:
        assert "R  load the routes that your proxy lets you use" in driven.text
        await driven.press("R")
        assert "Which proxy?" in driven.text
        await driven.enter_text("https://proxy.example")
        await driven.press("enter")
        assert _ticks(driven) == {"db": True}
        await driven.press("enter")
        assert engine.requests[-1] == ("change_routes", ">db")
        assert driven.shows(RoutesScreen)
        assert "db.corp:1" in driven.text


async def test_a_refusal_keeps_the_screen_and_what_was_ticked() -> None:
    async with drive(_engine()) as driven:
        await driven.press("R", "space")
        driven.engine.fail_with = ConfigError("the file can't be written", hint="Make room.")
        await driven.press("ctrl+s")
        assert driven.toasts[-1] == "The file can't be written. Make room."
        assert not _ticks(driven)["wiki-db"]
        driven.engine.fail_with = RuntimeError("surprise [/x]")
        await driven.press("R")
        assert "That did not work: surprise [/x]" in driven.text


async def test_a_file_shows_what_it_would_add_before_it_does(tmp_path: Path) -> None:
    known = every_state()[0].route
    routes = [known, Route("kafka-1", "other.corp:1"), Route("ours", "a.corp:1", profile="elsewhere")]
    file = tmp_path / "routes.toml"
    file.write_text(render_routes(routes))
    async with drive() as driven:
        await driven.press("I")
        assert driven.shows(ImportScreen)
        await _read(driven, file)
        assert _ticks(driven) == {"kafka-1-2": True, "ours": False}
        assert "“kafka-1” is saved as “kafka-1-2”" in driven.text
        await driven.press("j", "space")
        assert "there is no profile “elsewhere”" in driven.toasts[-1]
        assert "[!]" in driven.text
        assert driven.engine.requests == []
        await driven.press("ctrl+s")
        assert driven.engine.requests == [("change_routes", ">kafka-1-2")]
        assert driven.toasts[-1] == "Saved: 1 route added. u takes it back."
        await driven.press("u")
        assert driven.engine.requests[-1] == ("change_routes", "kafka-1-2>")


async def test_an_export_of_pomerium_desktop_is_understood(tmp_path: Path) -> None:
    record = {"id": "1", "conn": {"name": "db", "remoteAddr": "db.corp.example:5432", "listenAddr": ":5432"}}
    file = tmp_path / "export.json"
    file.write_text(json.dumps({"records": [record]}))
    async with drive() as driven:
        await driven.press("I")
        await _read(driven, file)
        assert _ticks(driven) == {"db": True}


async def test_a_file_that_can_not_be_read_says_so_and_another_one_can_be_named(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text("[[routes]]\nname = 3\n")
    async with drive() as driven:
        await driven.press("I")
        await _read(driven, tmp_path / "nothing.toml")
        assert "No such file or directory" in driven.text
        await _read(driven, file)
        assert "x.toml:2" in _sentence(driven).replace(" ", "")
        file.write_bytes(b"\xff\xfe")
        await _read(driven)
        assert "is no text in UTF-8" in _sentence(driven)
        file.write_text("")
        await _read(driven)
        assert "It has no routes." in driven.text


@pytest.mark.parametrize("size", [(40, 14), SMALL, LARGE])
async def test_it_fits_every_size(size: tuple[int, int]) -> None:
    async with drive(_engine(), size=size) as driven:
        await driven.press("R")
        assert [len(line) for line in driven.lines] == [size[0]] * size[1]
        await driven.press("escape", "I")
        assert [len(line) for line in driven.lines] == [size[0]] * size[1]


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_offers_are_drawn_literally(text: str) -> None:
    engine = _engine()
    engine.offers[CORP] = Offer((Route(text, text, profile="corp", note=text, source=f"{PROXY} 1"),), (text,) * 3)
    async with drive(engine) as driven:
        await driven.press("R", "j", "space", "G", "ctrl+s")
        assert driven.app.is_running
        assert all(character.isprintable() for line in driven.lines for character in line)


async def test_five_thousand_lines_are_no_trouble() -> None:
    engine = _engine()
    engine.offers[CORP] = Offer(
        tuple(
            Route(f"r{number}", f"h{number}.corp:1", profile="corp", source=f"{PROXY} {number}")
            for number in range(5000)
        )
    )
    async with drive(engine) as driven:
        await driven.press("R")
        await driven.press("G", "asterisk", "asterisk")
        await driven.press("ctrl+s")
        assert len(engine.state.tunnels) >= 5000
