"""What an agent tells those who watch: in pieces, and not so often that nothing else gets done."""

from __future__ import annotations

import contextlib
import itertools
import socket
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tunnelui.agent import server
from tunnelui.agent.changes import PIECE, apply
from tunnelui.agent.channel import Channel
from tunnelui.agent.protocol import FROM_AGENT
from tunnelui.config.route import Route
from tunnelui.config.route_changes import RouteChange
from tunnelui.engine.hub import MAX_BEHIND
from tunnelui.engine.model import EngineSnapshot, Event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.engine_bench import Bench
    from tunnelui.agent.client import AgentClient

MANY = [RouteChange(None, Route(f"route-{number:04}", f"host-{number}.example.com:1")) for number in range(450)]


@contextlib.contextmanager
def watched(bench: Bench) -> Iterator[tuple[server._Watcher, Channel]]:
    """A watcher, and the other end of its channel."""
    own, its = socket.socketpair()
    with Channel(own, limit=FROM_AGENT) as channel, Channel(its, limit=FROM_AGENT) as other:
        yield server._Watcher(bench.engine, channel), other


async def test_thousands_of_changes_come_in_pieces_before_the_answer(bench: Bench) -> None:
    await bench.engine.change_routes(MANY)
    with watched(bench) as (watcher, channel):
        await watcher.begin()
        bench.engine.publish(Event("note", 1.0, "after all that"))
        await watcher.tell({"id": 1, "done": None})
        messages = [await channel.receive() for _ in range(-(-len(MANY) // PIECE) + 2)]
    seen = EngineSnapshot()
    for message in messages[:-2]:
        assert message is not None
        assert len(message["changes"]["tunnels"]) <= PIECE
        seen = apply(seen, message["changes"])
    assert seen == bench.engine.snapshot()
    assert [list(message or {}) for message in messages[-2:]] == [["events"], ["id", "done"]]


async def test_many_changes_from_a_client_arrive(client: AgentClient, bench: Bench) -> None:
    await client.change_routes(MANY)
    assert client.snapshot() == bench.engine.snapshot()
    assert len(client.snapshot().tunnels) == len(MANY) + 1
    await client.change_routes([RouteChange(one.new, None) for one in MANY])
    assert [tunnel.route.name for tunnel in client.snapshot().tunnels] == ["db"]


async def test_a_long_history_arrives_whole(client: AgentClient, bench: Bench) -> None:
    for number in range(MAX_BEHIND + 234):
        bench.engine.publish(Event("note", float(number), f"note {number}", route="db" if number % 2 else ""))
    assert await client.history() == await bench.engine.history()
    assert len(await client.history("db")) == len(await bench.engine.history("db")) == (MAX_BEHIND + 234) // 2


@pytest.mark.parametrize(("spent", "pause"), [(0.0, 0.02), (0.001, 0.02), (0.03, 0.3), (2.0, 0.5)])
async def test_what_takes_long_is_done_less_often(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, spent: float, pause: float
) -> None:
    ticks: Any = itertools.count()
    monkeypatch.setattr(server, "time", SimpleNamespace(perf_counter=lambda: next(ticks) * spent))
    with watched(bench) as (watcher, _):
        await watcher.begin()
        await watcher.tell()
        assert watcher._gather == pytest.approx(pause)
