"""Jobs: begun for little, ended together, faults told."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import TYPE_CHECKING

import anyio
import pytest

from tunnelui.transport.jobs import Jobs

if TYPE_CHECKING:
    from collections.abc import Coroutine


async def for_ever(ended: list[str], name: str = "x") -> None:
    try:
        await asyncio.sleep(60)
    finally:
        ended.append(name)


async def test_the_end_of_the_block_ends_all_jobs_and_waits_for_them() -> None:
    ended: list[str] = []

    async def slow() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.05)
            ended.append("slow")

    async with Jobs() as jobs:
        jobs.start(slow())
        jobs.start(for_ever(ended))
        await asyncio.sleep(0)
        assert len(jobs) == 2
    assert sorted(ended) == ["slow", "x"]
    assert len(jobs) == 0


async def test_a_job_that_is_over_is_forgotten() -> None:
    async def short() -> None:
        await asyncio.sleep(0)

    async with Jobs() as jobs:
        jobs.start(short())
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(jobs) == 0


async def test_a_fault_is_logged_and_ends_no_other_job(caplog: pytest.LogCaptureFixture) -> None:
    ended: list[str] = []

    async def faulty() -> None:
        raise LookupError("of ours")

    with caplog.at_level(logging.ERROR):
        async with Jobs() as jobs:
            jobs.start(faulty())
            jobs.start(for_ever(ended))
            await anyio.sleep(0.01)
            assert len(jobs) == 1
            assert not ended
    assert "LookupError: of ours" in caplog.text


async def test_what_a_job_begins_while_all_end_ends_as_well() -> None:
    ended: list[str] = []

    async def parent() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            jobs.start(for_ever(ended, "child"))

    async with Jobs() as jobs:
        jobs.start(parent())
        await asyncio.sleep(0.01)
    assert len(jobs) == 0


@pytest.mark.parametrize("by_scope", [True, False])
async def test_who_is_cancelled_at_the_end_leaves_no_job_behind(by_scope: bool) -> None:
    ended: list[str] = []

    async def stubborn() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.05)
            ended.append("stubborn")

    async def own(job: Coroutine[None, None, None]) -> None:
        async with Jobs() as jobs:
            jobs.start(job)
            await asyncio.sleep(60)

    if by_scope:
        with anyio.move_on_after(0.02):
            await own(stubborn())
    else:
        owner = asyncio.ensure_future(own(stubborn()))
        await asyncio.sleep(0.02)
        owner.cancel()
        await asyncio.sleep(0.01)
        owner.cancel()  # somebody is in a hurry
        with pytest.raises(asyncio.CancelledError):
            await owner
    assert ended == ["stubborn"]


async def test_a_job_that_has_not_begun_when_all_end_begins_and_can_clean_up() -> None:
    ours, theirs = socket.socketpair()

    async def serve() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ours.close()

    async with Jobs() as jobs:
        jobs.start(serve())
    assert ours.fileno() == -1
    theirs.close()


async def test_a_cancelled_scope_around_the_end_keeps_no_job_from_being_ended() -> None:
    ended: list[str] = []
    with anyio.move_on_after(60) as scope:
        async with Jobs() as jobs:
            jobs.start(for_ever(ended))
            scope.cancel()
    assert scope.cancelled_caught
    assert ended == ["x"]
