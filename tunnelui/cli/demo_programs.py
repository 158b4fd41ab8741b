"""What local programs do with the demo's services, for `tunnelui.cli.demo_check`.

Each takes the local address of a tunnel and returns what went wrong, or nothing.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Final

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["use_service"]

_PAYLOAD: Final = 1 << 20


async def use_service(name: str, local: str) -> str:
    """Use the service *name* at the address *local*; returns what went wrong, or nothing. Never raises an error."""
    host, _, port = local.rpartition(":")
    if not port:
        return "it does not listen"
    try:
        stream = await anyio.connect_tcp(host, int(port))
    except OSError as error:
        return f"the local port does not answer: {error}"
    async with stream:
        try:
            return await _PROGRAMS.get(name, _refused)(stream)
        except anyio.EndOfStream:
            return "the connection ended too early"
        except anyio.BrokenResourceError:
            return "the connection was cut"


async def _echo(stream: anyio.abc.SocketStream) -> str:
    """Send a mebibyte while reading it back, then end our side and wait for the end of theirs."""
    sent = os.urandom(_PAYLOAD)
    received = hashlib.sha256()
    cut = False

    async def send() -> None:
        nonlocal cut
        try:
            await stream.send(sent)
            await stream.send_eof()
        except anyio.BrokenResourceError:
            cut = True

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(send)
        try:
            async for chunk in stream:
                received.update(chunk)
        except anyio.BrokenResourceError:
            cut = True
    if cut:
        raise anyio.BrokenResourceError
    return "" if received.digest() == hashlib.sha256(sent).digest() else "the echo is not what was sent"


async def _web(stream: anyio.abc.SocketStream) -> str:
    await stream.send(b"GET / HTTP/1.1\r\nHost: web.corp.example.com\r\nConnection: close\r\n\r\n")
    answer = b"".join([chunk async for chunk in stream])
    head, _, body = answer.partition(b"\r\n\r\n")
    length = next((line[16:] for line in head.splitlines() if line.lower().startswith(b"content-length: ")), b"")
    whole = head.startswith(b"HTTP/1.1 200 ") and length == b"%d" % len(body)
    return "" if whole else "the page is not whole"


async def _slow(stream: anyio.abc.SocketStream) -> str:
    text = b""
    while text.count(b"\n") < 2:
        text += await stream.receive()
    return "" if text.startswith(b"line 1,") and b"\nline 2," in text else "the lines are not what they should be"


async def _refused(stream: anyio.abc.SocketStream) -> str:
    """A tunnel that can't open ends the local connection with a reset, and no byte before it."""
    try:
        await stream.receive()
    except anyio.BrokenResourceError:
        return ""
    except anyio.EndOfStream:
        return "the connection ended as if all were well"
    return "bytes came from nowhere"


_PROGRAMS: Final[dict[str, Callable[[anyio.abc.SocketStream], Awaitable[str]]]] = {
    "echo": _echo,
    "web": _web,
    "slow": _slow,
}
