"""``python -m tunnelui_server.demo``: what `tunnelui demo` stands on, by itself."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import pytest

from tests.peers.process import eventually
from tunnelui_server.demo.certificates import make_certificates
from tunnelui_server.demo.upstreams import run_upstreams

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(400)


@contextlib.contextmanager
def backend(folder: Path, *flags: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "tunnelui_server.demo", "--folder", str(folder), *flags]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def description(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.stderr and process.stderr.read()
    said = json.loads(line)
    assert isinstance(said, dict)
    return said


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "demo"
    path.mkdir(mode=0o700)
    return path


def test_it_says_how_to_reach_it_and_keeps_its_secrets(folder: Path) -> None:
    with backend(folder) as process:
        said = description(process)
        assert {"proxy_url", "ca_file", "user", "password", "routes"} == said.keys()
        context = ssl.create_default_context(cafile=said["ca_file"])
        assert httpx.get(f"{said['proxy_url']}/ping", verify=context, trust_env=False).text == "OK\n"
        for name in ("config.yaml", "key.pem", "shared-secret"):
            assert (folder / name).stat().st_mode & 0o077 == 0, name
        assert said["password"] not in (folder / "config.yaml").read_text()
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(60) == 0
        assert process.stdout is not None
        assert process.stdout.read() == b"", "one line and nothing else"
    assert (folder / "server.log").stat().st_size > 0


@pytest.mark.parametrize("way", ["end of input", "SIGTERM", "SIGINT", "SIGHUP"])
def test_it_ends_in_order_and_leaves_nothing(folder: Path, way: str) -> None:
    with backend(folder, "--remove-folder") as process:
        description(process)
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) == 2
        assert process.stdin is not None
        if way == "end of input":
            process.stdin.close()
        else:
            process.send_signal(signal.Signals[way])
        assert process.wait(60) == 0
        assert not any(child.is_running() for child in children)
    assert not folder.exists()


def test_killed_it_takes_its_planes_with_it(folder: Path) -> None:
    with backend(folder) as process:
        description(process)
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        eventually(lambda: not any(child.is_running() for child in children), 15, "the end of the planes")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_while_it_starts_leaves_nothing(folder: Path, number: signal.Signals) -> None:
    with backend(folder, "--remove-folder") as process:
        eventually(lambda: (folder / "server.log").exists())
        process.send_signal(number)
        process.wait(60)
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()
    assert not folder.exists()


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with backend(tmp_path / "nowhere") as process:
        assert process.wait(60) == 1
        assert process.stderr is not None
        assert b"nowhere" in process.stderr.read()


def test_a_folder_that_was_used_before_is_told(folder: Path) -> None:
    (folder / "key.pem").write_text("an old one")
    with backend(folder) as process:
        assert process.wait(60) == 1
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read() == b""
        assert b"key.pem" in process.stderr.read()
    assert (folder / "key.pem").read_text() == "an old one"


# The services.


def ask(port: int, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: sock.recv(65536), b""))


async def test_every_service_is_really_there() -> None:
    from anyio.to_thread import run_sync

    async with run_upstreams() as upstreams:
        assert await run_sync(ask, upstreams.echo, b"hello") == b"hello"
        page = await run_sync(ask, upstreams.web, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        head, _, body = page.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK")
        assert b"It works" in body
        assert f"Content-Length: {len(body)}".encode() in head
        bare = await run_sync(ask, upstreams.web, b"HEAD / HTTP/1.1\r\n\r\n")
        assert bare.endswith(b"\r\n\r\n")
        assert b"404 Not Found" in await run_sync(ask, upstreams.web, b"GET /x HTTP/1.1\r\n\r\n")
        assert await run_sync(ask, upstreams.web, b"half a head") == b""
        with pytest.raises(ConnectionRefusedError):
            await run_sync(ask, upstreams.down, b"")

        def two_lines() -> bytes:
            with socket.create_connection(("127.0.0.1", upstreams.slow), timeout=30) as sock:
                data = b""
                while data.count(b"\n") < 2:
                    data += sock.recv(100)
            return data

        assert (await run_sync(two_lines)).startswith(b"line 1, one each second\nline 2")


def test_certificates_hold_for_this_machine_and_no_other(tmp_path: Path) -> None:
    files = make_certificates(tmp_path)
    assert os.stat(files.key_file).st_mode & 0o777 == 0o600
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(files.certificate_file, files.key_file)
    client = ssl.create_default_context(cafile=str(files.ca_file))
    for name, good in (("127.0.0.1", True), ("localhost", True), ("::1", True), ("example.com", False)):
        there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
        near = client.wrap_bio(back, there, server_hostname=name)
        far = server.wrap_bio(there, back, server_side=True)
        trusted = True
        for _ in range(4):
            for side in (near, far):
                try:
                    side.do_handshake()
                except ssl.SSLWantReadError:
                    pass
                except ssl.SSLError:
                    trusted = False
        assert trusted is good, name
