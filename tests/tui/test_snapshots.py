"""Pictures of every screen at both sizes. Renew them with ``pytest tests/tui/test_snapshots.py --snapshot-update``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.screens import LARGE, SMALL, Clock
from tests.support.scripted_engine import ScriptedEngine
from tests.support.tunnel_scenes import IDENTITY, OFFER, PROFILES, PROXY, diagnosis, events, every_state, identity
from tunnelui.tui.app import TunnelApp
from tunnelui.tui.theme import THEMES

if TYPE_CHECKING:
    from textual.pilot import Pilot


NOTES = (
    "The demo's sign-in: alice@example.com with the password amber-falcon-29",
    "no usable keyring; the token stays in memory. To keep it in a private file instead: --token-store file "
    "(or TUNNELUI_TOKEN_STORE=file).",
)
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
    "copy-as": ("states", ["j", "j", "j", "j", "Y"]),
    "test": ("states", ["j", "T"]),
    "marked": ("states", ["j", "j", "m", "m", "h"]),
    "diagnose": ("states", ["D"]),
    "diagnose-sign-in": ("sign-in", ["D"]),
    "profiles": ("profiles", ["P"]),
    "profiles-sign-in": ("sign-in", ["P"]),
    "grouped": ("states", ["f", "G", "f", "b", "g", "left", "G"]),
    "tags": ("states", ["t"]),
    "discover": ("states", ["R", "j", "j"]),
    "discover-signed-out": ("sign-in", ["R"]),
    "import": ("empty", ["I"]),
    "help": ("states", ["question_mark"]),
    "first-run": ("empty", []),
    "sign-in": ("sign-in", ["j", "j", "i"]),
    "sign-in-notes": ("notes", ["j", "j", "i"]),
    "routes-notes": ("notes", ["j"]),
    "routes-light": ("light", []),
    "routes-dusk": ("dusk", []),
    "routes-sand": ("sand", []),
    "routes-contrast": ("contrast", ["d"]),
    "routes-ansi": ("ansi", ["d"]),
    "routes-ascii": ("ascii", []),
}


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "120x36"])
@pytest.mark.parametrize("scene", SCENES)
def test_picture(snap_compare: Any, scene: str, size: tuple[int, int]) -> None:
    kind, keys = SCENES[scene]
    if kind == "empty":
        engine = ScriptedEngine()
    else:
        engine = ScriptedEngine(
            every_state(),
            [identity(sign_in=True) if kind in ("sign-in", "notes") else IDENTITY],
            profiles=PROFILES,
            notes=NOTES if kind == "notes" else (),
        )
    if kind == "states":
        engine.offers["corp", PROXY] = OFFER
    engine.findings = [*diagnosis("token" if kind == "sign-in" else "connect")]
    clock = Clock()
    app = TunnelApp(
        engine,
        now=clock,
        monotonic=clock,
        ascii_only=kind == "ascii",
        theme_name=kind if kind in THEMES else "dark",
        config_path="~/.config/tunnelui/config.toml",
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
