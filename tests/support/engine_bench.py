"""An engine with one route to a scripted proxy, and a blocking local program that uses it."""

from __future__ import annotations

import contextlib
import socket
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from tunnelui.auth.stores import MemoryStore
from tunnelui.auth.token_store import TokenKey
from tunnelui.auth.tokens import Token
from tunnelui.config.profile import Profile
from tunnelui.config.route import Route
from tunnelui.config.settings import Settings
from tunnelui.engine.backoff import Backoff, RetryRule
from tunnelui.engine.local import LocalEngine
from tunnelui.engine.model import Event, State, TunnelSnapshot
from tunnelui.wire.destination import parse_proxy_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.support.connect_proxy import ConnectProxy
    from tests.support.pki import Pki

# Quick enough for tests; the same shape as the real ones.
QUICK = RetryRule(Backoff(first=0.05, ceiling=0.2, jitter=0.0), retries=3, window=2.0)


@dataclass
class Bench:
    """An engine with one route ``db`` to *proxy*, and what it published."""

    engine: LocalEngine
    proxy: ConnectProxy
    store: MemoryStore
    events: list[Event] = field(default_factory=list)

    @property
    def tunnel(self) -> TunnelSnapshot:
        tunnel = self.engine.snapshot().tunnel("db")
        assert tunnel is not None
        return tunnel

    @property
    def key(self) -> TokenKey:
        return TokenKey("default", parse_proxy_url(self.proxy.origin))

    def kinds(self, *kinds: str) -> list[str]:
        return [event.kind for event in self.events if not kinds or event.kind in kinds]

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.events if event.kind == kind]

    async def start(self) -> str:
        await self.engine.start("db")
        assert self.tunnel.state is State.READY, self.tunnel.problem
        return self.tunnel.local

    async def until(self, condition: Callable[[], Any], what: str = "") -> None:
        with anyio.move_on_after(60) as scope:
            while not condition():
                await anyio.sleep(0.01)
            await anyio.sleep(0.01)  # the snapshot is ahead of the events by a turn of the loop
        assert not scope.cancelled_caught, f"never happened: {what or condition}; {self.tunnel}; {self.events[-5:]}"

    async def until_closed(self, count: int) -> None:
        await self.until(lambda: len(self.of("closed")) == count, f"{count} closed")

    async def until_state(self, state: State) -> None:
        await self.until(lambda: self.tunnel.state is state, f"state {state}")


@contextlib.asynccontextmanager
async def running(proxy: ConnectProxy, pki: Pki, route: Route | None = None, **options: Any) -> AsyncIterator[Bench]:
    """An engine for *proxy*; *options* go to `LocalEngine`. No browser is ever started.

    Without *warm* no connection is kept ready, so that every one which the proxy sees belongs to a local program.
    """
    profile = Profile(ca_file=pki.ca_file, open_browser=False, sign_in_timeout=options.pop("sign_in_timeout", 20.0))
    store = options.pop("store", None) or MemoryStore()
    settings: dict[str, Any] = {
        "settings": Settings(profiles={"default": profile}, warm=options.pop("warm", 0)),
        "store": store,
        "routes": [route or Route("db", proxy.destination())],
        "retries": QUICK,
        "linger": 0.5,
        **options,
    }
    async with LocalEngine(**settings) as engine, anyio.create_task_group() as group:
        bench = Bench(engine, proxy, store)
        reader = engine.events()

        async def collect() -> None:
            async for event in reader:
                bench.events.append(event)

        group.start_soon(collect)
        try:
            yield bench
        finally:
            await engine.aclose()
            group.cancel_scope.cancel()


class Local:
    """A blocking local program, called from worker threads so that the engine runs meanwhile."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self.sock = socket.create_connection((host, int(port)), timeout=30)

    async def send(self, data: bytes) -> None:
        await anyio.to_thread.run_sync(self.sock.sendall, data)

    async def end(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)

    async def read(self, size: int = 65536) -> bytes:
        return await anyio.to_thread.run_sync(self.sock.recv, size)

    async def read_exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size and (more := await self.read(size - len(data))):
            data += more
        return data

    async def read_all(self) -> bytes:
        data = b""
        while more := await self.read():
            data += more
        return data

    async def is_reset(self) -> bool:
        """Whether the next read reports a reset; a clean end is none."""
        try:
            await self.read()
        except ConnectionResetError:
            return True
        return False

    def close(self) -> None:
        self.sock.close()

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def __enter__(self) -> Local:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


async def give_token(bench: Bench, value: str = "good-token") -> Token:
    """Put a token into the store that the proxy takes."""
    token = Token(value)
    await bench.store.save(bench.key, token)
    bench.proxy.tokens = (bench.proxy.tokens or set()) | {value}
    return token
