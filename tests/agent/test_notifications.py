"""Reminders, and words on the desktop."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import anyio
import pytest

from tests.cli.program import jwt
from tests.support.engine_bench import running
from tunnelui.agent.notifications import reminders, show_notifications, words_for
from tunnelui.engine.model import Event

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.connect_proxy import ConnectProxy
    from tests.support.engine_bench import Bench
    from tests.support.pki import Pki


async def test_a_session_that_ends_soon_is_told_once_and_only_while_it_is_used(bench: Bench) -> None:
    ends = time.time() + 500
    await bench.engine.paste("default", bench.proxy.origin, jwt(email="alice@example.com", exp=int(ends)))
    told: set[tuple[str, str, float]] = set()
    assert reminders(bench.engine, told, time.time()) == []  # nothing is up
    await bench.start()
    assert reminders(bench.engine, told, time.time() - 3600) == []
    (event,) = reminders(bench.engine, told, time.time())
    assert "ends in 8 min" in event.message
    assert "tunnelui login" in event.message
    assert reminders(bench.engine, told, time.time()) == []
    assert json.dumps(event.data)


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (
            Event("sign_in", 0, "x", data={"proxy": "https://p", "url": "https://secret"}),
            "Sign in at https://p to go on",
        ),
        (Event("state", 0, "denied: no", route="db", data={"state": "denied"}), "db: denied: no"),
        (Event("note", 0, "soon", data={"code": "session_ends"}), "soon"),
        (Event("state", 0, "ready", route="db", data={"state": "ready"}), ""),
        (Event("note", 0, "other"), ""),
        (Event("open", 0, "x"), ""),
    ],
)
def test_what_is_worth_an_interruption(event: Event, words: str) -> None:
    assert words_for(event) == words


async def test_words_reach_the_desktop_as_words(
    proxy: ConnectProxy, pki: Pki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "notify-send"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> {tmp_path}/shown\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    async with running(proxy, pki) as bench, anyio.create_task_group() as tasks:
        tasks.start_soon(show_notifications, bench.engine)
        await anyio.sleep(0.05)
        for _ in range(2):
            data = {"state": "error"}
            bench.engine.publish(Event("state", 0, "error: $(touch x)\x1b[31m", route="--db", data=data))
        shown = anyio.Path(tmp_path / "shown")
        with anyio.fail_after(60):
            while not await shown.exists():
                await anyio.sleep(0.02)
        await anyio.sleep(0.3)
        lines = (await shown.read_text()).splitlines()
        assert lines == ["--app-name=tunnelui", "--", "tunnelui", "--db: error: $(touch x)\ufffd[31m"]
        tasks.cancel_scope.cancel()


async def test_a_system_without_a_way_says_so(
    proxy: ConnectProxy, pki: Pki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    async with running(proxy, pki) as bench:
        await show_notifications(bench.engine)
        await bench.until(lambda: bench.of("note"))
        assert "notify-send" in bench.of("note")[0].message
