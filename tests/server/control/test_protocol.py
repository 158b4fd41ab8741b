"""Raw bytes on the Unix socket: what a hostile client could make the gateway hand over."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import stat
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import anyio
import pytest

from tests.server.control.harness import LOCAL, ROUTES, SECRET, Control
from tunnelui.errors import LocalError
from tunnelui_server.control import protocol
from tunnelui_server.control.serve import listen

if TYPE_CHECKING:
    from pathlib import Path

GET = b"GET /healthz HTTP/1.1\r\nHost: proxy.example.com\r\n\r\n"
POST = b"POST /.pomerium/sign_in HTTP/1.1\r\nHost: proxy.example.com\r\n"


def statuses(received: bytes) -> list[int]:
    return [int(line.split(b" ")[1]) for line in received.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]


async def test_one_request_one_answer_the_end(control: Control) -> None:
    received = await control.raw(GET)
    assert statuses(received) == [200] and b"\r\nconnection: close\r\n" in received.lower()
    assert received.endswith(b"\r\n\r\nOK\n")


async def test_what_follows_the_request_is_nobodys(control: Control) -> None:
    assert statuses(await control.raw(GET + GET)) == [200]
    assert statuses(await control.raw(GET + b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n")) == [200]
    body = POST + b"Content-Length: 3\r\n\r\na=b" + GET
    assert statuses(await control.raw(body)) == [415]
    keep = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"
    assert statuses(await control.raw(keep + keep)) == [200]


async def test_connect_is_an_ordinary_404(control: Control) -> None:
    received = await control.raw(
        b"CONNECT redis.corp.example.com:6379 HTTP/1.1\r\nHost: redis.corp.example.com:6379\r\n\r\n"
    )
    assert statuses(received) == [404]


SMUGGLED = b"0\r\n\r\nCONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"
HOSTILE: dict[str, tuple[bytes, int]] = {
    "CL and TE": (POST + b"Content-Length: 40\r\nTransfer-Encoding: chunked\r\n\r\n" + SMUGGLED, 400),
    "TE and CL": (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 40\r\n\r\n" + SMUGGLED, 400),
    "chunked": (POST + b"Transfer-Encoding: chunked\r\n\r\n" + SMUGGLED, 411),
    "TE identity": (POST + b"Transfer-Encoding: identity\r\n\r\n", 400),
    "TE twice": (POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + SMUGGLED, 400),
    "TE with a tab": (POST + b"Transfer-Encoding:\tchunked\r\n\r\n" + SMUGGLED, 411),
    "TE before a colon": (POST + b"Transfer-Encoding : chunked\r\n\r\n" + SMUGGLED, 400),
    "two equal CL": (POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\na=b", 400),
    "CL list": (POST + b"Content-Length: 3, 3\r\n\r\na=b", 400),
    "CL negative": (POST + b"Content-Length: -1\r\n\r\n", 400),
    "CL plus": (POST + b"Content-Length: +3\r\n\r\na=b", 400),
    "CL hex": (POST + b"Content-Length: 0x3\r\n\r\na=b", 400),
    "CL huge": (POST + b"Content-Length: 999999999\r\n\r\n", 413),
    "bare LF": (b"GET / HTTP/1.1\nHost: a\n\n", 400),
    "obs-fold": (b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n", 400),
    "bare CR": (b"GET / HTTP/1.1\r\nHost: a\r\nX: y\rz\r\n\r\n", 400),
    "NUL": (b"GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n", 400),
    "no Host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two Host": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
    "absolute form": (b"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "HTTP/1.0": (b"GET / HTTP/1.0\r\nHost: a\r\n\r\n", 505),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "lower case": (b"get / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "leading CRLF": (b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "two Authorization": (b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: a\r\nAuthorization: b\r\n\r\n", 400),
    "100 fields": (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 100 + b"\r\n", 431),
    "20 kB field": (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 20_000 + b"\r\n\r\n", 431),
    "TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), 400),
    "CONNECT with CL": (b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nContent-Length: 3\r\n\r\nabc", 400),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_head_gets_one_refusal_and_the_end(control: Control, name: str) -> None:
    data, status = HOSTILE[name]
    received = await control.raw(data)
    assert statuses(received) == [status], received[:200]
    assert b"canary" not in received


@pytest.mark.parametrize("name", ["CL and TE", "bare LF", "obs-fold", "two Host"])
async def test_a_hostile_head_byte_by_byte(control: Control, name: str) -> None:
    data, status = HOSTILE[name]
    reader, writer = await asyncio.open_unix_connection(str(control.socket))
    with contextlib.suppress(ConnectionError):
        for byte in b"PROXY TCP4 203.0.113.7 192.0.2.1 5000 443\r\n" + data:
            writer.write(bytes([byte]))
            await writer.drain()
    assert statuses(await reader.read(-1)) == [status]
    writer.close()


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"PROXY\r\n",
        b"PROXY TCP4 203.0.113.7\r\n",
        b"PROXY TCP4 evil 192.0.2.1 5000 443\r\n",
        b"PROXY TCP4 203.0.113.7 192.0.2.1 5000 443\n",
        b"PROXY " + b"x" * 200 + b"\r\n",
    ],
)
async def test_without_a_proper_proxy_line_there_is_no_service(control: Control, line: bytes) -> None:
    assert 200 not in statuses(await control.raw(GET, proxy_line=line))


@pytest.mark.parametrize("line", [b"PROXY UNKNOWN\r\n", b"PROXY TCP6 2001:db8::7 2001:db8::1 5000 443\r\n"])
async def test_other_proxy_lines(control: Control, line: bytes) -> None:
    assert statuses(await control.raw(GET, proxy_line=line)) == [200]


async def test_the_client_can_not_say_who_it_is(control: Control, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="tunnelui_server.audit")
    spoof = b"X-Forwarded-For: 9.9.9.9\r\nForwarded: for=9.9.9.9\r\nX-Real-IP: 9.9.9.9\r\nX-Forwarded-Proto: https\r\n"
    head = b"POST /.pomerium/api/v1/device HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n" + spoof + b"\r\n"
    second_line = b"PROXY TCP4 9.9.9.9 192.0.2.1 5000 443\r\n"
    assert statuses(await control.raw(second_line + GET)) == [400]
    answer = await control.raw(head)
    assert statuses(answer) == [200]
    assert b'"http://a/.pomerium/device"' in answer
    (line,) = [record.__dict__["audit"] for record in caplog.records if "audit" in record.__dict__]
    assert line["client"] == "203.0.113.7"


async def test_a_body_in_pieces_arrives_whole(control: Control) -> None:
    reader, writer = await asyncio.open_unix_connection(str(control.socket))
    form = b"csrf=" + b"x" * 5000
    head = POST + b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n" % len(form)
    data = b"PROXY UNKNOWN\r\n" + head + form
    for start in range(0, len(data), 700):
        writer.write(data[start : start + 700])
        await writer.drain()
        await asyncio.sleep(0.001)
    assert statuses(await reader.read(-1)) == [403]
    writer.close()


async def test_a_client_that_ends_its_side_first_still_gets_the_answer(control: Control) -> None:
    reader, writer = await asyncio.open_unix_connection(str(control.socket))
    writer.write(b"PROXY UNKNOWN\r\n" + GET)
    writer.write_eof()
    assert statuses(await reader.read(-1)) == [200]
    writer.close()


async def test_a_client_that_ends_within_the_head_or_body_is_let_go(control: Control) -> None:
    for data in (
        b"",
        b"PROXY UNK",
        b"PROXY UNKNOWN\r\nGET /",
        b"PROXY UNKNOWN\r\n" + POST + b"Content-Length: 9\r\n\r\na",
    ):
        reader, writer = await asyncio.open_unix_connection(str(control.socket))
        writer.write(data)
        writer.write_eof()
        with anyio.fail_after(60):
            await reader.read(-1)
        writer.close()


async def test_a_slow_client_is_ended_in_total_time_not_per_byte(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "REQUEST_SECONDS", 0.5)
    begin = time.monotonic()
    reader, writer = await asyncio.open_unix_connection(str(control.socket))
    ended = asyncio.ensure_future(reader.read(-1))
    with contextlib.suppress(ConnectionError):
        for byte in b"PROXY UNKNOWN\r\n" + GET * 10:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.wait([ended], timeout=0.05)
            if ended.done():
                break
    assert statuses(await ended) == [408] and 0.4 < time.monotonic() - begin < 8
    writer.close()


async def test_a_slow_body_is_ended_too(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "REQUEST_SECONDS", 0.3)
    head = POST + b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 50\r\n\r\na=b"
    with anyio.fail_after(8):
        assert 200 not in statuses(await control.raw(head))


async def test_many_clients_at_once(control: Control) -> None:
    answers: list[bytes] = []

    async def ask() -> None:
        answers.append(await control.raw(GET))

    async with anyio.create_task_group() as group:
        for _ in range(100):
            group.start_soon(ask)
    assert [statuses(answer) for answer in answers] == [[200]] * 100


def test_the_socket_is_private_and_replaces_a_dead_one(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    before = os.umask(0)
    try:
        with listen(path) as first:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            first.close()
            with listen(path):
                assert stat.S_ISSOCK(path.stat().st_mode)
        assert not path.exists()
        path.write_text("a file of somebody's")
        with pytest.raises(LocalError), listen(path):
            pass
        assert path.read_text() == "a file of somebody's"
    finally:
        os.umask(before)


async def test_as_a_process_it_starts_serves_and_ends_at_sigterm(tmp_path: Path) -> None:
    file, path = tmp_path / "config.yaml", tmp_path / "run" / "c.sock"
    path.parent.mkdir(mode=0o700)
    storage = f"databroker_storage_connection_string: {tmp_path}/state/s.sqlite\n"
    file.write_text(
        f"address: 127.0.0.1:8000\ninsecure_server: true\nshared_secret: {SECRET}\n{storage}{LOCAL}{ROUTES}"
    )
    file.chmod(0o600)
    command = [sys.executable, "-m", "tunnelui_server.child", "control", "--config", str(file), "--socket", str(path)]
    async with await anyio.open_process(command, stdin=subprocess.PIPE, stdout=None, stderr=subprocess.PIPE) as process:
        with anyio.fail_after(60):
            while not path.exists():
                assert process.returncode is None
                await anyio.sleep(0.05)
            while True:
                with contextlib.suppress(ConnectionError):
                    reader, writer = await asyncio.open_unix_connection(str(path))
                    break
                await anyio.sleep(0.05)
            writer.write(b"PROXY UNKNOWN\r\n" + GET)
            assert statuses(await reader.read(-1)) == [200]
            writer.close()
            # An idle connection must not hold up the end.
            _, idle = await asyncio.open_unix_connection(str(path))
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
            idle.close()
        assert process.stderr is not None
        logged = b"".join([piece async for piece in process.stderr])
    assert not path.exists() and b"canary" not in logged and b"Traceback" not in logged


async def test_a_client_that_leaves_within_a_form_is_no_fault_of_ours(
    control: Control, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    head = b"POST /.pomerium/sign_in HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    for _ in range(3):
        _, writer = await asyncio.open_unix_connection(str(control.socket))
        writer.write(b"PROXY UNKNOWN\r\n" + head + b"Content-Length: 50\r\n\r\na=b")
        await writer.drain()
        await anyio.sleep(0.05)
        writer.close()
        await writer.wait_closed()
    # The last answer shows that the others are over; a traceback for each of them would fill a disk.
    assert statuses(await control.raw(GET)) == [200]
    assert [record for record in caplog.records if record.exc_info or record.levelname == "ERROR"] == []
