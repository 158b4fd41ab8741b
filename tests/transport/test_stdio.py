"""Standard input and output of every kind, as a side of a tunnel."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import pty
import socket
import tty
from typing import TYPE_CHECKING

import anyio
import pytest

from tests.support.sockets import Background, digest_to_end, no_leaked_descriptors, read_exactly, read_to_end, tcp_pair
from tests.support.stream_peers import PlainPeer
from tests.transport.conftest import in_thread
from tunnelui.errors import PeerError
from tunnelui.transport.endpoint import CHUNK, PlainEndpoint
from tunnelui.transport.relay import Relay, RelayCause, RelayResult
from tunnelui.transport.stdio import StdioEndpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def is_blocking(fd: int) -> bool:
    return not fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK


class Run:
    """A relay between *endpoint* and a TCP service; the service's end is `peer`."""

    def __init__(self, endpoint: StdioEndpoint) -> None:
        ours, theirs = tcp_pair()
        self.peer = PlainPeer(theirs)
        self.relay = Relay(endpoint, PlainEndpoint(ours))
        self.result: RelayResult | None = None

    async def __call__(self) -> None:
        self.result = await self.relay.run()
        await anyio.lowlevel.checkpoint()


@pytest.fixture(params=["reopened", "polled"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With ``/proc``, and without it as on other systems."""
    if request.param == "polled":

        def refuse(fd: int, mode: int) -> int:
            raise PermissionError

        monkeypatch.setattr("tunnelui.transport.stdio._reopen", refuse)
    return str(request.param)


@pytest.fixture(autouse=True)
def descriptors() -> Iterator[None]:
    with no_leaked_descriptors():
        yield


@pytest.mark.usefixtures("way")
async def test_pipes_carry_both_directions_and_keep_their_flags() -> None:
    stdin, feed = os.pipe()
    out, stdout = os.pipe()
    shared = [os.dup(stdin), os.dup(stdout)]
    question, answer = os.urandom(1_000_000), os.urandom(1_000_000)

    def type_it() -> None:
        with open(feed, "wb") as file:
            file.write(question)

    run = Run(StdioEndpoint(stdin, stdout))
    async with anyio.create_task_group() as group:
        group.start_soon(run)
        typing = Background(type_it)
        # The end of standard input is a half-close: the answer comes after it.
        assert await in_thread(digest_to_end, run.peer) == hashlib.sha256(question).hexdigest()
        assert all(is_blocking(fd) for fd in shared)
        for fd in shared:
            os.close(fd)

        def read_it() -> bytes:
            with open(out, "rb") as file:
                return file.read()

        reading = Background(read_it)
        await in_thread(run.peer.sendall, answer)
        run.peer.half_close()
        # Standard output is closed, so its reader sees the end.
        assert await in_thread(reading.result) == answer
        await in_thread(typing.result)
    assert run.result is not None
    assert run.result.cause is RelayCause.FINISHED
    run.peer.close()


@pytest.mark.usefixtures("way")
async def test_a_full_output_pipe_holds_the_service_back_and_not_the_loop() -> None:
    stdin, feed = os.pipe()
    out, stdout = os.pipe()
    data = os.urandom(8_000_000)
    run = Run(StdioEndpoint(stdin, stdout))
    async with anyio.create_task_group() as group:
        group.start_soon(run)
        sending = Background(run.peer.sendall, data)
        kept = 0
        for _ in range(20):
            await anyio.sleep(0.02)  # would not come back if a write blocked
            kept = max(kept, run.relay.near.pending)
        assert 0 < kept <= CHUNK
        assert not sending.done
        # The other direction is alive.
        os.write(feed, b"still here")
        assert await in_thread(read_exactly, run.peer, 10) == b"still here"

        def read_it() -> str:
            with open(out, "rb") as file:
                return hashlib.sha256(file.read(len(data))).hexdigest()

        assert await in_thread(read_it) == hashlib.sha256(data).hexdigest()
        await in_thread(sending.result)
        group.cancel_scope.cancel()
    os.close(feed)
    run.peer.close()


@pytest.mark.usefixtures("way")
async def test_output_that_nobody_reads_any_more_ends_as_a_reset() -> None:
    stdin, feed = os.pipe()
    out, stdout = os.pipe()
    run = Run(StdioEndpoint(stdin, stdout))
    async with anyio.create_task_group() as group:
        group.start_soon(run)
        os.close(out)
        await in_thread(run.peer.sendall, b"x")
        with pytest.raises(ConnectionResetError):
            await in_thread(run.peer.recv)
    assert run.result is not None
    assert run.result.cause is RelayCause.NEAR_RESET
    os.close(feed)
    run.peer.close()


async def test_a_writer_that_is_gone_before_the_start_is_noticed() -> None:
    stdin, feed = os.pipe()
    out, stdout = os.pipe()
    os.close(out)
    os.close(feed)
    endpoint = StdioEndpoint(stdin, stdout)
    assert await endpoint.receive() == b""
    with pytest.raises(PeerError) as caught:
        await endpoint.send_all(b"x")
    assert caught.value.code == "reset"
    endpoint.close()


async def test_one_socket_for_both_as_ssh_gives_it() -> None:
    program, ours = socket.socketpair()
    # ssh keeps its end; ours comes as two descriptors of one socket.
    stdin, stdout = os.dup(ours.fileno()), os.dup(ours.fileno())
    ssh = PlainPeer(program)
    data = os.urandom(3_000_000)
    run = Run(StdioEndpoint(stdin, stdout))
    async with anyio.create_task_group() as group:
        group.start_soon(run)
        sending = Background(ssh.sendall, data)
        assert await in_thread(read_exactly, run.peer, len(data)) == data
        await in_thread(sending.result)
        assert is_blocking(ours.fileno())
        sending = Background(run.peer.sendall, data)
        assert await in_thread(read_exactly, ssh, len(data)) == data
        await in_thread(sending.result)
        # The service ends: ssh sees it, although standard input is the same socket.
        run.peer.half_close()
        assert await in_thread(read_to_end, ssh) == b""
        ssh.sendall(b"good bye")
        ssh.half_close()
        assert await in_thread(read_to_end, run.peer) == b"good bye"
    assert run.result is not None
    assert run.result.cause is RelayCause.FINISHED
    for end in (ours, program, run.peer):
        end.close()


async def test_a_full_socket_holds_the_service_back_and_not_the_loop() -> None:
    program, ours = socket.socketpair()
    stdin, stdout = os.dup(ours.fileno()), os.dup(ours.fileno())
    run = Run(StdioEndpoint(stdin, stdout))
    async with anyio.create_task_group() as group:
        group.start_soon(run)
        sending = Background(run.peer.sendall, bytes(20_000_000))
        await anyio.sleep(0.2)
        assert not sending.done
        assert 0 < run.relay.near.pending <= CHUNK
        assert await in_thread(read_exactly, PlainPeer(program), 20_000_000) == bytes(20_000_000)
        await in_thread(sending.result)
        group.cancel_scope.cancel()
    for end in (ours, program, run.peer):
        end.close()


async def test_one_number_for_both_directions_is_closed_once() -> None:
    program, ours = socket.socketpair()
    number = ours.detach()
    endpoint = StdioEndpoint(number, number)
    await endpoint.send_all(b"hello")
    assert program.recv(10) == b"hello"
    program.send(b"back")
    assert await endpoint.receive() == b"back"
    endpoint.close()
    endpoint.close()
    assert program.recv(1) == b""
    program.close()


async def test_a_number_that_was_given_back_is_not_closed_again() -> None:
    program, ours = socket.socketpair()
    number = ours.detach()
    endpoint = StdioEndpoint(number, number)
    endpoint.send_eof()
    other = os.open(os.devnull, os.O_RDONLY)
    endpoint.close()
    os.close(other)
    program.close()


async def test_a_file_is_read_to_its_end_and_another_written(tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    question, answer = os.urandom(2_000_000), os.urandom(2_000_000)
    source.write_bytes(b"read before: " + question)
    stdin, stdout = os.open(source, os.O_RDONLY), os.open(target, os.O_WRONLY | os.O_CREAT)
    # As after `read line` in a shell, or in a list of commands with one output.
    os.lseek(stdin, 13, os.SEEK_SET)
    os.write(stdout, b"written before: ")
    run = Run(StdioEndpoint(stdin, stdout))
    async with anyio.create_task_group() as group:
        group.start_soon(run)
        assert await in_thread(read_to_end, run.peer) == question
        await in_thread(run.peer.sendall, answer)
        run.peer.half_close()
    assert run.result is not None
    assert run.result.cause is RelayCause.FINISHED
    assert target.read_bytes() == b"written before: " + answer
    run.peer.close()


async def test_a_file_as_input_waits_for_a_slow_service(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.write_bytes(bytes(20_000_000))
    run = Run(StdioEndpoint(os.open(source, os.O_RDONLY), os.open(os.devnull, os.O_WRONLY)))
    async with anyio.create_task_group() as group:
        group.start_soon(run)
        await anyio.sleep(0.2)
        assert run.relay.far.pending <= CHUNK
        assert not run.relay.near_eof
        assert len(await in_thread(read_to_end, run.peer)) == 20_000_000
        run.peer.half_close()
    run.peer.close()


async def test_dev_null_ends_at_once_and_takes_everything() -> None:
    run = Run(StdioEndpoint(os.open(os.devnull, os.O_RDONLY), os.open(os.devnull, os.O_WRONLY)))
    async with anyio.create_task_group() as group:
        group.start_soon(run)
        assert await in_thread(read_to_end, run.peer) == b""
        await in_thread(run.peer.sendall, bytes(1_000_000))
        run.peer.half_close()
    assert run.result is not None
    assert run.result.cause is RelayCause.FINISHED
    assert run.relay.bytes_in == 1_000_000
    run.peer.close()


async def test_a_folder_as_input_is_a_failure_with_its_reason(tmp_path: Path) -> None:
    endpoint = StdioEndpoint(os.open(tmp_path, os.O_RDONLY), os.open(os.devnull, os.O_WRONLY))
    with pytest.raises(PeerError) as caught:
        await endpoint.receive()
    assert "directory" in caught.value.detail
    endpoint.close()


async def test_closed_descriptors_are_an_end_and_a_reset() -> None:
    number, other = os.pipe()
    os.close(number)
    os.close(other)
    endpoint = StdioEndpoint(number, other)
    assert await endpoint.receive() == b""
    with pytest.raises(PeerError) as caught:
        await endpoint.send_all(b"x")
    assert caught.value.code == "reset"
    endpoint.close()


@pytest.mark.usefixtures("way")
async def test_a_terminal_carries_both_directions_and_keeps_its_flags() -> None:
    master, slave = pty.openpty()
    tty.setraw(slave)
    run = Run(StdioEndpoint(os.dup(slave), os.dup(slave)))
    async with anyio.create_task_group() as group:
        group.start_soon(run)
        os.write(master, b"typed")
        assert await in_thread(read_exactly, run.peer, 5) == b"typed"
        await in_thread(run.peer.sendall, b"shown")
        shown = b""
        while len(shown) < 5:
            shown += await in_thread(os.read, master, 5 - len(shown))
        assert shown == b"shown"
        assert is_blocking(slave)
        os.close(slave)
        os.close(master)
        # The terminal is gone: the end of the input.
        assert await in_thread(read_to_end, run.peer) == b""
        run.peer.half_close()
    run.peer.close()


async def test_the_master_of_a_terminal_is_not_mistaken_for_a_new_one() -> None:
    master, slave = pty.openpty()
    tty.setraw(slave)
    endpoint = StdioEndpoint(master, os.dup(master))
    os.write(slave, b"from the program")
    assert await endpoint.receive() == b"from the program"
    os.close(slave)
    assert await endpoint.receive() == b"", "the last slave has gone"
    endpoint.close()


@pytest.mark.usefixtures("way")
async def test_a_terminal_that_is_stopped_does_not_stop_the_loop() -> None:
    master, slave = pty.openpty()
    tty.setraw(slave)
    run = Run(StdioEndpoint(os.dup(slave), os.dup(slave)))
    async with anyio.create_task_group() as group:
        group.start_soon(run)
        sending = Background(run.peer.sendall, bytes(200_000))
        await anyio.sleep(0.2)
        assert run.relay.near.pending > 0
        shown = 0
        while shown < 200_000:
            shown += len(await in_thread(os.read, master, 65536))
        await in_thread(sending.result)
        group.cancel_scope.cancel()
    os.close(slave)
    os.close(master)
    run.peer.close()


async def test_closing_is_idempotent_and_wakes_who_waits() -> None:
    stdin, feed = os.pipe()
    out, stdout = os.pipe()
    endpoint = StdioEndpoint(stdin, stdout)
    async with anyio.create_task_group() as group:

        async def wait() -> None:
            assert await endpoint.receive() == b""

        group.start_soon(wait)
        await anyio.sleep(0.02)
        endpoint.close()
        endpoint.abort()
    assert os.read(out, 1) == b""
    with contextlib.suppress(BrokenPipeError):
        os.write(feed, b"x")
    os.close(out)
    os.close(feed)


async def test_bytes_given_back_and_output_kept_stay_in_order() -> None:
    stdin, feed = os.pipe()
    out, stdout = os.pipe()
    endpoint = StdioEndpoint(stdin, stdout)
    os.write(feed, b"second")
    endpoint.unread(b"first, ")
    assert await endpoint.receive() + await endpoint.receive() == b"first, second"
    block = os.urandom(CHUNK)
    assert endpoint.write(block)
    buffer = bytearray(block)
    assert not endpoint.write(memoryview(buffer))
    buffer[:] = bytes(CHUNK)
    assert not endpoint.write(b"tail")

    def read_it() -> bytes:
        with open(out, "rb", closefd=False) as file:
            return file.read(2 * CHUNK + 4)

    reading = Background(read_it)
    await endpoint.drain()
    assert await in_thread(reading.result) == block + block + b"tail"
    endpoint.close()
    os.close(out)
    os.close(feed)
