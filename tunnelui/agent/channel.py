"""A connected socket that carries lines of the protocol, and descriptors beside them where it is a Unix socket."""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from tunnelui.agent.protocol import LineParser, render
from tunnelui.agent.runtime import peer_pid

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["Channel"]

_CHUNK: Final = 256 * 1024
_MOST_DESCRIPTORS: Final = 2


class Channel:
    """Owns *sock*. One task may read; any number may send.

    ``OSError`` comes out of both when the other side is gone.
    """

    def __init__(self, sock: socket.socket, *, limit: int) -> None:
        """*limit* bounds a line that is read, in bytes."""
        sock.setblocking(False)
        self.sock = sock
        self._has_descriptors = sock.family == getattr(socket, "AF_UNIX", None)
        self._parser = LineParser(limit)
        self._ready: deque[dict[str, Any]] = deque()
        self._sending = asyncio.Lock()
        self._descriptors: list[int] = []
        self._waits: list[Callable[[], None]] = []

    def __enter__(self) -> Channel:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def receive(self) -> dict[str, Any] | None:
        """Return the next message, or ``None`` at the end.

        :raises tunnelui.errors.ProtocolError: what came is no message.
        """
        while not self._ready:
            data = await self._read()
            if not data:
                return None
            self._ready.extend(self._parser.feed(data))
        return self._ready.popleft()

    async def send(self, *messages: dict[str, Any]) -> None:
        """Send *messages*, and nothing between them."""
        data = memoryview(b"".join(map(render, messages)))
        async with self._sending:
            # Half a line would spoil all that follow: once begun it is sent, or the channel is closed.
            while data:
                try:
                    data = data[self.sock.send(data) :]
                except (BlockingIOError, InterruptedError):
                    try:
                        loop = asyncio.get_running_loop()
                        await self._wait(loop.add_writer, loop.remove_writer)
                    except BaseException:
                        self.close()
                        raise

    @property
    def peer_pid(self) -> int:
        """The process at the other end; 0 where the system can't tell."""
        return peer_pid(self.sock) if self._has_descriptors else 0

    def take_descriptors(self) -> tuple[int, ...]:
        """Hand over the descriptors that came since the last call."""
        taken = tuple(self._descriptors)
        self._descriptors.clear()
        return taken

    def close(self) -> None:
        for descriptor in self.take_descriptors():
            os.close(descriptor)
        for leave in tuple(self._waits):  # whoever waits finds it closed
            leave()
        self.sock.close()

    async def _wait(self, add: Callable[[int, Callable[[], None]], object], remove: Callable[[int], object]) -> None:
        """Wait until the socket can be read or written, or is closed."""
        fd = self.sock.fileno()
        ready = asyncio.get_running_loop().create_future()

        def leave() -> None:
            if leave in self._waits:
                self._waits.remove(leave)
                remove(fd)
            if not ready.done():
                ready.set_result(None)

        add(fd, leave)
        self._waits.append(leave)
        try:
            await ready
        finally:
            leave()

    async def _read(self) -> bytes:
        flags = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
        while True:
            try:
                if not self._has_descriptors:
                    return self.sock.recv(_CHUNK)
                data, descriptors, _, _ = socket.recv_fds(self.sock, _CHUNK, _MOST_DESCRIPTORS, flags)
            except (BlockingIOError, InterruptedError):
                loop = asyncio.get_running_loop()
                await self._wait(loop.add_reader, loop.remove_reader)
            else:
                self._descriptors.extend(descriptors)
                while len(self._descriptors) > _MOST_DESCRIPTORS:
                    os.close(self._descriptors.pop())
                return data
