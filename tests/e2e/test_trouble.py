"""What goes wrong on the way: the token stays, the message says what to do, and the tunnel recovers by itself."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from pathlib import Path

import pytest

from tests.e2e.harness import DOMAIN, Client, Tunnel, route_to, run_server, sign_in
from tests.e2e.upstreams import black_hole, echo, upstream
from tests.peers.process import free_port
from tests.peers.proxies import run_envoy_proxy
from tests.support.pki import Pki

ECHO = f"echo.{DOMAIN}:7"


def ask(port: int, data: bytes = b"hello", timeout: float = 60.0) -> bytes:
    """One local connection; what came back before it ended, however it ended."""
    answer = b""
    with contextlib.suppress(ConnectionError), socket.create_connection(("127.0.0.1", port), timeout=timeout) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        while more := sock.recv(65536):
            answer += more
    return answer


def assert_recovers(tunnel: Tunnel, timeout: float = 60.0) -> None:
    deadline = time.monotonic() + timeout
    while ask(tunnel.port) != b"hello":
        assert time.monotonic() < deadline, f"no recovery within {timeout:g} s:\n{tunnel.process.output[-4000:]}"
        time.sleep(0.3)


def test_a_proxy_that_is_killed_and_started_again_is_found_again(
    tmp_path: Path, pki: Pki, services: dict[str, int]
) -> None:
    with run_server(tmp_path / "server", pki, [route_to("echo", 7, services["echo"])]) as server:
        client = Client(tmp_path / "client", server)
        token = sign_in(server)
        client.paste(token)
        with client.tcp(ECHO) as tunnel:
            live = socket.create_connection(("127.0.0.1", tunnel.port), timeout=30)
            with live:
                live.sendall(b"ping")
                assert live.recv(4) == b"ping"
                server.kill()
                # Never a clean end: what was under way is lost, and the program must know.
                with pytest.raises(ConnectionResetError):
                    live.recv(4)
            assert ask(tunnel.port) == b""
            tunnel.wait_problem("refused the connection", "Check that the proxy is running")
            assert client.stored_tokens() == [token]
            server.start()
            assert_recovers(tunnel)
        assert client.stored_tokens() == [token]


def test_an_upstream_that_comes_back_is_reached_again(tmp_path: Path, pki: Pki) -> None:
    port = free_port()
    with run_server(tmp_path / "server", pki, [route_to("db", 5432, port)]) as server:
        client = Client(tmp_path / "client", server)
        token = sign_in(server)
        client.paste(token)
        with client.tcp(f"db.{DOMAIN}:5432") as tunnel:
            assert ask(tunnel.port) == b""
            tunnel.wait_problem("is unavailable")
            with upstream(echo, port):
                assert_recovers(tunnel)
        assert client.stored_tokens() == [token]


def test_a_name_that_does_not_resolve(alice: Client, token: str) -> None:
    with alice.tcp("--proxy-url", "https://proxy.invalid", ECHO) as tunnel:
        assert ask(tunnel.port) == b""
        tunnel.wait_problem("does not resolve", "Check the name")
    assert alice.stored_tokens() == [token]


@pytest.mark.slow
def test_a_black_hole_is_given_up_with_a_reason(alice: Client, token: str) -> None:
    with black_hole() as port, alice.tcp("--proxy-url", f"https://127.0.0.1:{port}", ECHO) as tunnel:
        begin = time.monotonic()
        assert ask(tunnel.port) == b""
        assert time.monotonic() - begin < 35
        tunnel.wait_problem("did not answer in time")
    assert alice.stored_tokens() == [token]


@pytest.mark.parametrize("status", [400, 404, 429, 500, 502, 504])
def test_an_odd_answer_of_a_foreign_proxy_keeps_the_token(
    alice: Client, token: str, tmp_path: Path, pki: Pki, status: int
) -> None:
    files = pki.issue()
    certificate = (Path(files.cert_file), Path(files.key_file))
    with run_envoy_proxy(tmp_path / "envoy", certificate, {}, {ECHO: status}) as port:
        alice.env["TUNNELUI_PROXY_URL"] = f"https://127.0.0.1:{port}"
        done = alice.run("tcp", "--listen", "-", ECHO, input=b"x")
        assert done.returncode == 5, done.stderr
        assert str(status) in done.stderr.decode()
        assert done.stderr.decode().count("\n") >= 2, "and what to do"
    assert alice.stored_tokens() == [token]


@pytest.mark.parametrize("names", [("other.example.com",), ()], ids=["another name", "another authority"])
def test_a_wrong_certificate_names_what_it_is_for(
    alice: Client, token: str, tmp_path: Path, pki: Pki, names: tuple[str, ...]
) -> None:
    issuer = pki if names else Pki(tmp_path / "other-ca")
    files = issuer.issue(*names)
    certificate = (Path(files.cert_file), Path(files.key_file))
    with run_envoy_proxy(tmp_path / "envoy", certificate, {}, {ECHO: 404}) as port:
        done = alice.run("tcp", "--listen", "-", "--proxy-url", f"https://127.0.0.1:{port}", ECHO, input=b"x")
    text = done.stderr.decode()
    assert done.returncode == 5, text
    assert "certificate" in text
    assert ("server_name" if names else "--alternate-ca-path") in text, "the step that mends this one"
    for name in names:
        assert name in text, "the names in the certificate help to see what is wrong"
    assert alice.stored_tokens() == [token]


def test_a_port_that_is_taken_is_said_at_once(alice: Client) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = alice.run("tcp", "--listen", str(port), ECHO)
    assert done.returncode == 1, done.stderr
    assert f"127.0.0.1:{port} is already in use" in done.stderr.decode()


def test_a_slow_upstream_that_is_cut_short_is_a_reset(tmp_path: Path, pki: Pki) -> None:
    def cut(sock: socket.socket) -> None:
        sock.recv(1)
        sock.sendall(b"half of an ans")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        time.sleep(0.3)
        sock.close()

    with upstream(cut) as port, run_server(tmp_path / "server", pki, [route_to("db", 5432, port)]) as server:
        client = Client(tmp_path / "client", server)
        client.paste(sign_in(server))
        with (
            client.tcp(f"db.{DOMAIN}:5432") as tunnel,
            socket.create_connection(("127.0.0.1", tunnel.port), timeout=30) as sock,
        ):
            sock.sendall(b"?")
            received = b""
            with pytest.raises(ConnectionResetError):
                while more := sock.recv(100):
                    received += more
            assert received in (b"", b"half of an ans")
