"""Thousands of routes: looked at for next to nothing, and changed without holding anybody up."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.engine_bench import Local, running
from tunnelui.config import routes as saved
from tunnelui.config.route import Route
from tunnelui.config.route_changes import RouteChange
from tunnelui.config.routes import RouteFile
from tunnelui.engine import tunnels
from tunnelui.engine.model import State
from tunnelui.engine.pieces import PIECE, in_pieces
from tunnelui.engine.tunnel import Tunnel
from tunnelui.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.connect_proxy import ConnectProxy
    from tests.support.engine_bench import Bench
    from tests.support.pki import Pki

MANY = [Route(f"route-{number:04}", f"host-{number}.example.com:5432", tags=("db",)) for number in range(600)]


class Turns:
    """Counts how often something is done within one turn of the event loop."""

    def __init__(self) -> None:
        self.done: dict[str, Counter[int]] = {}
        self._turn = 0

    async def run(self) -> None:
        while True:
            self._turn += 1
            await asyncio.sleep(0)

    def counted(self, name: str, does: Callable[..., Any]) -> Callable[..., Any]:
        counter = self.done[name] = Counter()

        def do(*given: Any, **named: Any) -> Any:
            counter[self._turn] += 1
            return does(*given, **named)

        return do


async def test_a_look_at_what_has_not_changed_gives_the_same_objects(bench: Bench) -> None:
    await bench.engine.change_routes([RouteChange(None, route) for route in MANY[:20]])
    before = bench.engine.snapshot().tunnels
    assert bench.engine.snapshot().tunnels is before
    with Local(await bench.start()) as program:
        await program.send(b"x")
        await program.read()
        after = bench.engine.snapshot().tunnels
        assert after[0] is not before[0]
        assert all(one is other for one, other in zip(after[1:], before[1:], strict=True))
        await program.send(b"yz")
        await bench.until(lambda: bench.tunnel.bytes_out == 3)  # an open connection is always looked at anew
    await bench.until_state(State.READY)
    assert bench.engine.snapshot().tunnels is bench.engine.snapshot().tunnels


async def test_many_routes_are_taken_piece_by_piece(
    proxy: ConnectProxy, pki: Pki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = Turns()
    for where, name in ((tunnels, "check_route"), (tunnels, "render_route")):
        monkeypatch.setattr(where, name, turns.counted(name, getattr(where, name)))
    monkeypatch.setattr(Tunnel, "__init__", turns.counted("made", Tunnel.__init__))
    path = tmp_path / "routes.toml"
    RouteFile(path).save([Route("db", proxy.destination())])
    async with running(proxy, pki, routes=RouteFile(path)) as bench, asyncio.TaskGroup() as tasks:
        counting = tasks.create_task(turns.run())
        await bench.engine.change_routes([RouteChange(None, route) for route in MANY])
        counting.cancel()
        assert len(bench.engine.snapshot().tunnels) == len(MANY) + 1
    assert len(RouteFile(path).load()) == len(MANY) + 1
    assert {name: max(counter.values()) for name, counter in turns.done.items()} == dict.fromkeys(turns.done, PIECE)


async def test_what_is_wrong_among_many_is_said_and_nothing_is_done(
    proxy: ConnectProxy, pki: Pki, tmp_path: Path
) -> None:
    path = tmp_path / "routes.toml"
    RouteFile(path).save(MANY)
    before = path.read_bytes()
    async with running(proxy, pki, routes=RouteFile(path)) as bench:
        new = [Route(f"new-{number}", "host.example.com:1") for number in range(100)]
        for wrong in (Route("wrong", "host.example.com:0"), Route(MANY[7].name, "host.example.com:1")):
            with pytest.raises(ConfigError, match=wrong.name):
                await bench.engine.change_routes([RouteChange(None, route) for route in (*new, wrong)])
        assert len(bench.engine.snapshot().tunnels) == len(MANY)
    assert path.read_bytes() == before


async def test_one_more_route_among_many_is_neither_read_nor_written_with_all_others(
    proxy: ConnectProxy, pki: Pki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "routes.toml"
    RouteFile(path).save(MANY)
    async with running(proxy, pki, routes=RouteFile(path)) as bench:
        read: list[object] = []
        written = saved.render_route.cache_info().misses
        monkeypatch.setattr(saved, "parse_toml", lambda *given: read.append(given))
        await bench.engine.add_route(Route("one-more", "host.example.com:1"))
        assert read == []
        assert saved.render_route.cache_info().misses == written + 1
    monkeypatch.undo()
    assert RouteFile(path).load()[-1].name == "one-more"


async def test_pieces_keep_the_order_and_give_way_between_them() -> None:
    seen: list[int | str] = []

    async def others() -> None:
        while True:
            seen.append("others")
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(others())
        async for number in in_pieces(range(5), 2):
            seen.append(number)
        task.cancel()
    assert seen == [0, 1, "others", 2, 3, "others", 4]
