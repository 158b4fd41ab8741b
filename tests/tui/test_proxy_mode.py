"""Proxy mode from the screen: the key, the setting, the status bar."""

from __future__ import annotations

import pytest

from tests.support.screens import LARGE, drive
from tests.support.tunnel_scenes import NOW, every_state
from tunnelui.engine.model import Problem, ProxyModeSnapshot
from tunnelui.tui.lines.connect_as import proxy_example
from tunnelui.tui.screens.question import Question
from tunnelui.tui.screens.settings import SettingsScreen


async def test_the_key_turns_it_on_copies_the_address_and_says_how_to_use_it() -> None:
    async with drive() as driven:
        assert "⇄" not in driven.lines[0]
        await driven.press("V")
        assert driven.engine.requests == [("start_proxy", "127.0.0.1:1080")]
        assert driven.app.clipboard == "127.0.0.1:1080"
        assert driven.toasts[-1].startswith(
            "Every route by its real name: curl --proxy socks5h://127.0.0.1:1080 http://grafana.corp:3000/"
        )
        assert "⇄ " in driven.lines[0] and ":1080" in driven.lines[0] and "/s" in driven.lines[0]
        await driven.press("V")
        assert driven.engine.requests[1:] == [("stop_proxy",)]
        assert driven.toasts[-1] == "Proxy mode is off."
        assert "⇄" not in driven.lines[0]


async def test_the_status_bar_has_the_whole_address_where_there_is_room() -> None:
    async with drive(size=LARGE) as driven:
        await driven.press("V")
        assert "⇄ 127.0.0.1:1080" in driven.lines[0]
    async with drive(size=LARGE, ascii_only=True) as driven:
        await driven.press("V")
        assert "<> 127.0.0.1:1080" in driven.lines[0]


@pytest.mark.parametrize(("answer", "then"), [("y", [("stop_proxy",)]), ("n", [])])
async def test_it_asks_before_it_cuts_connections(answer: str, then: list[tuple[str, ...]]) -> None:
    async with drive() as driven:
        driven.engine.proxy_mode(ProxyModeSnapshot(True, "127.0.0.1:1080", NOW, live=2))
        await driven.settle()
        await driven.press("V")
        assert driven.shows(Question)
        assert "2 open connections are cut." in driven.text
        await driven.press(answer)
        assert driven.engine.requests == then


async def test_a_port_that_is_taken_names_its_holder_and_another_one_is_offered() -> None:
    async with drive() as driven:
        driven.engine.taken["127.0.0.1:1080"] = "ssh (pid 4711)"
        await driven.press("V")
        assert driven.shows(Question)
        assert "already in use by" in driven.text and "4711" in driven.text
        await driven.press("n")
        assert driven.engine.requests[1:] == [("stop_proxy",)]
        await driven.press("V", "y")
        assert driven.engine.requests[-1] == ("start_proxy", "127.0.0.1:0")
        assert driven.app.clipboard == "127.0.0.1:40555"


async def test_the_settings_show_and_change_it() -> None:
    async with drive() as driven:
        await driven.press("comma", "j", "j")
        assert driven.shows(SettingsScreen)
        assert "SOCKS5 and HTTP CONNECT" in driven.text
        await driven.press("space")
        assert driven.engine.requests == [("start_proxy", "127.0.0.1:1080")]
        row = next(line for line in driven.lines if line[3:].startswith("Proxy mode"))
        assert "127.0.0.1:1080" in row and "0 open" in row
        driven.app.clear_notifications()
        await driven.settle()
        assert "curl --proxy socks5h://127.0.0.1:1080" in driven.text
        driven.engine.proxy_mode(ProxyModeSnapshot(problem=Problem("local", "the listener broke", "Try again.", NOW)))
        await driven.settle()
        assert "the listener broke. Try again." in driven.text


async def test_the_palette_has_it() -> None:
    async with drive() as driven:
        titles = [command.title for command in driven.app.get_system_commands(driven.app.screen)]
        assert "Proxy mode" in titles


def test_the_example_is_for_a_web_service_where_there_is_one() -> None:
    assert proxy_example("127.0.0.1:1", every_state()).endswith(":3000/")
    assert proxy_example("127.0.0.1:1", ()) == "curl --proxy socks5h://127.0.0.1:1 https://HOST/"
