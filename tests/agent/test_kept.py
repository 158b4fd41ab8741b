"""What an agent remembers for the next one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from tests.agent.conftest import counted
from tests.support.engine_bench import running
from tunnelui.agent.service import _Keeper
from tunnelui.config.state_file import StateFile
from tunnelui.engine.model import State

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.connect_proxy import ConnectProxy
    from tests.support.pki import Pki


async def test_proxy_mode_and_routes_come_back(proxy: ConnectProxy, pki: Pki, tmp_path: Path) -> None:
    file = StateFile(tmp_path / "up.json")
    async with running(proxy, pki) as bench:
        keeper = _Keeper(bench.engine, file)
        await bench.engine.start_proxy("127.0.0.1:0")
        local = bench.engine.snapshot().proxy_mode.local
        await bench.start()
        await keeper.keep()
    async with running(proxy, pki) as bench:
        keeper = _Keeper(bench.engine, file)
        await keeper.restore()
        mode = bench.engine.snapshot().proxy_mode
        assert (mode.on, mode.local) == (True, local)
        assert bench.tunnel.state is State.READY
        await bench.engine.stop_proxy()
        await keeper.keep()
    async with running(proxy, pki) as bench:
        await _Keeper(bench.engine, file).restore()
        assert not bench.engine.snapshot().proxy_mode.on
        assert bench.tunnel.state is State.READY


async def test_an_address_that_is_none_any_more_is_passed_over(proxy: ConnectProxy, pki: Pki, tmp_path: Path) -> None:
    file = StateFile(tmp_path / "up.json")
    file.save({"up": [], "proxy": "0.0.0.0:1080"})
    async with running(proxy, pki) as bench:
        await _Keeper(bench.engine, file).restore()
        assert not bench.engine.snapshot().proxy_mode.on


async def test_one_look_serves_all_who_wait(proxy: ConnectProxy, pki: Pki, tmp_path: Path) -> None:
    async with running(proxy, pki) as bench:
        keeper = _Keeper(bench.engine, StateFile(tmp_path / "up.json"))
        looks = counted(bench)
        async with anyio.create_task_group() as tasks:
            for _ in range(50):
                tasks.start_soon(keeper.keep)
        assert 1 <= len(looks) <= 2
        await keeper.keep()  # one that comes later gets a look of its own
        assert len(looks) <= 3
