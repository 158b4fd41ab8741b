"""The end of a session: a countdown, which key helps, and a reminder when nobody types."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.screens import LARGE, SMALL, drive
from tests.support.scripted_engine import ScriptedEngine
from tests.support.tunnel_scenes import IDENTITY, NOW, PROFILES, every_state

WORDS = "The session at https://pomerium.corp.example:443 ends in 10 min. i renews it."


def _engine(left: float) -> ScriptedEngine:
    return ScriptedEngine(every_state(), [replace(IDENTITY, expires_at=NOW + left)], profiles=PROFILES)


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "120x36"])
async def test_the_first_line_counts_down_and_names_the_key(size: tuple[int, int]) -> None:
    async with drive(_engine(602), size=size) as driven:
        assert "alice@corp.example 10m02s" in driven.lines[0] and "renews" not in driven.lines[0]
        assert driven.toasts == []
        await driven.wait(3)
        assert "alice@corp.example 9m59s left, i renews" in driven.lines[0]
        assert driven.toasts == [WORDS]
        await driven.wait(60)
        assert "8m59s left" in driven.lines[0]
        assert len(driven.toasts) == 1, "once is enough"


async def test_another_key_is_named_as_such() -> None:
    async with drive(_engine(30), keymap={"access.sign_in": "ctrl+l"}) as driven:
        assert "30s left, ^l renews" in driven.lines[0]


@pytest.mark.parametrize(
    ("keys", "back"), [(["slash"], ["escape"]), (["a"], ["escape"]), (["d"], ["n"]), (["q"], ["n"])]
)
async def test_the_reminder_waits_until_the_person_is_done(keys: list[str], back: list[str]) -> None:
    async with drive(_engine(602)) as driven:
        await driven.press(*keys)
        await driven.wait(3)
        await driven.wait(3)
        assert WORDS not in driven.toasts
        await driven.press(*back)
        await driven.wait(1)
        assert WORDS in driven.toasts
