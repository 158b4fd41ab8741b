"""The tunnels of other commands on the screen."""

from __future__ import annotations

import pytest

from tests.support.screens import drive
from tests.support.tunnel_scenes import NOW
from tunnelui.engine.programs import ProgramTunnel, RunningProgram
from tunnelui.tui.screens.programs import OtherCommands
from tunnelui.tui.screens.question import Question

PSQL = RunningProgram(
    "exec",
    4711,
    NOW - 300,
    (
        ProgramTunnel("orders-db", "127.0.0.1:40001", "db.corp.example.com:5432"),
        ProgramTunnel("cache", "127.0.0.1:40002", "cache.corp.example.com:6379"),
    ),
    "psql",
)
PROXY = RunningProgram("proxy", 4712, NOW - 5, (ProgramTunnel("", "127.0.0.1:1080", "every route, by its name"),))


async def test_they_are_listed_with_process_and_program() -> None:
    async with drive() as driven:
        driven.engine.others = (PSQL, PROXY)
        await driven.press("E")
        await driven.settle()
        assert driven.shows(OtherCommands)
        assert "127.0.0.1:40001  db.corp.example.com:5432" in driven.text
        assert "127.0.0.1:1080  every route, by its name" in driven.text
        assert "exec, runs psql: pid 4711, for 5m" in driven.text
        await driven.press("j", "y")
        assert driven.app.clipboard == "127.0.0.1:40002"
        await driven.press("j")
        assert "proxy: pid 4712, for 5s" in driven.text
        await driven.press("E", "escape")
        assert not driven.shows(OtherCommands)


@pytest.mark.parametrize(("answer", "then"), [("y", [("stop_program", "4711")]), ("n", [])])
async def test_one_is_asked_to_end_after_a_question(answer: str, then: list[tuple[str, ...]]) -> None:
    async with drive() as driven:
        driven.engine.others = (PSQL,)
        await driven.press("E")
        await driven.settle()
        await driven.press("x")
        assert driven.shows(Question)
        assert "End tunnelui exec (pid 4711)?" in driven.text and "It runs psql, which is asked to end" in driven.text
        await driven.press(answer)
        assert driven.engine.requests == then
        await driven.settle()
        assert driven.shows(OtherCommands)


async def test_nothing_to_list_says_what_would_be() -> None:
    async with drive() as driven:
        await driven.press("E")
        await driven.settle()
        assert "None is running." in driven.text
        await driven.press("x", "y")
        assert driven.shows(OtherCommands)


async def test_hostile_text_of_another_process_is_shown_as_text() -> None:
    async with drive() as driven:
        tunnel = ProgramTunnel("[bold]x", "127.0.0.1:1", "[red]db[/red]:5432")
        driven.engine.others = (RunningProgram("exec", 1, NOW, (tunnel,), "[b]psql"),)
        await driven.press("E")
        await driven.settle()
        assert "[red]db[/red]:5432" in driven.text and "[b]psql" in driven.text
