"""The screens of access on the real thing: the demo's server, a sign-in, what the proxy offers, a diagnosis."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import pytest

from tests.support.screens import screen_lines
from tunnelui.auth.stores import MemoryStore
from tunnelui.cli.demo_backend import run_backend
from tunnelui.cli.demo_browser import browse
from tunnelui.engine.local import LocalEngine
from tunnelui.tui.app import TunnelApp

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.pilot import Pilot


async def _until(app: TunnelApp, pilot: Pilot[None], condition: Callable[[str], object]) -> str:
    """Wait until the screen is as *condition* wants it; return its text."""
    with anyio.fail_after(60):
        while True:
            await pilot.pause()
            text = "\n".join(screen_lines(app.screen))
            if condition(text):
                return text
            await anyio.sleep(0.05)


@pytest.mark.timeout(400)
async def test_sign_in_discover_undo_and_diagnose() -> None:
    async with run_backend() as demo:
        engine = LocalEngine(
            settings=demo.settings, store=MemoryStore(), routes=demo.routes[:2], service_account=lambda profile: None
        )
        async with engine:
            app = TunnelApp(engine, ascii_only=False)
            async with app.run_test(size=(100, 30)) as pilot:
                await _until(app, pilot, lambda text: demo.routes[0].name in text)
                await pilot.press("R")
                await _until(app, pilot, lambda text: "i signs in; the list comes by itself" in text)
                await pilot.press("i")
                await _until(app, pilot, lambda text: "/.pomerium/sign_in?" in text)
                (identity,) = engine.snapshot().identities
                assert identity.sign_in is not None
                answers = dict.fromkeys(("email", "username", "user"), demo.user) | {"password": demo.password}
                await anyio.to_thread.run_sync(partial(browse, identity.sign_in.url, answers, timeout=20))
                text = await _until(app, pilot, lambda text: "2 of 2 taken" in text)
                assert "[x] + new" in text
                await pilot.press("ctrl+s")
                await _until(app, pilot, lambda text: len(engine.snapshot().tunnels) == 4)
                await pilot.press("u")
                await _until(app, pilot, lambda text: len(engine.snapshot().tunnels) == 2)
                await pilot.press("P")
                text = await _until(app, pilot, lambda text: "by browser; token in memory" in text)
                assert demo.user in text
                await pilot.press("t")
                text = await _until(app, pilot, lambda text: "The way" in text)
                assert "it speaks Pomerium's sign-in protocol" in text
                assert f"signed in as {demo.user}" in text
                assert "The way is open." in text
                assert app.faults == ()
