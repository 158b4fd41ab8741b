"""Signals while connections are open."""

from __future__ import annotations

import signal
import socket
import time
from typing import TYPE_CHECKING

from tests.e2e.harness import DOMAIN, Client
from tests.peers.process import eventually, is_open

if TYPE_CHECKING:
    from tests.e2e.harness import Tunnel


def connect(tunnel: Tunnel) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", tunnel.port), timeout=30)
    sock.sendall(b"ping")
    assert sock.recv(4) == b"ping"
    return sock


def test_live_connections_get_a_grace_period_and_new_ones_are_refused(alice: Client) -> None:
    with alice.tcp("--grace", "90", f"echo.{DOMAIN}:7") as tunnel, connect(tunnel) as sock:
        tunnel.process.send(signal.SIGTERM)
        eventually(lambda: not is_open(tunnel.port), 5, "the end of listening")
        sock.sendall(b"still here")
        assert sock.recv(10) == b"still here"
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(10) == b""
        assert tunnel.process.wait(60) == 0, "it ends as soon as the last connection has"


def test_the_grace_period_is_two_seconds(alice: Client) -> None:
    with alice.tcp(f"echo.{DOMAIN}:7") as tunnel, connect(tunnel):
        begin = time.monotonic()
        tunnel.process.send(signal.SIGINT)
        assert tunnel.process.wait(60) == 0
        assert 1.5 < time.monotonic() - begin < 20


def test_a_second_signal_cuts_at_once(alice: Client) -> None:
    with alice.tcp("--grace", "90", f"echo.{DOMAIN}:7") as tunnel, connect(tunnel):
        tunnel.process.send(signal.SIGINT)
        eventually(lambda: not is_open(tunnel.port), 5, "the end of listening")
        begin = time.monotonic()
        tunnel.process.send(signal.SIGINT)
        assert tunnel.process.wait(60) == 0
        assert time.monotonic() - begin < 20
