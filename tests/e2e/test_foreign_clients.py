"""Other programs as clients of `tunnelui-server`: curl, openssl, proxytunnel, Envoy, and pomerium-cli byte for byte."""

from __future__ import annotations

import json
import socket
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.e2e.harness import ALICE, DOMAIN, Server, password_of, route_to, run_server, sign_in
from tests.e2e.visitor import visit
from tests.peers.parts import require
from tests.peers.process import eventually
from tests.peers.proxies import run_envoy_client

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from tests.support.pki import Pki

ECHO = f"echo.{DOMAIN}:7"


@contextmanager
def tls(server: Server) -> Iterator[ssl.SSLSocket]:
    raw = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    context = server.pki.client_context()
    context.set_alpn_protocols(["http/1.1"])
    with context.wrap_socket(raw, server_hostname="127.0.0.1") as sock:
        yield sock


def read_head(sock: socket.socket) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = sock.recv(1)
        assert byte, f"the connection ended within the head: {head!r}"
        head += byte
    return head


def connect_request(authority: str, token: str | None) -> bytes:
    """The bytes of pomerium-cli 0.33 (protocol notes, section 2.2)."""
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}", "User-Agent: Go-http-client/1.1"]
    if token is not None:
        lines.append(f"Authorization: Pomerium {token}")
    return "\r\n".join([*lines, "", ""]).encode()


def status_of(head: bytes) -> int:
    return int(head.split(b" ", 2)[1])


def fields_of(head: bytes) -> dict[str, str]:
    lines = head.decode().split("\r\n")[1:-2]
    return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_pomerium_cli_signs_in_and_opens_a_tunnel_byte_for_byte(server: Server) -> None:
    # First without a token: public routes need none.
    with tls(server) as sock:
        assert sock.selected_alpn_protocol() in ("http/1.1", None)
        sock.sendall(connect_request(ECHO, None))
        head = read_head(sock)
    assert status_of(head) == 302
    assert fields_of(head)["location"].startswith("https://")

    # Then the login address, for a redirect URI without any path.
    with socket.create_server(("127.0.0.1", 0)) as callback:
        port = callback.getsockname()[1]
        with tls(server) as sock:
            lines = (
                f"GET /.pomerium/api/v1/login?pomerium_redirect_uri=http%3A%2F%2F127.0.0.1%3A{port} HTTP/1.1",
                f"Host: 127.0.0.1:{server.port}",
                "User-Agent: Go-http-client/1.1",
                "Accept-Encoding: gzip",
            )
            sock.sendall("\r\n".join([*lines, "", ""]).encode())
            head = read_head(sock)
            fields = fields_of(head)
            assert status_of(head) == 200
            assert fields["content-type"].startswith("text/plain")
            assert "content-encoding" not in fields
            url = b""
            while len(url) < int(fields["content-length"]):
                url += sock.recv(65536)
        end = visit(url.decode(), name=ALICE, password=password_of(ALICE), ca_file=server.ca_file, deliver=False)
    assert end.startswith(f"http://127.0.0.1:{port}/?pomerium_jwt=")
    token = parse_qs(urlsplit(end).query)["pomerium_jwt"][0]
    assert len(token) < 1024

    with tls(server) as sock:
        sock.sendall(connect_request(ECHO, token))
        head = read_head(sock)
        assert status_of(head) == 200, head
        assert not {"content-length", "transfer-encoding"} & fields_of(head).keys(), "bytes follow at once"
        sock.sendall(b"ping")
        assert sock.recv(4) == b"ping"


@pytest.mark.parametrize(
    ("authority", "status"),
    [
        (ECHO, 200),
        (f"billing.{DOMAIN}:5432", 403),
        (f"unknown.{DOMAIN}:5432", 403),
        (f"down.{DOMAIN}:5432", 503),
    ],
)
def test_each_answer_is_one_that_leaves_pomerium_cli_its_token(
    server: Server, token: str, authority: str, status: int
) -> None:
    with tls(server) as sock:
        sock.sendall(connect_request(authority, token))
        head = read_head(sock)
    assert status_of(head) == status
    assert fields_of(head)["x-request-id"]


@pytest.mark.parametrize("authority", [ECHO, f"billing.{DOMAIN}:5432", f"unknown.{DOMAIN}:5432"])
@pytest.mark.parametrize("stale", ["revoked", "forged", "nonsense"])
def test_a_stale_token_is_sent_to_sign_in_again(server: Server, authority: str, stale: str) -> None:
    token = {"revoked": "", "forged": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.", "nonsense": "x"}[stale]
    if stale == "revoked":
        token = sign_in(server, "bob@example.com")
        assert server.command("sessions", "revoke", "bob@example.com").returncode == 0
    with tls(server) as sock:
        sock.sendall(connect_request(authority, token))
        head = read_head(sock)
        assert status_of(head) == 302, head
        assert "/.pomerium/" in fields_of(head)["location"]
        rest = b""
        while more := sock.recv(65536):
            rest += more
    assert token == "x" or token.encode() not in head + rest


def test_the_unauthenticated_answer_is_the_same_for_known_and_unknown_routes(server: Server) -> None:
    answers = set()
    for authority in (ECHO, f"unknown.{DOMAIN}:7"):
        with tls(server) as sock:
            sock.sendall(connect_request(authority, None))
            head = read_head(sock)
        fields = fields_of(head)
        answers.add((status_of(head), tuple(sorted(fields)), fields.get("content-length")))
    assert len(answers) == 1, answers


def test_openssl_s_client_speaks_through_a_tunnel(server: Server, token: str) -> None:
    (openssl,) = require("openssl")
    command = [openssl, "s_client", "-quiet", "-connect", f"127.0.0.1:{server.port}", "-CAfile", server.ca_file]
    with subprocess.Popen(
        [*command, "-verify_return_error"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(connect_request(ECHO, token))
        process.stdin.flush()
        assert b" 200 " in process.stdout.readline()
        while process.stdout.readline() != b"\r\n":
            pass
        process.stdin.write(b"hello\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"hello\n"
        process.kill()


def test_curl_tunnels_through_the_server(server: Server, token: str) -> None:
    (curl,) = require("curl")
    command = [
        *(curl, "-sSN", "--proxytunnel", "-x", server.url, "--proxy-cacert", server.ca_file, "--noproxy", ""),
        *("--proxy-header", f"Authorization: Pomerium {token}", "--max-time", "20", f"telnet://{ECHO}"),
    ]
    assert talk(command) == b"hello\n"


def test_curl_is_told_to_sign_in(server: Server) -> None:
    (curl,) = require("curl")
    done = subprocess.run(
        [
            *(curl, "-sS", "-o", "/dev/null", "-w", "%{http_connect}", "--proxytunnel", "-x", server.url),
            *("--proxy-cacert", server.ca_file, "--noproxy", "", "--max-time", "20", f"http://{ECHO}/"),
        ],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout == "302", done.stderr


def test_proxytunnel_carries_a_connection(server: Server, token: str) -> None:
    (proxytunnel,) = require("proxytunnel")
    # Without -o it names the proxy in the Host field, and a Host that is not the target is refused (RFC 9112, 3.2).
    command = [proxytunnel, "-q", "-E", "-z", "-p", f"127.0.0.1:{server.port}", "-d", ECHO, "-o", ECHO]
    assert talk([*command, "-H", f"Authorization: Pomerium {token}"]) == b"hello\n"


def talk(command: list[str]) -> bytes:
    """Send a line to a program that carries its standard streams to the echo; return the line that comes back."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"hello\n")
        process.stdin.flush()
        try:
            return process.stdout.readline()
        finally:
            process.kill()


def test_envoy_is_a_client(tmp_path: Path, pki: Pki, redis: int) -> None:
    (redis_cli,) = require("redis-cli")
    authority = f"redis.{DOMAIN}:6379"
    with run_server(tmp_path / "server", pki, [route_to("redis", 6379, redis)]) as server:
        token = sign_in(server)
        ca = Path(server.ca_file)
        with run_envoy_client(
            tmp_path / "envoy", proxy=server.port, ca=ca, host="proxy.example.com", authority=authority, token=token
        ) as port:
            done = subprocess.run(
                [redis_cli, "-h", "127.0.0.1", "-p", str(port), "ping"],
                capture_output=True,
                text=True,
                timeout=20,
                check=False,
            )
            assert done.stdout == "PONG\n", done.stderr


def test_every_tunnel_leaves_a_line_when_it_is_decided_and_one_when_it_ends(server: Server, token: str) -> None:
    with tls(server) as sock:
        sock.sendall(connect_request(ECHO, token))
        request_id = fields_of(read_head(sock))["x-request-id"]
        sock.sendall(b"12345")
        assert sock.recv(5) == b"12345"

    def lines() -> list[str]:
        found = [line for line in server.logs.splitlines() if request_id in line]
        return found if len(found) >= 2 else []

    decided, ended = [json.loads(line) for line in eventually(lines)][:2]
    for line in (decided, ended):
        assert ALICE in line.values(), line
        assert any("echo" in str(value) for value in line.values()), line
    assert "allow" in str(decided).lower()
    assert 5 in ended.values(), "the bytes of both directions are counted"
    assert token not in server.logs
