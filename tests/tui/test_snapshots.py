"""Pictures of every screen at both sizes. Renew them with ``pytest tests/tui/test_snapshots.py --snapshot-update``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.screens import LARGE, SMALL, Clock
from tests.support.scripted_engine import ScriptedEngine
from tests.support.tunnel_scenes import IDENTITY, events, every_state, identity
from tunnelui.tui.app import TunnelApp

if TYPE_CHECKING:
    from textual.pilot import Pilot


SCENES: dict[str, tuple[str, list[str]]] = {
    "routes": ("states", []),
    "routes-live": ("states", ["j", "j", "j", "j"]),
    "routes-filtering": ("states", ["slash", "d", "b"]),
    "delete": ("states", ["d"]),
    "detail-live": ("states", ["j", "j", "j", "j", "enter"]),
    "detail-problem": ("states", ["j", "enter"]),
    "log": ("states", ["L"]),
    "form-add": ("states", ["a"]),
    "form-edit": ("states", ["j", "e"]),
    "help": ("states", ["question_mark"]),
    "first-run": ("empty", []),
    "sign-in": ("sign-in", ["j", "j", "i"]),
    "routes-light": ("light", []),
    "routes-ascii": ("ascii", []),
}


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "120x36"])
@pytest.mark.parametrize("scene", SCENES)
def test_picture(snap_compare: Any, scene: str, size: tuple[int, int]) -> None:
    kind, keys = SCENES[scene]
    if kind == "empty":
        engine = ScriptedEngine()
    else:
        engine = ScriptedEngine(every_state(), [identity(sign_in=True) if kind == "sign-in" else IDENTITY])
    clock = Clock()
    app = TunnelApp(
        engine,
        now=clock,
        monotonic=clock,
        ascii_only=kind == "ascii",
        theme_name="light" if kind == "light" else "dark",
        config_path="~/.config/tunnelui/config.toml",
        profiles={"default": "", "corp": "https://pomerium.corp.example"},
    )

    async def before(pilot: Pilot[None]) -> None:
        for event in events():
            await engine.tell(event)
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
        app.clear_notifications()
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=before)
