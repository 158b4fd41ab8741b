"""Several programs at one agent; one that goes away; one that misbehaves."""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING

import anyio
import pytest

from tests.agent.conftest import agent_for, counted, find
from tests.support.engine_bench import Local
from tests.support.sockets import open_descriptors
from tunnelui.agent import runtime
from tunnelui.agent.client import AgentClient, connect
from tunnelui.agent.runtime import socket_path
from tunnelui.config.route import Route
from tunnelui.config.runtime_folder import open_folder
from tunnelui.engine.model import State
from tunnelui.errors import LocalError, ProtocolError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from tests.support.connect_proxy import ConnectProxy
    from tests.support.engine_bench import Bench
    from tests.support.pki import Pki
    from tunnelui.agent.server import AgentServer


def dial() -> socket.socket:
    folder = open_folder(create=False)
    assert folder is not None
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(30)
    sock.connect(str(socket_path(folder)))
    return sock


async def read(sock: socket.socket) -> bytes:
    return await anyio.to_thread.run_sync(sock.recv, 65536)


async def test_several_programs_see_the_same(client: AgentClient) -> None:
    async with AgentClient(find) as other:
        await other.start("db")
        with anyio.fail_after(60):
            while client.snapshot() != other.snapshot():
                await anyio.sleep(0.01)
        tunnel = client.snapshot().tunnel("db")
        assert tunnel is not None
        assert tunnel.state is State.READY
        await client.add_route(Route("web", "web.example.com:80"))
        with anyio.fail_after(60):
            while other.snapshot().tunnel("web") is None:
                await anyio.sleep(0.01)


async def test_answers_that_are_ready_at_once_cost_one_snapshot(client: AgentClient, bench: Bench) -> None:
    """With a thousand routes, a snapshot for each answer makes ``up --all`` take minutes."""
    looks = counted(bench)
    async with anyio.create_task_group() as tasks:
        for _ in range(100):
            tasks.start_soon(client.start, "db")
    assert len(looks) < 30
    assert client.snapshot().tunnel("db") == bench.engine.snapshot().tunnel("db")


async def test_what_a_program_asked_for_is_done_though_it_left(bench: Bench, server: AgentServer) -> None:
    async with AgentClient(find) as client:
        channel = client._channel
        assert channel is not None
        await channel.send({"id": 9, "call": "start", "with": {"name": "db"}})
    await bench.until(lambda: bench.tunnel.state is State.READY)


async def test_a_cancellation_right_behind_its_request_counts(
    client: AgentClient, server: AgentServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, went_on = anyio.Event(), anyio.Event()

    async def parts(call: str, given: object) -> AsyncGenerator[object, None]:
        try:
            await anyio.sleep(0.2)
            went_on.set()
            yield None
        finally:
            ended.set()

    monkeypatch.setattr(server._calls, "parts", parts)
    assert client._channel is not None
    await client._channel.send(
        {"id": 901, "call": "diagnose", "with": {"name": "db"}}, {"id": 902, "call": "cancel", "with": {"id": 901}}
    )
    with anyio.fail_after(60):
        await ended.wait()
    assert not went_on.is_set()


async def test_byte_counters_move_without_events(client: AgentClient) -> None:
    await client.start("db")
    tunnel = client.snapshot().tunnel("db")
    assert tunnel is not None
    with Local(tunnel.local) as program:
        await program.send(b"x")
        await program.read()
        for count in (2, 3):
            await program.send(b"y")
            await program.read()
            with anyio.fail_after(60):
                while (now := client.snapshot().tunnel("db")) is None or now.bytes_in < count:
                    await anyio.sleep(0.05)


async def test_the_history_is_there_for_who_comes_later(client: AgentClient) -> None:
    await client.start("db")
    async with AgentClient(find) as later:
        with anyio.fail_after(60):
            while not (events := await later.history("db")):
                await anyio.sleep(0.01)
        assert "listening" in [event.kind for event in events]
        assert await later.history("nothing") == ()


async def test_an_agent_that_goes_away_is_said_and_found_again(proxy: ConnectProxy, pki: Pki) -> None:
    async with anyio.create_task_group() as tasks:
        up, down = anyio.Event(), anyio.Event()

        async def first() -> None:
            async with agent_for(proxy, pki):
                up.set()
                await down.wait()

        tasks.start_soon(first)
        await up.wait()
        async with AgentClient(find) as client:
            down.set()
            with anyio.fail_after(60):
                while True:
                    try:
                        client.snapshot()
                    except LocalError:
                        break
                    await anyio.sleep(0.01)
            with pytest.raises(LocalError):
                await client.start("db")
            async with agent_for(proxy, pki):
                with anyio.fail_after(60):
                    while True:
                        try:
                            await client.start("db")
                            break
                        except LocalError:
                            await anyio.sleep(0.05)
                tunnel = client.snapshot().tunnel("db")
                assert tunnel is not None
                assert tunnel.state is State.READY


async def test_without_an_agent_entering_says_so() -> None:
    assert await connect() is None
    with pytest.raises(LocalError, match="no agent"):
        async with AgentClient(find):
            pass


async def test_an_unknown_request_is_refused_by_name(client: AgentClient) -> None:
    with pytest.raises(ProtocolError, match="levitate"):
        await client.call("levitate")
    with pytest.raises(ProtocolError, match="name"):
        await client.call("start")
    with pytest.raises(ProtocolError):
        await client.call("start", name=7)
    with pytest.raises(ProtocolError):
        await client.call("add_route", route={"name": "x"})


@pytest.mark.parametrize(
    "data",
    [b"", b"GET / HTTP/1.1\r\n\r\n", b"{}\n", b'{"call":"end"}\n', b"[" * 5000 + b"\n", b'{"hello":{}}\nnonsense\n'],
    ids=["nothing", "http", "no hello", "a request first", "deep", "then nonsense"],
)
async def test_a_program_that_makes_no_sense_is_dropped_alone(client: AgentClient, data: bytes) -> None:
    with dial() as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        while await read(sock):
            pass
    await client.start("db")


async def test_descriptors_that_nobody_asked_for_are_closed(client: AgentClient) -> None:
    await client.start("db")
    before = open_descriptors()
    for _ in range(5):
        with dial() as sock, open(os.devnull) as null:
            socket.send_fds(sock, [b'{"hello":{}}\n{"id":1,"call":"status"}\n'], [null.fileno()] * 2)
            assert b"hello" in await read(sock)
    with anyio.fail_after(60):
        while open_descriptors() > before:
            await anyio.sleep(0.01)


async def test_another_users_program_is_not_served(client: AgentClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "peer_uid", lambda sock: os.geteuid() + 1)
    with dial() as sock:
        try:
            sock.sendall(b'{"hello":{}}\n')
            assert await read(sock) == b""
        except ConnectionError:
            pass  # closed with our hello unread
    with pytest.raises(LocalError) as caught:
        await connect()
    assert caught.value.code == "agent_peer"


async def test_an_agent_that_says_nothing_is_an_error_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tunnelui.agent.client._HELLO", 0.2)
    folder = open_folder(create=True)
    assert folder is not None
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(socket_path(folder)))
        mute.listen()
        with pytest.raises(LocalError) as caught:
            await connect()
    assert caught.value.code == "agent_silent"
    if sys.platform == "linux":
        assert f"the agent (pid {os.getpid()}) does not answer: it was stopped" in str(caught.value)
        assert f"kill -CONT {os.getpid()}" in caught.value.hint


# The runtime folder.


def test_the_folder_is_made_private() -> None:
    folder = open_folder(create=True)
    assert folder is not None
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o755)
    open_folder(create=False)
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_of_somebody_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    open_folder(create=True)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    with pytest.raises(LocalError, match="another user") as caught:
        open_folder(create=False)
    assert caught.value.code == "runtime_dir"
    assert "TUNNELUI_RUNTIME_DIR" in caught.value.hint


def test_a_link_or_a_file_is_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "file").touch()
    for name in ("link", "file"):
        monkeypatch.setenv("TUNNELUI_RUNTIME_DIR", str(tmp_path / name))
        with pytest.raises(LocalError):
            open_folder(create=True)


def test_a_path_that_is_too_long_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="too long"):
        socket_path(tmp_path / ("x" * 100))


def test_only_one_may_be_the_agent() -> None:
    folder = open_folder(create=True)
    assert folder is not None
    first, second = runtime.AgentLock(folder), runtime.AgentLock(folder)
    assert first.take()
    assert not second.take()
    first.release()
    assert second.take()
    second.release()
