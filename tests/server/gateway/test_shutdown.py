"""The end of the gateway: no new connections, time for the old ones, then a cut."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest

from tests.server.gateway.harness import Upstream, World, read_all

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with Upstream() as upstream:
        to = f"to: 'tcp://127.0.0.1:{upstream.port}'"
        route = f"- {{from: 'tcp+https://a:1', {to}, allow_public_unauthenticated_access: true}}\n"
        limit: int = getattr(request, "param", 20)
        with World(tmp_path / "w", route, tls=False, limit=limit).running() as made:
            yield made


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=30).close()
    except ConnectionRefusedError:
        return True
    return False


def test_tunnels_may_end_by_themselves(world: World) -> None:
    with world.connect("a:1") as sock:
        world.portal.call(world.gateway.stop)
        while not refuses(world.port):
            time.sleep(0.02)
        sock.sendall(b"the rest")
        assert sock.recv(100) == b"the rest"
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock) == b""
    began = time.monotonic()
    world.finished.result(30)
    assert time.monotonic() - began < 15
    assert world.event("tunnel ended")["cause"] == "finished"


@pytest.mark.parametrize("world", [1], indirect=True)
def test_after_the_grace_they_are_cut(world: World) -> None:
    with world.connect("a:1") as sock:
        began = time.monotonic()
        world.portal.call(world.gateway.stop)
        with pytest.raises(ConnectionResetError):
            sock.recv(1)
        assert 0.9 < time.monotonic() - began < 15
    world.finished.result(30)
    assert world.event("tunnel ended")["cause"] == "shutdown"


def test_a_second_stop_cuts_at_once(world: World) -> None:
    with world.connect("a:1") as sock:
        began = time.monotonic()
        world.portal.call(world.gateway.stop)
        world.portal.call(world.gateway.stop)
        with pytest.raises(ConnectionResetError):
            sock.recv(1)
        assert time.monotonic() - began < 15
    world.finished.result(30)
    assert world.event("tunnel ended")["cause"] == "shutdown"


def test_idle_connections_do_not_hold_up_the_end(world: World) -> None:
    with world.dial() as sock:
        world.portal.call(world.gateway.stop)
        world.finished.result(15)
        assert sock.recv(1) == b""
