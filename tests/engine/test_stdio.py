"""One tunnel over a pair of descriptors."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import pytest

from tests.support.connect_proxy import ConnectProxy, answer, answer_at_end, greet_then, say_nothing
from tests.support.engine_bench import QUICK
from tunnelui.auth.stores import MemoryStore
from tunnelui.config.profile import Profile
from tunnelui.engine.model import ConnectionSnapshot, ConnectionState, Event
from tunnelui.engine.stdio import run_stdio
from tunnelui.errors import AccessDenied, LocalError, PeerError, ProxyError, SignInNeeded, UpstreamError
from tunnelui.transport.stdio import StdioEndpoint
from tunnelui.wire.destination import parse_destination

if TYPE_CHECKING:
    from tests.support.pki import Pki


class Run:
    """`run_stdio` on two pipes; ``stdin`` and ``stdout`` are the other ends."""

    def __init__(self, proxy: ConnectProxy, pki: Pki, **options: Any) -> None:
        read_fd, self.stdin = os.pipe()
        self.stdout, write_fd = os.pipe()
        self._fds = [self.stdin, self.stdout]
        self.events: list[Event] = []
        self._arguments: dict[str, Any] = {
            "profile": Profile(ca_file=pki.ca_file, open_browser=False),
            "store": MemoryStore(),
            "endpoint": StdioEndpoint(read_fd, write_fd),
            "publish": self.events.append,
            "retries": QUICK,
            "linger": 0.5,
            **options,
        }
        self._destination = parse_destination(proxy.destination())
        self.output = b""

    async def __call__(self) -> ConnectionSnapshot:
        return await run_stdio(self._destination, **self._arguments)

    def end_input(self) -> None:
        self._close(self.stdin)

    async def read_output(self) -> None:
        while data := await anyio.to_thread.run_sync(os.read, self.stdout, 65536):
            self.output += data

    def _close(self, fd: int) -> None:
        if fd in self._fds:
            self._fds.remove(fd)
            os.close(fd)

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        for fd in list(self._fds):
            self._close(fd)


async def test_input_is_sent_and_the_answer_comes_out(proxy: ConnectProxy, pki: Pki) -> None:
    with Run(proxy, pki) as run:
        os.write(run.stdin, b"PING\r\n")
        run.end_input()
        async with anyio.create_task_group() as group:
            group.start_soon(run.read_output)
            result = await run()
    assert run.output == b"PING\r\n"
    assert result.state is ConnectionState.CLOSED
    assert (result.bytes_in, result.bytes_out) == (6, 6)
    assert result.timings.connect is not None
    assert [event.kind for event in run.events] == ["open", "closed"]


async def test_answer_that_comes_only_at_the_end_of_the_input(proxy: ConnectProxy, pki: Pki) -> None:
    proxy.default = answer_at_end
    with Run(proxy, pki) as run:
        async with anyio.create_task_group() as group:
            group.start_soon(run.read_output)
            group.start_soon(anyio.to_thread.run_sync, os.write, run.stdin, b"x" * 50_000)
            await anyio.sleep(0.2)
            run.end_input()
            await run()
    assert run.output == b"50000 bytes"


@pytest.mark.parametrize(
    ("status", "error"), [(403, AccessDenied), (404, ProxyError), (503, UpstreamError), (302, SignInNeeded)]
)
async def test_refusal_is_raised(proxy: ConnectProxy, pki: Pki, status: int, error: type[Exception]) -> None:
    proxy.default = answer(status, X_Request_Id="r5")
    with Run(proxy, pki, interactive=False) as run, pytest.raises(error):
        await run()
    assert run.events[-1].kind == "failed"
    retries = [event for event in run.events if event.kind == "retry"]
    assert len(retries) == (QUICK.retries if status == 503 else 0)


async def test_broken_tunnel_is_raised(proxy: ConnectProxy, pki: Pki) -> None:
    proxy.default = greet_then(lambda peer: peer.reset())
    with Run(proxy, pki) as run:
        os.write(run.stdin, b"x")
        with pytest.raises(PeerError) as caught:
            await run()
    assert caught.value.code == "reset"
    assert run.events[-1].kind == "closed"
    assert run.events[-1].level == "warning"


async def test_sign_in_is_announced_and_awaited(proxy: ConnectProxy, pki: Pki) -> None:
    proxy.tokens = set()
    announced: list[str] = []
    with Run(proxy, pki, announce=lambda url, browser: announced.append(url)) as run:
        os.write(run.stdin, b"hello")
        run.end_input()

        async def person() -> None:
            while not announced:
                await anyio.sleep(0.01)
            assert await anyio.to_thread.run_sync(proxy.sign_in, "t") == 200

        async with anyio.create_task_group() as group:
            group.start_soon(run.read_output)
            group.start_soon(person)
            await run()
    assert run.output == b"hello"
    assert announced == [run.events[0].data["url"]]
    assert [event.kind for event in run.events] == ["sign_in", "signed_in", "open", "closed"]


async def test_program_that_goes_away_during_the_sign_in_ends_it(proxy: ConnectProxy, pki: Pki) -> None:
    proxy.tokens = set()
    with Run(proxy, pki) as run:

        async def leave() -> None:
            while not proxy.logins:
                await anyio.sleep(0.01)
            run._close(run.stdout)

        async with anyio.create_task_group() as group:
            group.start_soon(leave)
            with pytest.raises(LocalError) as caught:
                await run()
    assert caught.value.code == "left"


async def test_cancelling_cuts_the_tunnel(proxy: ConnectProxy, pki: Pki) -> None:
    proxy.default = say_nothing
    with Run(proxy, pki) as run:
        with anyio.move_on_after(0.5) as scope:
            await run()
        assert scope.cancelled_caught
        assert os.read(run.stdout, 10) == b""


async def test_socket_as_input_and_output(proxy: ConnectProxy, pki: Pki) -> None:
    ours, theirs = socket.socketpair()
    fd = theirs.detach()
    with ours, Run(proxy, pki, endpoint=StdioEndpoint(fd, fd)) as run:
        ours.sendall(b"abc")
        ours.shutdown(socket.SHUT_WR)
        await run()
        assert ours.recv(10) == b"abc"
