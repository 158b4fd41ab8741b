"""The baseline: both halves of a CONNECT tunnel with asyncio streams, as short as they can be. Not for use.

``client PORT PROXY_PORT AUTHORITY CA_FILE``, or
``server PORT UPSTREAM_PORT OTHER_UPSTREAM_PORT OTHER_AUTHORITY CERT_FILE KEY_FILE``.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ssl
import sys
from asyncio import StreamReader, StreamWriter

CHUNK = 65536


async def copy(reader: StreamReader, writer: StreamWriter) -> None:
    while data := await reader.read(CHUNK):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
    else:
        writer.close()


async def relay(one: tuple[StreamReader, StreamWriter], two: tuple[StreamReader, StreamWriter]) -> None:
    with contextlib.suppress(OSError, ssl.SSLError):
        await asyncio.gather(copy(one[0], two[1]), copy(two[0], one[1]))
    one[1].close()
    two[1].close()


async def tunnel(
    proxy: int, authority: str, context: ssl.SSLContext, reader: StreamReader, writer: StreamWriter
) -> None:
    far = await asyncio.open_connection("127.0.0.1", proxy, ssl=context, server_hostname="localhost")
    far[1].write(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
    if b" 200 " not in await far[0].readuntil(b"\r\n\r\n"):
        far[1].close()
        writer.close()
        return
    await relay((reader, writer), far)


async def answer(upstreams: dict[str, int], reader: StreamReader, writer: StreamWriter) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
    far = await asyncio.open_connection("127.0.0.1", upstreams.get(head.split()[1], upstreams[""]))
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    await relay((reader, writer), far)


async def main(mode: str, port: str, *rest: str) -> None:
    if mode == "client":
        context = ssl.create_default_context(cafile=rest[2])
        handler = functools.partial(tunnel, int(rest[0]), rest[1], context)
        server = await asyncio.start_server(handler, "127.0.0.1", int(port), backlog=4096)
    else:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(rest[3], rest[4])
        handler = functools.partial(answer, {"": int(rest[0]), rest[2]: int(rest[1])})
        server = await asyncio.start_server(handler, "127.0.0.1", int(port), ssl=context, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
