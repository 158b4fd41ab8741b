"""A sign of life is asked for, and only after a silence."""

from __future__ import annotations

import asyncio

from tunnelui.agent.heartbeat import Heartbeat


async def test_who_does_not_answer_is_silent_until_something_comes() -> None:
    heartbeat = Heartbeat(quiet=0.05, answer=0.05)
    asked = asyncio.Event()

    async def ask() -> None:
        asked.set()

    watch = asyncio.create_task(heartbeat.watch(ask))
    await asyncio.wait_for(asked.wait(), 10)
    seen = [heartbeat.is_silent]  # it has just been asked
    while not heartbeat.is_silent:
        await asyncio.sleep(0.01)
    heartbeat.heard()
    assert [*seen, heartbeat.is_silent] == [False, False]
    watch.cancel()


async def test_who_answers_is_not_silent_and_who_talks_is_not_asked() -> None:
    heartbeat = Heartbeat(quiet=0.2, answer=0.01)
    asked = 0

    async def ask() -> None:
        nonlocal asked
        asked += 1
        heartbeat.heard()

    watch = asyncio.create_task(heartbeat.watch(ask))
    for _ in range(60):
        heartbeat.heard()
        await asyncio.sleep(0.01)
    assert asked == 0
    while asked < 2:
        await asyncio.sleep(0.01)
        assert not heartbeat.is_silent
    watch.cancel()
