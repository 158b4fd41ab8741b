"""A scope ends its own block and nothing else, alone and among the scopes of anyio."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from tunnelui.transport.scope import Scope


async def test_it_ends_the_block_that_waits_and_no_more() -> None:
    scope = Scope()
    asyncio.get_running_loop().call_later(0.01, scope.cancel)
    reached = False
    with scope:
        await asyncio.sleep(20)
        reached = True
    assert scope.cancelled
    assert not reached
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0.01)


async def test_before_the_block_and_after_it_cancel_does_nothing() -> None:
    scope = Scope()
    scope.cancel()
    with scope:
        await asyncio.sleep(0.001)
    scope.cancel()
    await asyncio.sleep(0.001)
    assert not scope.cancelled


async def test_a_result_that_came_first_is_not_lost() -> None:
    with Scope() as scope:
        pass
    assert not scope.cancelled


async def test_an_error_passes_through() -> None:
    scope = Scope()

    async def fail() -> None:
        try:
            await asyncio.sleep(20)
        finally:
            raise KeyError("x")

    asyncio.get_running_loop().call_later(0.01, scope.cancel)
    with pytest.raises(KeyError), scope:
        await fail()
    await asyncio.sleep(0.001)


async def test_a_cancellation_from_elsewhere_passes_through() -> None:
    async def work() -> None:
        with Scope():
            await asyncio.sleep(20)

    task = asyncio.create_task(work())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_both_at_once_are_a_cancellation() -> None:
    scope = Scope()

    async def work() -> None:
        with scope:
            await asyncio.sleep(20)

    task = asyncio.create_task(work())
    await asyncio.sleep(0.01)
    scope.cancel()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_inside_a_scope_of_anyio_each_ends_its_own_block() -> None:
    inner = Scope()
    with anyio.CancelScope() as outer:
        asyncio.get_running_loop().call_later(0.01, inner.cancel)
        with inner:
            await anyio.sleep(20)
        await anyio.sleep(0.001)
        asyncio.get_running_loop().call_later(0.01, outer.cancel)
        with Scope() as other:
            await anyio.sleep(20)
        pytest.fail("the outer scope was cancelled")
    assert (inner.cancelled, outer.cancelled_caught, other.cancelled) == (True, True, False)
    await anyio.sleep(0.001)
