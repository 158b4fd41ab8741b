"""Caps, counted and enforced."""

from __future__ import annotations

import contextlib
import resource
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.server.gateway.harness import ControlStandIn, Upstream, World, connect_head, status
from tunnelui_server.config import Limits
from tunnelui_server.gateway.quota import Exceeded, Quota, address_key, fit_to_descriptors
from tunnelui_server.gateway.tally import LocalTally

if TYPE_CHECKING:
    from pathlib import Path

ROUTE = "- {from: 'tcp+https://a:1', to: 'tcp://127.0.0.1:9', allow_any_authenticated_user: true}\n"


@pytest.mark.parametrize(
    ("peer", "key"),
    [
        ("192.0.2.1:1234", "192.0.2.1"),
        ("[::ffff:192.0.2.1]:1234", "192.0.2.1"),
        ("[2001:db8:1:2:3:4:5:6]:1234", "2001:db8:1:2::/64"),
        ("", ""),
    ],
)
def test_whom_a_connection_counts_for(peer: str, key: str) -> None:
    assert address_key(peer) == key


def test_counts_come_back_to_zero() -> None:
    quota = Quota(Limits(max_connections=2, max_pending_per_address=1, max_tunnels_per_user=1))
    assert quota.admit("a")
    assert not quota.admit("a")
    quota.settle("a")
    assert quota.admit("a")
    with quota.tunnel("u", "r"), pytest.raises(Exceeded, match="limit_user"), quota.tunnel("u", "r"):
        pass
    quota.leave()
    quota.leave()
    quota.settle("a")
    assert (quota.connections, quota.tunnels) == (0, 0)
    assert isinstance(quota.tally, LocalTally)
    assert len(quota.tally) == 0


@pytest.mark.parametrize(
    ("key", "cause"),
    [
        ("max_tunnels_per_user", "limit_user"),
        ("max_tunnels_per_route", "limit_route"),
        ("max_connections", "limit_total"),
    ],
)
def test_one_tunnel_too_many_is_503_and_the_control_plane_still_answers(tmp_path: Path, key: str, cause: str) -> None:
    with Upstream() as upstream:
        to = f"to: 'tcp://127.0.0.1:{upstream.port}', allow_any_authenticated_user: true"
        routes = f"- {{from: 'tcp+https://a:1', {to}}}\n- {{from: 'tcp+https://b:1', {to}}}\n"
        with World(tmp_path / "w", routes, more=f"{key}: 3\n").running() as world, contextlib.ExitStack() as stack:
            control = ControlStandIn(world.control_path)
            _, token = world.sign_in()
            for _ in range(3):
                stack.enter_context(world.connect("a:1", token))
            answer = world.ask(connect_head("a:1", token))
            assert status(answer) == 503
            assert b"\r\nRetry-After: " in answer
            assert world.event("tunnel decided", status=503)["cause"] == cause
            assert status(world.ask(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")) == 204
            _, other = world.sign_in("bob@example.com")
            assert status_of(world, "a:1", other) == (200 if cause == "limit_user" else 503)
            assert status_of(world, "b:1", other) == (503 if cause == "limit_total" else 200)
            control.close()
        assert world.gateway._quota.tunnels == world.gateway._quota.connections == 0


def status_of(world: World, authority: str, token: str) -> int:
    with world.dial() as sock:
        sock.sendall(connect_head(authority, token))
        return status(sock.recv(4096))


def test_half_open_connections_from_one_address_are_capped_and_tunnels_do_not_count(tmp_path: Path) -> None:
    with Upstream() as upstream:
        to = f"to: 'tcp://127.0.0.1:{upstream.port}', allow_any_authenticated_user: true"
        route = f"- {{from: 'tcp+https://a:1', {to}}}\n"
        with World(tmp_path / "w", route, more="max_pending_per_address: 2\n", limit=4).running() as world:
            _, token = world.sign_in()
            tunnels = [world.connect("a:1", token) for _ in range(4)]
            silent: list[socket.socket] = []
            while not world.events("too many connections"):
                assert len(silent) < 100
                silent.append(socket.create_connection(("127.0.0.1", world.port), timeout=30))
                time.sleep(0.02)
            assert silent[-1].recv(1) == b""
            for sock in silent:
                sock.close()
            while world.gateway._quota.tally.count("pending", "127.0.0.1"):
                time.sleep(0.02)
            tunnels.append(world.connect("a:1", token))
            for sock in tunnels:
                sock.close()


def test_the_caps_fit_the_descriptors_that_there_are() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        # What may be raised is raised; no more is wanted than the caps need.
        assert fit_to_descriptors(Limits(max_connections=100)).max_connections == 100
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 2 * (100 + 64) + 64
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if hard != resource.RLIM_INFINITY:
        limits = fit_to_descriptors(Limits(max_connections=hard))
        assert 2 * (limits.max_connections + Quota(limits).head_room) + 64 <= hard
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_no_address_alone_fills_all_that_there_is() -> None:
    quota = Quota(Limits(max_connections=100))  # as on a machine with few descriptors
    while quota.admit("attacker"):
        pass
    assert quota.connections <= (100 + quota.head_room) // 2
    assert quota.admit("somebody else")


def test_all_addresses_together_get_what_there_is_and_no_more() -> None:
    quota = Quota(Limits(max_connections=10))
    admitted = sum(quota.admit(f"bot {number}") for number in range(200))
    assert admitted == quota.connections == 10 + quota.head_room
    quota.leave()
    assert quota.admit("somebody else")
    assert not quota.admit("one more")


def test_pages_are_counted_by_address_and_in_all() -> None:
    quota = Quota(Limits())
    with contextlib.ExitStack() as stack:
        with pytest.raises(Exceeded, match="limit_pages"):
            while True:
                stack.enter_context(quota.page("attacker"))
        held = quota.tally.count("pages", "attacker")
        with quota.page("somebody else"):
            pass
        for number in range(10_000):
            try:
                stack.enter_context(quota.page(f"bot {number}"))
            except Exceeded:
                break
        # The control plane turns everybody away, those who wait included, when it has as many as this.
        assert held < quota.tally.count("pages") < 512
    assert quota.tally.count("pages") == 0


def test_one_address_can_not_take_the_control_plane_from_the_others(tmp_path: Path) -> None:
    with World(tmp_path / "w", ROUTE, tls=False).running() as world, contextlib.ExitStack() as stack:
        control = stack.enter_context(contextlib.closing(SilentControl(world.control_path)))
        for _ in range(130):
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", world.port), timeout=30))
            sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1")
        answer = world.ask(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert status(answer) == 503
        assert b"\r\nRetry-After: " in answer
        assert 100 <= control.connections <= 130
        elsewhere = ("127.0.0.2", 0)
        with socket.create_connection(("127.0.0.1", world.port), timeout=30, source_address=elsewhere) as sock:
            before = control.connections
            sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            control.wait_for(before + 1)


class SilentControl:
    """Takes connections and says nothing."""

    def __init__(self, path: Path) -> None:
        self._sockets: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(256)
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._sockets.append(self._listener.accept()[0])

    @property
    def connections(self) -> int:
        return len(self._sockets)

    def wait_for(self, count: int) -> None:
        deadline = time.monotonic() + 5
        while self.connections < count:
            assert time.monotonic() < deadline, self.connections
            time.sleep(0.02)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._sockets:
            sock.close()
