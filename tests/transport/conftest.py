"""A certificate authority for all tests here, and a tunnel with a blocking peer on each side."""

from __future__ import annotations

import contextlib
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio
import pytest
from anyio import to_thread

from tests.support.pki import Pki
from tests.support.sockets import Background, tcp_pair
from tests.support.stream_peers import PlainPeer, StreamPeer, TLSPeer
from tunnelui.errors import UpstreamError
from tunnelui.transport.endpoint import PlainEndpoint, SocketEndpoint
from tunnelui.transport.relay import Relay, RelayResult
from tunnelui.transport.tls import start_tls

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

T = TypeVar("T")

VERSIONS: Final = {"tls1.2": ssl.TLSVersion.TLSv1_2, "tls1.3": ssl.TLSVersion.TLSv1_3}


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return Pki(tmp_path_factory.mktemp("pki"))


async def in_thread(function: Callable[..., T], *args: Any) -> T:
    """Call a blocking function of a peer while the loop runs on."""
    return await to_thread.run_sync(lambda: function(*args))


class Wiring:
    """Makes endpoints (ours) connected to peers (theirs)."""

    def __init__(self, pki: Pki) -> None:
        self._pki = pki
        self._contexts: dict[tuple[str, bool], ssl.SSLContext] = {}

    def context(self, kind: str, *, server_side: bool) -> ssl.SSLContext:
        key = (kind, server_side)
        if key not in self._contexts:
            make = self._pki.server_context if server_side else self._pki.client_context
            self._contexts[key] = make(version=VERSIONS[kind])
        return self._contexts[key]

    async def connect(
        self, kind: str, *, server_side: bool = False, buffer: int | None = None
    ) -> tuple[SocketEndpoint, StreamPeer]:
        """A pair of *kind* ``plain``, ``tls1.2`` or ``tls1.3``; *server_side* is our role."""
        ours, theirs = tcp_pair(buffer=buffer)
        if kind == "plain":
            return PlainEndpoint(ours, address="peer.example.com:1", error=UpstreamError), PlainPeer(theirs)
        name = "localhost"
        shaking = Background(
            lambda: TLSPeer(
                theirs,
                self.context(kind, server_side=not server_side),
                server_side=not server_side,
                server_hostname=name if server_side else None,
            )
        )
        endpoint = await start_tls(
            ours,
            self.context(kind, server_side=server_side),
            server_side=server_side,
            server_hostname=None if server_side else name,
            address="peer.example.com:1",
            error=UpstreamError,
        )
        return endpoint, await in_thread(shaking.result)


@pytest.fixture(scope="session")
def wiring(pki: Pki) -> Wiring:
    return Wiring(pki)


@dataclass
class Tunnel:
    """A running relay: *app* talks to its near side and *service* to its far side."""

    app: StreamPeer
    service: StreamPeer
    near: SocketEndpoint
    far: SocketEndpoint
    relay: Relay
    results: list[RelayResult]
    ended: anyio.Event
    scope: anyio.CancelScope

    async def result(self, timeout: float = 60.0) -> RelayResult:
        with anyio.fail_after(timeout):
            await self.ended.wait()
        return self.results[0]


TunnelFactory = "Callable[..., AbstractAsyncContextManager[Tunnel]]"


@contextlib.asynccontextmanager
async def open_tunnel(
    wiring: Wiring, near: str = "plain", far: str = "plain", *, buffer: int | None = None, **options: Any
) -> AsyncIterator[Tunnel]:
    """Run a relay between the two kinds of connection; our near side is a server, our far side a client."""
    near_end, app = await wiring.connect(near, server_side=True, buffer=buffer)
    far_end, service = await wiring.connect(far, buffer=buffer)
    tunnel = Tunnel(
        app, service, near_end, far_end, Relay(near_end, far_end, **options), [], anyio.Event(), anyio.CancelScope()
    )

    async def run() -> None:
        with tunnel.scope:
            tunnel.results.append(await tunnel.relay.run())
        tunnel.ended.set()

    try:
        async with anyio.create_task_group() as group:
            group.start_soon(run)
            yield tunnel
            group.cancel_scope.cancel()
    finally:
        app.close()
        service.close()


@pytest.fixture
def tunnels(wiring: Wiring) -> Callable[..., AbstractAsyncContextManager[Tunnel]]:
    """Opens tunnels: ``async with tunnels("plain", "tls1.3", linger=1.0) as tunnel``."""
    return lambda *args, **options: open_tunnel(wiring, *args, **options)
