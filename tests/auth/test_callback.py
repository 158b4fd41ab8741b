from __future__ import annotations

import asyncio
import os
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import httpx
import pytest

from tests.auth.jwt import jwt
from tunnelui.auth import callback as callback_module
from tunnelui.auth.callback import CallbackServer
from tunnelui.auth.tokens import Token
from tunnelui.errors import LocalError, SignInFailed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TOKEN = jwt(sub="u1")


class Running:
    def __init__(self, server: CallbackServer, tokens: list[Token]) -> None:
        self.server = server
        self.tokens = tokens
        self.url = server.url
        self.port = httpx.URL(server.url).port or 0
        self.path = httpx.URL(server.url).path


@asynccontextmanager
async def running() -> AsyncIterator[Running]:
    tokens: list[Token] = []
    async with CallbackServer(tokens.append) as server, anyio.create_task_group() as tasks:
        tasks.start_soon(server.serve)
        yield Running(server, tokens)
        tasks.cancel_scope.cancel()


async def raw(port: int, data: bytes, *, wait: float = 5.0) -> bytes:
    """Send *data* and return everything that comes back until the server closes."""
    out = b""
    with anyio.fail_after(wait):
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            await stream.send(data)
            try:
                while True:
                    out += await stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                return out


async def test_the_browser_ends_on_a_page_whose_address_has_no_token() -> None:
    async with running() as run, httpx.AsyncClient(follow_redirects=True) as client:
        answer = await client.get(f"{run.url}?pomerium_jwt={TOKEN}", headers={"Accept": "text/html"})
        assert answer.status_code == 200
        assert "You are signed in. You may close this page." in answer.text
        assert [step.status_code for step in answer.history] == [303]
        assert TOKEN not in str(answer.url)
        assert run.path not in str(answer.url)
        assert run.tokens == [Token(TOKEN)]
        assert run.server.page_shown.is_set()
        for step in (*answer.history, answer):
            assert step.headers["cache-control"] == "no-store"
            assert step.headers["referrer-policy"] == "no-referrer"
            assert step.headers["content-security-policy"].startswith("default-src 'none'")
            assert step.headers["x-content-type-options"] == "nosniff"
            assert TOKEN not in step.text
            assert TOKEN not in str(step.headers)


async def test_the_address_is_on_the_loopback_and_can_not_be_guessed() -> None:
    async with running() as one, running() as two:
        assert one.url.startswith("http://127.0.0.1:")
        assert len(one.path.strip("/")) >= 43  # 256 bits in base64
        assert one.path != two.path


async def test_the_second_token_is_not_taken() -> None:
    async with running() as run, httpx.AsyncClient() as client:
        assert (await client.get(f"{run.url}?pomerium_jwt=one")).status_code == 303
        assert (await client.get(f"{run.url}?pomerium_jwt=two")).status_code == 404
        assert run.tokens == [Token("one")]


async def test_the_name_localhost_is_as_good() -> None:
    async with running() as run, httpx.AsyncClient() as client:
        answer = await client.get(
            f"{run.url}?pomerium_jwt={TOKEN}", headers={"Host": f"LOCALHOST:{run.port}", "Cookie": "a=b"}
        )
        assert answer.status_code == 303
        assert run.tokens == [Token(TOKEN)]


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
async def test_another_method_is_not_found(method: str) -> None:
    async with running() as run, httpx.AsyncClient() as client:
        answer = await client.request(method, f"{run.url}?pomerium_jwt={TOKEN}")
        assert answer.status_code == 404
        assert run.tokens == []


@pytest.mark.parametrize("path", ["/", "/favicon.ico", "/signed-in", "{}/", "{}x", "/x{}", "//{}"])
async def test_another_path_is_not_found(path: str) -> None:
    async with running() as run, httpx.AsyncClient() as client:
        path = path.format(run.path)
        answer = await client.get(f"http://127.0.0.1:{run.port}{path}?pomerium_jwt={TOKEN}")
        assert answer.status_code == 404
        assert run.tokens == []


@pytest.mark.parametrize("host", ["evil.example.com", "evil.example.com:{}", "127.0.0.1", "127.0.0.1:1", "0.0.0.0:{}"])
async def test_another_host_is_not_found(host: str) -> None:
    async with running() as run, httpx.AsyncClient() as client:
        answer = await client.get(f"{run.url}?pomerium_jwt={TOKEN}", headers={"Host": host.format(run.port)})
        assert answer.status_code == 404
        assert run.tokens == []


@pytest.mark.parametrize(
    "query", ["", "?", "?pomerium_jwt=", "?pomerium_jwt=a%20b", "?pomerium_jwt=a&pomerium_jwt=b", "?code=x"]
)
async def test_our_address_without_a_good_token_is_answered_and_the_wait_goes_on(query: str) -> None:
    async with running() as run, httpx.AsyncClient() as client:
        answer = await client.get(f"{run.url}{query}")
        assert answer.status_code == 400
        assert run.tokens == []
        assert (await client.get(f"{run.url}?pomerium_jwt={TOKEN}")).status_code == 303
        assert run.tokens == [Token(TOKEN)]


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\n\n",
        b"GET {path}?pomerium_jwt=t HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n",
        b"GET {path}?pomerium_jwt=t HTTP/1.1\r\n\r\n",
        b"GET {path}?pomerium_jwt=t HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nHost: 127.0.0.1:{port}\r\n\r\n",
        b"GET {path}?pomerium_jwt=t HTTP/1.1\r\n Host: 127.0.0.1:{port}\r\n\r\n",
        b"GET http://127.0.0.1:{port}{path}?pomerium_jwt=t HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n",
        b"CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n",
        b"GET " + b"/" * 20000 + b" HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x00" * 100,
    ],
)
async def test_a_hostile_head_is_turned_away_and_disturbs_nothing(head: bytes) -> None:
    async with running() as run, httpx.AsyncClient() as client:
        data = head.replace(b"{path}", run.path.encode()).replace(b"{port}", str(run.port).encode())
        answer = await raw(run.port, data)
        assert answer.startswith(b"HTTP/1.1 404 ") or answer == b""
        assert run.tokens == []
        assert (await client.get(f"{run.url}?pomerium_jwt={TOKEN}")).status_code == 303


async def test_scanners_and_idle_connections_leave_room_for_the_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callback_module, "_DEADLINE", 0.3)
    async with running() as run, httpx.AsyncClient(timeout=60) as client:
        idle = [socket.create_connection(("127.0.0.1", run.port)) for _ in range(60)]
        try:
            for sock in idle[::2]:
                sock.sendall(b"GET /")
            # More than the limit: the surplus is closed at once, the rest after its deadline.
            with anyio.fail_after(60):
                while True:
                    try:
                        answer = await client.get(f"{run.url}?pomerium_jwt={TOKEN}")
                        break
                    except httpx.TransportError:
                        await anyio.sleep(0.05)
            assert answer.status_code == 303
            assert run.tokens == [Token(TOKEN)]
        finally:
            for sock in idle:
                sock.close()


async def test_a_slow_head_ends_at_its_deadline_however_it_trickles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callback_module, "_DEADLINE", 0.4)
    async with running() as run, await anyio.connect_tcp("127.0.0.1", run.port) as stream:
        with anyio.fail_after(60), pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
            async with anyio.create_task_group() as tasks:

                async def trickle() -> None:
                    while True:
                        await stream.send(b"G")
                        await anyio.sleep(0.05)

                tasks.start_soon(trickle)
                try:
                    await stream.receive()
                except (anyio.EndOfStream, anyio.BrokenResourceError) as error:
                    tasks.cancel_scope.cancel()
                    caught = error
            raise caught


async def test_a_peer_that_resets_disturbs_nothing() -> None:
    async with running() as run, httpx.AsyncClient() as client:
        for _ in range(5):
            sock = socket.create_connection(("127.0.0.1", run.port))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            sock.sendall(b"GET / HT")
            sock.close()
        assert (await client.get(f"{run.url}?pomerium_jwt={TOKEN}")).status_code == 303


async def test_a_browser_that_comes_while_the_sign_in_ends_is_closed() -> None:
    """The end of the sign-in and the connection are told to the loop in one turn, the end first."""
    ending, end = os.pipe()
    loop = asyncio.get_running_loop()
    async with CallbackServer(lambda _: None) as server:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve)
            loop.add_reader(ending, tasks.cancel_scope.cancel)
            await anyio.sleep(0.05)
            os.write(end, b"x")
            browser = socket.create_connection(("127.0.0.1", server._port), timeout=30)
        with browser:
            assert await loop.run_in_executor(None, browser.recv, 1) == b""
    loop.remove_reader(ending)
    os.close(ending)
    os.close(end)


async def test_without_a_free_port_the_sign_in_fails_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise LocalError("can't listen on 127.0.0.1:0: Too many open files")

    monkeypatch.setattr(callback_module, "open_listener", fail)
    with pytest.raises(SignInFailed, match="Too many open files"):
        async with CallbackServer(lambda _: None):
            pass


async def test_nothing_listens_once_it_is_left() -> None:
    async with running() as run:
        port = run.port
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=30)
