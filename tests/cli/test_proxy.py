"""``tunnelui proxy``: by hand, and with curl."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.peers.parts import require
from tests.peers.process import eventually, free_port
from tests.support.connect_proxy import answer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.program import Program
    from tests.peers.process import Process
    from tests.support.connect_proxy import ConnectProxy

SOCKS = b"\x05\x01\x00"


@contextmanager
def serving(program: Program, proxy: ConnectProxy, *arguments: str) -> Iterator[tuple[int, Process]]:
    done = program.run("routes", "add", "db", proxy.destination("db.example.com:5432"))
    assert done.returncode == 0, done.stderr
    with program.spawn("proxy", "--listen", "127.0.0.1:0", "--json", *arguments) as process:
        found = eventually(lambda: re.search(r'"listening".*?127\.0\.0\.1:(\d+)', process.stdout))
        assert found, process.output
        yield int(found.group(1)), process


def ask(port: int, data: bytes) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), timeout=30)
    sock.sendall(data)
    return sock


def read_exactly(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (more := sock.recv(size - len(data))):
        data += more
    return data


def connect(name: bytes, port: int) -> bytes:
    return b"\x05\x01\x00\x03" + bytes([len(name)]) + name + port.to_bytes(2, "big")


def test_socks_and_connect_lead_to_a_route_by_its_name(program: Program, proxy: ConnectProxy) -> None:
    with serving(program, proxy) as (port, process):
        with ask(port, SOCKS) as sock:
            assert read_exactly(sock, 2) == b"\x05\x00"
            sock.sendall(connect(b"DB.example.com", 5432) + b"sent ahead")
            assert read_exactly(sock, 10)[:2] == b"\x05\x00"
            assert read_exactly(sock, 10) == b"sent ahead"
        with ask(port, b"CONNECT db.example.com:5432 HTTP/1.1\r\nHost: db.example.com:5432\r\n\r\nahead") as sock:
            assert read_exactly(sock, 19) == b"HTTP/1.1 200 OK\r\n\r\n"
            assert read_exactly(sock, 5) == b"ahead"
        with ask(port, b"CONNECT db.example.com:5432 HTTP/1.0\r\n\r\nfrom nc or socat") as sock:
            assert read_exactly(sock, 19) == b"HTTP/1.1 200 OK\r\n\r\n"
            assert read_exactly(sock, 16) == b"from nc or socat"
        assert [one.target for one in proxy.connects] == ["db.example.com:5432"] * 3
        assert eventually(lambda: process.stdout.count('"kind":"closed"') == 3)
        events = [json.loads(line) for line in process.stdout.splitlines()]
        assert {event["route"] for event in events if event["kind"] == "open"} == {"db"}


def test_what_no_route_covers_is_refused(program: Program, proxy: ConnectProxy) -> None:
    with serving(program, proxy) as (port, process):
        with ask(port, SOCKS + connect(b"other.example.com", 80)) as sock:
            assert read_exactly(sock, 12)[:4] == b"\x05\x00\x05\x02"
            assert sock.recv(1) == b""
        with ask(port, b"CONNECT other.example.com:80 HTTP/1.1\r\nHost: other.example.com:80\r\n\r\n") as sock:
            text = read_exactly(sock, 10_000).decode()
        assert text.startswith("HTTP/1.1 403 ")
        assert "no route covers other.example.com:80" in text
        assert "tunnelui routes add" in text
        assert proxy.connects == []
        assert eventually(lambda: process.stdout.count("not_covered") >= 2)
        time.sleep(0.3)
        assert process.stdout.count('"kind":"failed"') == 2


def test_a_route_that_is_saved_meanwhile_counts(program: Program, proxy: ConnectProxy) -> None:
    request = b"CONNECT late.example.com:80 HTTP/1.1\r\nHost: late.example.com:80\r\n\r\n"

    def answer_is(start: bytes) -> bool:
        with ask(port, request) as sock:
            return read_exactly(sock, 12) == start

    with serving(program, proxy) as (port, _):
        assert answer_is(b"HTTP/1.1 403")
        assert program.run("routes", "add", "late", proxy.destination("late.example.com:80")).returncode == 0
        assert eventually(lambda: answer_is(b"HTTP/1.1 200"))
        assert program.run("routes", "remove", "late").returncode == 0
        assert eventually(lambda: answer_is(b"HTTP/1.1 403"))


def test_a_refusal_of_the_proxy_reaches_the_program(program: Program, proxy: ConnectProxy) -> None:
    with serving(program, proxy) as (port, _):
        proxy.script.append(answer(403))
        with ask(port, SOCKS + connect(b"db.example.com", 5432)) as sock:
            assert read_exactly(sock, 12)[2:4] == b"\x05\x02"
        proxy.script.append(answer(403))
        with ask(port, b"CONNECT db.example.com:5432 HTTP/1.1\r\nHost: db.example.com:5432\r\n\r\n") as sock:
            assert read_exactly(sock, 13) == b"HTTP/1.1 403 "


@pytest.mark.parametrize(
    ("data", "start"),
    [
        (b"GET http://db.example.com/ HTTP/1.1\r\nHost: db.example.com\r\n\r\n", b"HTTP/1.1 405 "),
        (b"GET / HTTP/1.1\r\nHost: db.example.com\r\n\r\n", b"HTTP/1.1 405 "),
        (b"\x16\x03\x01 this is TLS\r\n\r\n", b"\x15\x03\x01"),
        (b"\x04\x01\x00\x50\x00\x00\x00\x01me\x00db.example.com\x00", b"\x00\x5b"),
        (b"who are you\r\n\r\n", b"HTTP/1.1 400 "),
        (b"\x05\x01\x02", b"\x05\xff"),
        (b"\x05\x01\x00\x05\x02\x00\x01\x7f\x00\x00\x01\x00\x50", b"\x05\x00\x05\x07"),
        (b"", b""),
    ],
)
def test_other_requests_are_refused_in_their_own_words(
    program: Program, proxy: ConnectProxy, data: bytes, start: bytes
) -> None:
    with serving(program, proxy) as (port, process):
        with ask(port, data) as sock:
            sock.shutdown(socket.SHUT_WR)
            assert read_exactly(sock, 10_000).startswith(start)
        with ask(port, SOCKS + connect(b"db.example.com", 5432)) as sock:
            assert read_exactly(sock, 12)[2:4] == b"\x05\x00"
        assert process.popen.poll() is None


def test_direct_dials_from_here(program: Program, proxy: ConnectProxy) -> None:
    with socket.create_server(("127.0.0.1", 0)) as service, serving(program, proxy, "--direct") as (port, _):

        def serve() -> None:
            sock, _ = service.accept()
            with sock:
                sock.sendall(b"hello")

        thread = threading.Thread(target=serve)
        thread.start()
        with ask(port, SOCKS + connect(b"localhost", service.getsockname()[1])) as sock:
            assert read_exactly(sock, 12)[2:4] == b"\x05\x00"
            assert read_exactly(sock, 10) == b"hello"
        thread.join()
        with ask(port, SOCKS + connect(b"127.0.0.1", free_port())) as sock:
            assert read_exactly(sock, 12)[2:4] == b"\x05\x05"


def test_direct_is_for_this_machine_alone(program: Program) -> None:
    done = program.run("proxy", "--listen", ":1080", "--direct")
    assert done.returncode == 2
    assert b"everybody on the network" in done.stderr


def test_curl_goes_through_both(program: Program, proxy: ConnectProxy) -> None:
    (curl,) = require("curl")
    words = ["-sS", "--max-time", "2", "--data-binary", "x", "--http0.9", "-o", "-"]
    with serving(program, proxy) as (port, _):
        for scheme, flag in (("socks5h", "--silent"), ("http", "--proxytunnel")):
            done = subprocess.run(
                [curl, flag, *words, "--proxy", f"{scheme}://127.0.0.1:{port}", "http://db.example.com:5432/"],
                capture_output=True,
                timeout=20,
                check=False,
            )
            assert b"POST / HTTP/1.1" in done.stdout, done.stderr
    assert [one.target for one in proxy.connects] == ["db.example.com:5432"] * 2


def test_a_unix_socket_is_told_as_curl_takes_it(program: Program, proxy: ConnectProxy, tmp_path: Path) -> None:
    (curl,) = require("curl")
    assert program.run("routes", "add", "db", proxy.destination("db.example.com:5432")).returncode == 0
    path = tmp_path / "a proxy"
    with program.spawn("proxy", "--listen", f"unix:{path}") as process:
        assert eventually(lambda: "listen on a port" in process.output or process.popen.poll() is not None)
        address = next(word for word in process.output.split() if word.startswith("socks5h://")).rstrip(";")
        assert "http://" not in process.output
        done = subprocess.run(
            [curl, "-sS", "--max-time", "2", "--http0.9", "--proxy", address, "http://db.example.com:5432/"],
            capture_output=True,
            timeout=20,
            check=False,
        )
        assert b"GET / HTTP/1.1" in done.stdout, done.stderr
    assert [one.target for one in proxy.connects] == ["db.example.com:5432"]


@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_a_tunnel_goes_out_through_a_proxy_of_the_environment(
    program: Program, proxy: ConnectProxy, scheme: str
) -> None:
    """Ours stands in for the company's: the name of the identity-aware proxy is looked up there."""
    origin = f"tcp+http://ip6-loopback-of-corp.localhost.invalid:{proxy.origin.rpartition(':')[2]}"
    with serving(program, proxy, "--direct") as (port, _):
        program.env["HTTP_PROXY"] = f"{scheme}://127.0.0.1:{port}"
        done = program.run("tcp", "--listen", "-", f"{origin}/db.example.com:5432", input=b"hello")
        # It came as far as the look-up beyond the outgoing proxy.
        assert done.returncode == 5
        assert b"outgoing proxy" in done.stderr
        program.env["NO_PROXY"] = "*"
        done = program.run("tcp", "--listen", "-", f"{origin}/db.example.com:5432", input=b"hello")
        assert b"does not resolve" in done.stderr
