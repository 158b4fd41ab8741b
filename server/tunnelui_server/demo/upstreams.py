"""The services behind the demo's routes: small, but real listeners on the loopback."""

from __future__ import annotations

import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import anyio
from anyio.abc import SocketAttribute, SocketStream, TaskGroup

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

__all__ = ["Upstreams", "run_upstreams"]

_PAGE: Final = b"""<!doctype html><html lang="en"><meta charset="utf-8"><title>tunnelui demo</title>
<h1>It works</h1><p>This page came through a tunnel.</p></html>
"""


@dataclass(frozen=True, slots=True)
class Upstreams:
    """The loopback port of each service; nothing listens on *down*."""

    echo: int
    web: int
    slow: int
    down: int


@asynccontextmanager
async def run_upstreams() -> AsyncIterator[Upstreams]:
    """Run every service until the block ends."""
    # Bound and never listened on: a connection is refused, and no other program can take the port meanwhile.
    with socket.socket() as down:
        down.bind(("127.0.0.1", 0))
        async with anyio.create_task_group() as tasks:
            yield Upstreams(
                echo=await _start(tasks, _echo),
                web=await _start(tasks, _web),
                slow=await _start(tasks, _slow),
                down=down.getsockname()[1],
            )
            tasks.cancel_scope.cancel()


async def _start(tasks: TaskGroup, serve: Callable[[SocketStream], Awaitable[None]]) -> int:
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")

    async def run() -> None:
        async with listener:
            await listener.serve(serve)

    tasks.start_soon(run)
    port: int = listener.extra(SocketAttribute.local_port)  # noqa: S610 - not Django
    return port


async def _echo(stream: SocketStream) -> None:
    async with stream:
        try:
            async for chunk in stream:
                await stream.send(chunk)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            return


async def _web(stream: SocketStream) -> None:
    async with stream:
        head = b""
        with anyio.move_on_after(10):
            while b"\r\n\r\n" not in head and len(head) < 16384:
                try:
                    head += await stream.receive()
                except (anyio.EndOfStream, anyio.BrokenResourceError):
                    return
            found = head.startswith((b"GET / ", b"HEAD / "))
            status, body = (b"200 OK", _PAGE) if found else (b"404 Not Found", b"There is only one page: /\n")
            fields = b"HTTP/1.1 %b\r\nContent-Type: text/html\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (
                status,
                len(body),
            )
            try:
                await stream.send(fields + (b"" if head.startswith(b"HEAD") else body))
            except anyio.BrokenResourceError:
                return


async def _slow(stream: SocketStream) -> None:
    """Say a line each second, for an hour at most."""
    async with stream:
        try:
            for number in range(1, 3601):
                await stream.send(b"line %d, one each second\n" % number)
                await anyio.sleep(1)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            return
