"""Tunnels with a machine that has gone without a word. `tests.e2e.network` has a real one that does."""

from __future__ import annotations

import contextlib
import functools
import socket
from collections import Counter
from typing import TYPE_CHECKING, Any, cast

import anyio
import pytest

from tests.server.gateway.harness import Upstream, World
from tunnelui.errors import PeerError
from tunnelui.transport.endpoint import PlainEndpoint
from tunnelui.transport.relay import Relay
from tunnelui_server.gateway import server as server_module
from tunnelui_server.gateway import silence as module
from tunnelui_server.gateway.live import LiveTunnel, LiveTunnels

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path


@pytest.mark.parametrize("cause", ["client_lost", "upstream_lost"])
def test_the_gateway_cuts_a_tunnel_whose_machine_has_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cause: str
) -> None:
    with Upstream() as upstream:
        to = f"to: 'tcp://127.0.0.1:{upstream.port}', allow_any_authenticated_user: true"
        monkeypatch.setattr(server_module, "cut_silent", functools.partial(module.cut_silent, tick=0.02))
        gone: set[int] = set()  # by the port of the other end
        monkeypatch.setattr(module, "silent_for", lambda sock: 21.0 if sock.getpeername()[1] in gone else 0.0)
        with World(tmp_path / "w", f"- {{from: 'tcp+https://a:1', {to}}}\n").running() as world:
            _, token = world.sign_in()
            with world.connect("a:1", token) as sock:
                sock.sendall(b"x")
                assert sock.recv(1) == b"x"
                gone.add(sock.getsockname()[1] if cause == "client_lost" else upstream.port)
                assert world.event("tunnel ended")["cause"] == cause
                with pytest.raises(OSError, match=r"reset|EOF"):
                    sock.recv(1)


class Watched:
    """Tunnels whose peers are as silent as a test says, and how often the system was asked about each."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.live = LiveTunnels(cast("Any", None))
        self.asked: Counter[socket.socket] = Counter()
        self.silent: dict[socket.socket, float] = {}
        self._peers: list[socket.socket] = []
        monkeypatch.setattr(module, "silent_for", self._silent_for)

    def _silent_for(self, sock: socket.socket) -> float:
        self.asked[sock] += 1
        return self.silent.get(sock, 0.0)

    def open(self, *, moved: float = 0.0) -> tuple[LiveTunnel, socket.socket]:
        """A tunnel and the socket to its client. *moved*: seconds ago."""
        near, client = socket.socketpair()
        far, service = socket.socketpair()
        self._peers += (near, client, far, service)
        tunnel = self.live.add("session")
        tunnel.relay = Relay(PlainEndpoint(near, error=PeerError), PlainEndpoint(far, error=PeerError))
        tunnel.relay.last_moved = anyio.current_time() - moved
        tunnel.opened = True
        return tunnel, near

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(functools.partial(module.cut_silent, self.live, tick=0.001))
                yield
                tasks.cancel_scope.cancel()
        finally:
            for sock in self._peers:
                sock.close()


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await anyio.sleep(0.001)


async def test_a_silent_peer_is_looked_at_each_time_and_cut_when_it_has_been_silent_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watched = Watched(monkeypatch)
    asked = watched.asked
    (suspect, sock), (_, other), (_, idle) = watched.open(), watched.open(), watched.open(moved=61)
    for _ in range(20):
        watched.open()
    watched.silent[sock] = 20.0
    async with watched.watching():
        await until(lambda: asked[sock] >= 50)
        assert suspect.cause is None
        assert 0 < asked[other] < 25
        watched.silent[sock] = 0.0
        before = asked[sock], asked[other]
        await until(lambda: asked[other] > before[1] + 20)
        assert asked[sock] < before[0] + 40, "it answers again"
        watched.silent[sock] = 20.1
        await until(lambda: suspect.cause == "client_lost")
    assert asked[idle] == 0, "nothing is under way there"
