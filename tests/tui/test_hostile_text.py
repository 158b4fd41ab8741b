"""Hostile text in every field on every screen: shown literally, never run, never wider than the screen."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from tests.support.screens import LARGE, SMALL, Driven, drive
from tests.support.scripted_engine import ScriptedEngine
from tests.support.tunnel_scenes import HOSTILE, hostile_tunnel
from tunnelui.engine.model import State

TEXTS = [*HOSTILE, ""]


def _check(driven: Driven, size: tuple[int, int]) -> None:
    assert driven.app.is_running
    lines = driven.lines
    assert [cell_len(line) for line in lines] == [size[0]] * size[1]
    assert all(character.isprintable() for line in lines for character in line)


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "120x36"])
async def test_all_of_them_in_one_list_that_is_filtered(size: tuple[int, int]) -> None:
    pairs = [hostile_tunnel(text, State.ERROR) for text in TEXTS]
    engine = ScriptedEngine([tunnel for tunnel, _ in pairs], [identity for _, identity in pairs])
    async with drive(engine, size=size) as driven:
        for _ in TEXTS:
            _check(driven, size)
            await driven.press("j")
        await driven.press("slash")
        await driven.enter_text("[/f")
        _check(driven, size)
        await driven.press("enter", "L")
        _check(driven, size)


@pytest.mark.parametrize("state", list(State))
async def test_every_state_survives_markup(state: State) -> None:
    tunnel, identity = hostile_tunnel("[@click=app.quit]x[/] [/foo]", state)
    async with drive(ScriptedEngine([tunnel], [identity])) as driven:
        assert "[@click=app.quit]" in driven.text or "@click" in driven.text
        await driven.pilot.click("#strip", offset=(8, 0))
        await driven.pilot.click("#routes", offset=(6, 1))
        await driven.settle()
        assert not driven.app._exit


@pytest.mark.parametrize("index", [0, 7, 10, 11])
async def test_first_run_survives(index: int) -> None:
    async with drive(ScriptedEngine(), config_path=TEXTS[index]) as driven:
        _check(driven, SMALL)
