"""`tunnelui` through proxies of others: Envoy, which is what Pomerium is made of, and squid."""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.harness import DOMAIN, Client
from tests.peers.parts import require
from tests.peers.proxies import run_envoy_proxy, run_squid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.pki import Pki


@pytest.fixture
def foreign(tmp_path: Path) -> Client:
    return Client(tmp_path / "client")


@pytest.fixture(scope="module")
def envoy(tmp_path_factory: pytest.TempPathFactory, pki: Pki, redis: int, services: dict[str, int]) -> Iterator[int]:
    files = pki.issue()
    upstreams = {
        f"redis.{DOMAIN}:6379": redis,
        f"sink.{DOMAIN}:9": services["sink"],
        f"echo.{DOMAIN}:7": services["echo"],
    }
    certificate = (Path(files.cert_file), Path(files.key_file))
    with run_envoy_proxy(tmp_path_factory.mktemp("envoy"), certificate, upstreams) as port:
        yield port


@pytest.fixture(scope="module")
def squid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with run_squid(tmp_path_factory.mktemp("squid")) as port:
        yield port


def redis_cli(port: int, *command: str, input: str = "") -> str:
    (program,) = require("redis-cli")
    done = subprocess.run(
        [program, "-h", "127.0.0.1", "-p", str(port), *command],
        input=input,
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
        env=dict(os.environ),
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_redis_through_envoy(foreign: Client, pki: Pki, envoy: int) -> None:
    flags = ("--proxy-url", f"https://127.0.0.1:{envoy}", "--alternate-ca-path", pki.ca_file)
    with foreign.tcp(*flags, f"redis.{DOMAIN}:6379") as tunnel:
        assert redis_cli(tunnel.port, "ping") == "PONG\n"
        value = secrets.token_hex(1_000_000)
        assert redis_cli(tunnel.port, "-x", "set", "through-envoy", input=value) == "OK\n"
        assert redis_cli(tunnel.port, "get", "through-envoy").strip() == value


def test_envoy_gets_no_close_notify_before_the_answer_is_here(foreign: Client, pki: Pki, envoy: int) -> None:
    """Envoy would end both directions at it: piped input must still be answered."""
    flags = ("--proxy-url", f"https://127.0.0.1:{envoy}", "--alternate-ca-path", pki.ca_file)
    done = foreign.run("tcp", "--listen", "-", *flags, f"redis.{DOMAIN}:6379", input=b"PING\r\nQUIT\r\n")
    assert done.stdout == b"+PONG\r\n+OK\r\n", done.stderr
    assert done.returncode == 0


def test_large_data_through_envoy(foreign: Client, pki: Pki, envoy: int) -> None:
    flags = ("--proxy-url", f"https://127.0.0.1:{envoy}", "--alternate-ca-path", pki.ca_file)
    content = secrets.token_bytes(8_000_000)
    with foreign.tcp(*flags, f"echo.{DOMAIN}:7") as tunnel:
        digest = hashlib.sha256(exchange(tunnel.port, content)).digest()
    assert digest == hashlib.sha256(content).digest()


def test_redis_through_squid_without_tls(foreign: Client, squid: int, redis: int) -> None:
    with foreign.tcp("--proxy-url", f"http://127.0.0.1:{squid}", f"127.0.0.1:{redis}") as tunnel:
        assert redis_cli(tunnel.port, "ping") == "PONG\n"


def test_piped_input_through_squid_is_answered(foreign: Client, squid: int, redis: int) -> None:
    done = foreign.run(
        "tcp",
        "--listen",
        "-",
        "--proxy-url",
        f"http://127.0.0.1:{squid}",
        f"127.0.0.1:{redis}",
        input=b"PING\r\nQUIT\r\n",
    )
    assert (done.returncode, done.stdout) == (0, b"+PONG\r\n+OK\r\n"), done.stderr


def test_what_squid_forbids_is_denied(foreign: Client, squid: int) -> None:
    done = foreign.run("tcp", "--listen", "-", "--proxy-url", f"http://127.0.0.1:{squid}", "192.0.2.1:5432", input=b"x")
    assert done.returncode == 4, done.stderr


def exchange(port: int, content: bytes) -> bytes:
    """Send *content* and read as much back, both at once."""
    with socket.create_connection(("127.0.0.1", port), timeout=40) as sock:
        sender = threading.Thread(target=sock.sendall, args=(content,))
        sender.start()
        received = bytearray()
        while len(received) < len(content):
            more = sock.recv(65536)
            assert more, f"ended after {len(received)} of {len(content)} bytes"
            received += more
        sender.join()
    return bytes(received)
