"""An agent in this process, behind a real socket."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from tests.support.connect_proxy import ConnectProxy
from tests.support.engine_bench import running
from tests.support.pki import Pki
from tunnelui.agent.client import AgentClient, Hello, connect
from tunnelui.agent.meeting import meeting_place
from tunnelui.agent.server import AgentServer
from tunnelui.config.runtime_folder import open_folder
from tunnelui.errors import LocalError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.support.engine_bench import Bench
    from tunnelui.agent.channel import Channel
    from tunnelui.engine.model import EngineSnapshot


@pytest.fixture(autouse=True)
def own(own_folders: None) -> None:
    """Every test has a runtime folder of its own."""


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def proxy(pki: Pki) -> Iterator[ConnectProxy]:
    with ConnectProxy(pki.server_context()) as obedient:
        yield obedient


async def find() -> tuple[Channel, Hello]:
    found = await connect()
    if found is None:
        raise LocalError("no agent", code="no_agent")
    return found


@contextlib.asynccontextmanager
async def serving(bench: Bench) -> AsyncIterator[AgentServer]:
    """Serve the engine of *bench* at the socket of the runtime folder."""

    async def keep() -> None:
        pass

    folder = open_folder(create=True)
    assert folder is not None
    async with anyio.create_task_group() as tasks:
        place = meeting_place(folder)
        server = AgentServer(bench.engine, tasks, place=place, config="", on_change=keep)
        listeners = place.listen()
        tasks.start_soon(server.serve, listeners)
        await anyio.sleep(0)
        try:
            yield server
        finally:
            tasks.cancel_scope.cancel()
    place.close(listeners)


def counted(bench: Bench) -> list[None]:
    """Return what gets an entry with each snapshot that the engine of *bench* makes from now on."""
    looks: list[None] = []
    look = bench.engine.snapshot

    def counting() -> EngineSnapshot:
        looks.append(None)
        return look()

    setattr(bench.engine, "snapshot", counting)  # noqa: B010  (it is a method, and mypy would mind)
    return looks


@contextlib.asynccontextmanager
async def agent_for(proxy: ConnectProxy, pki: Pki, **options: Any) -> AsyncIterator[tuple[Bench, AgentServer]]:
    async with running(proxy, pki, **options) as bench, serving(bench) as server:
        yield bench, server


@pytest.fixture
async def bench(proxy: ConnectProxy, pki: Pki) -> AsyncIterator[Bench]:
    async with running(proxy, pki) as ready:
        yield ready


@pytest.fixture
async def server(bench: Bench) -> AsyncIterator[AgentServer]:
    async with serving(bench) as ready:
        yield ready


@pytest.fixture
async def client(server: AgentServer) -> AsyncIterator[AgentClient]:
    async with AgentClient(find) as ready:
        yield ready
