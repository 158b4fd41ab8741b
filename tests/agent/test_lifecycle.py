"""An agent that does not make room."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tunnelui.agent.client import connect
from tunnelui.agent.lifecycle import find_or_start, request
from tunnelui.agent.runtime import socket_path
from tunnelui.config.runtime_folder import open_folder
from tunnelui.errors import LocalError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Answers a hello as some other version, and knows no request.
STUBBORN = """
import json, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
print("ready", flush=True)
while True:
    sock, _ = listener.accept()
    for line in sock.makefile("rb"):
        message = json.loads(line)
        answer = {"hello": {"version": "0.0.1", "protocol": 0, "pid": 1}}
        if "id" in message:
            answer = {"id": message["id"], "failed": {"kind": "ProtocolError", "message": "what?"}}
        sock.sendall(json.dumps(answer).encode() + b"\\n")
"""


@pytest.fixture
def stubborn() -> Iterator[subprocess.Popen[bytes]]:
    folder = open_folder(create=True)
    assert folder is not None
    command = [sys.executable, "-c", STUBBORN, str(socket_path(folder))]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process
        process.kill()


async def test_without_anybody_to_ask_it_is_left_alone(stubborn: subprocess.Popen[bytes]) -> None:
    async def no(question: str) -> bool:
        return False

    for ask in (None, no):
        with pytest.raises(LocalError) as caught:
            await find_or_start(ask)
        assert caught.value.code == "agent_version"
        assert "0.0.1" in str(caught.value)
        assert "what?" in str(caught.value)
        assert "kill" in caught.value.hint
    assert stubborn.poll() is None


async def test_a_yes_ends_it_and_a_new_one_begins(stubborn: subprocess.Popen[bytes]) -> None:
    asked: list[str] = []

    async def yes(question: str) -> bool:
        asked.append(question)
        return True

    channel, hello = await find_or_start(yes)
    with channel:
        assert hello.is_ours
        assert hello.pid != stubborn.pid
        assert stubborn.wait(60) != 0
        assert "cut its open connections?" in asked[0]
        await request(channel, "end")
    until = time.monotonic() + 5
    while (found := await connect()) is not None and time.monotonic() < until:
        found[0].close()
