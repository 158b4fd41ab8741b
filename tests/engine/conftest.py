"""Fixtures for the engine: a certificate authority, a scripted proxy, an engine with a route to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.connect_proxy import ConnectProxy
from tests.support.engine_bench import Bench, running
from tests.support.pki import Pki

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


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
