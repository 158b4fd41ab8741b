from __future__ import annotations

import asyncio
import gc

import anyio
import pytest

from tunnelui.engine.hub import MAX_BEHIND, EventHub
from tunnelui.engine.model import Event


def event(n: int) -> Event:
    return Event("note", 0.0, str(n))


async def test_reader_gets_events_from_the_moment_it_subscribed() -> None:
    hub = EventHub()
    hub.publish(event(0))
    reader = hub.subscribe()
    hub.publish(event(1))
    hub.publish(event(2))
    hub.close()
    assert [e.message async for e in reader] == ["1", "2"]


async def test_every_reader_gets_every_event() -> None:
    hub = EventHub()
    readers = [hub.subscribe() for _ in range(3)]
    hub.publish(event(1))
    assert [(await anext(reader)).message for reader in readers] == ["1", "1", "1"]


async def test_reader_waits_for_the_next_event() -> None:
    hub = EventHub()
    reader = hub.subscribe()
    got: list[str] = []

    async def read() -> None:
        async for e in reader:
            got.append(e.message)

    async with anyio.create_task_group() as group:
        group.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        assert got == []
        hub.publish(event(1))
        await anyio.wait_all_tasks_blocked()
        assert got == ["1"]
        hub.close()


async def test_slow_reader_misses_the_oldest() -> None:
    hub = EventHub()
    slow, quick = hub.subscribe(), hub.subscribe()
    for n in range(1005):
        hub.publish(event(n))
        assert (await anext(quick)).message == str(n)
    assert (await anext(slow)).message == "5"
    assert (slow.missed, quick.missed) == (5, 0)


async def test_abandoned_reader_is_forgotten() -> None:
    hub = EventHub()
    reader = hub.subscribe()
    assert len(hub._readers) == 1
    del reader
    gc.collect()
    assert len(hub._readers) == 0


async def test_subscribing_to_a_closed_hub_ends_at_once() -> None:
    hub = EventHub()
    hub.close()
    with pytest.raises(StopAsyncIteration):
        await anext(hub.subscribe())


async def test_a_reader_gets_what_it_wants_and_wakes_up_for_nothing_else() -> None:
    hub = EventHub()
    reader, everything = hub.subscribe(lambda event: event.level == "error"), hub.subscribe()
    waiting = asyncio.ensure_future(reader.wait())
    await asyncio.sleep(0)
    for _ in range(2 * MAX_BEHIND):
        hub.publish(Event("open", 0.0, "good news"))
    await asyncio.sleep(0)
    assert not waiting.done()
    hub.publish(Event("failed", 0.0, "bad news", "error"))
    await waiting
    assert [event.message for event in reader.take()] == ["bad news"]
    assert reader.missed == 0
    assert len(everything.take()) == MAX_BEHIND
    hub.close()
    assert reader.closed
