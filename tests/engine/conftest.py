"""Fixtures for the engine: a certificate authority, a scripted proxy, an engine with a route to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.connect_proxy import ConnectProxy
from tests.support.engine_bench import Bench, running
from tests.support.pki import Pki
from tunnelui.engine.tunnel import Tunnel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tunnelui.engine.model import TunnelSnapshot


@pytest.fixture(autouse=True)
def true_snapshots(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tunnel keeps its snapshot until something changes: in all of these tests it is compared with a new one."""
    kept = Tunnel.snapshot

    def compared(tunnel: Tunnel) -> TunnelSnapshot:
        told = kept(tunnel)
        now = tunnel._snapshot()
        assert told == now or tunnel._told is None, "a snapshot that is not true any more"
        return told

    monkeypatch.setattr(Tunnel, "snapshot", compared)


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def proxy(pki: Pki) -> Iterator[ConnectProxy]:
    with ConnectProxy(pki.server_context()) as obedient:
        yield obedient


@pytest.fixture
async def bench(proxy: ConnectProxy, pki: Pki) -> AsyncIterator[Bench]:
    async with running(proxy, pki) as ready:
        yield ready
