"""The standard descriptors of a whole process, as a shell hands them over."""

from __future__ import annotations

import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.sockets import no_leaked_descriptors, read_to_end
from tests.support.stream_peers import PlainPeer
from tests.transport.conftest import in_thread

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def descriptors() -> Iterator[None]:
    with no_leaked_descriptors():
        yield


PROGRAM = """
import asyncio, os, socket, sys
from tunnelui.transport.endpoint import PlainEndpoint
from tunnelui.transport.relay import Relay
from tunnelui.transport.stdio import StdioEndpoint

async def main():
    sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    result = await Relay(StdioEndpoint(), PlainEndpoint(sock)).run()
    sys.stderr.write(result.cause)
    if sys.__stdin__ and sys.__stdout__:
        # The standard numbers are still taken, by /dev/null.
        spare = os.open(os.devnull, os.O_RDONLY)
        os.close(spare)
        sys.stderr.write(f" {spare > 2} {os.read(0, 1)!r} {os.write(1, b'lost')}")

asyncio.run(main())
"""


@pytest.mark.parametrize("shell", ['"$@"', '"$@" <&-', '"$@" </dev/null', 'printf typed | "$@"'])
async def test_the_standard_descriptors_of_a_process(shell: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = subprocess.Popen(
            ["sh", "-c", shell, "sh", sys.executable, "-c", PROGRAM, str(listener.getsockname()[1])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        listener.settimeout(30)
        served, _ = await in_thread(listener.accept)
    assert process.stdin is not None
    process.stdin.close()
    process.stdin = None
    peer = PlainPeer(served)
    assert await in_thread(read_to_end, peer) == (b"typed" if "typed" in shell else b"")
    peer.sendall(b"an answer")
    peer.half_close()
    out, err = await in_thread(process.communicate)
    assert out == b"an answer"
    assert err == (b"finished" if "<&-" in shell else b"finished True b'' 4")
    peer.close()


async def test_a_process_without_standard_output_resets_the_service() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = subprocess.Popen(
            ["sh", "-c", '"$@" >&-', "sh", sys.executable, "-c", PROGRAM, str(listener.getsockname()[1])],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        listener.settimeout(30)
        served, _ = await in_thread(listener.accept)
    peer = PlainPeer(served)
    peer.sendall(b"x")
    with pytest.raises(ConnectionResetError):
        await in_thread(peer.recv)
    _, err = await in_thread(process.communicate)
    assert err == b"near_reset"
    peer.close()
