"""A port of the loopback instead of a Unix socket: whoever does not know the secret gets nowhere, on either side."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from tests.agent.conftest import serving
from tunnelui.agent import loopback_place, runtime
from tunnelui.agent.client import AgentClient, connect
from tunnelui.agent.meeting import LoopbackPlace, UnixPlace, meeting_place
from tunnelui.config.runtime_folder import open_folder
from tunnelui.errors import LocalError
from tunnelui.transport import unix_listener

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.engine_bench import Bench
    from tunnelui.agent.server import AgentServer


@pytest.fixture(autouse=True)
def over_tcp(own: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNNELUI_AGENT_TRANSPORT", "tcp")


def folder() -> Path:
    found = open_folder(create=True)
    assert found is not None
    return found


def known() -> dict[str, Any]:
    return dict(json.loads((folder() / "agent.json").read_text()))


class Stranger:
    """A program that has no secret, at the agent's port."""

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=30)

    def say(self, message: dict[str, Any]) -> None:
        self.sock.sendall(json.dumps(message).encode() + b"\n")

    def hear(self) -> dict[str, Any] | None:
        data = b""
        with contextlib.suppress(ConnectionResetError):
            while not data.endswith(b"\n"):
                more = self.sock.recv(65536)
                if not more:
                    return None
                data += more
        return dict(json.loads(data)) if data else None


async def in_thread(work: Callable[[], Any]) -> Any:
    return await anyio.to_thread.run_sync(work)


@pytest.mark.parametrize(
    "proof", ["00" * 32, "", "é", 7, None, "reflected"], ids=["wrong", "empty", "text", "number", "none", "reflected"]
)
async def test_without_the_secret_the_agent_says_nothing(server: AgentServer, proof: Any) -> None:
    def try_it() -> dict[str, Any] | None:
        stranger = Stranger(known()["port"])
        with stranger.sock:
            stranger.say({"challenge": "ab" * 32})
            answer = stranger.hear()
            assert answer is not None
            assert set(answer) == {"challenge", "proof"}
            stranger.say({"proof": answer["proof"] if proof == "reflected" else proof})
            stranger.say({"hello": {}})
            return stranger.hear()

    assert await in_thread(try_it) is None
    assert server.clients == 0
    async with AgentClient(find) as client:
        assert client.snapshot().tunnels


async def find() -> Any:
    found = await connect()
    assert found is not None
    return found


@pytest.mark.parametrize("first", [{"hello": {}}, {"challenge": "ab"}, {"challenge": "xy" * 32}, {"challenge": 1}])
async def test_whatever_comes_before_the_proof_ends_it(server: AgentServer, first: dict[str, Any]) -> None:
    def try_it() -> dict[str, Any] | None:
        stranger = Stranger(known()["port"])
        with stranger.sock:
            stranger.say(first)
            return stranger.hear()

    assert await in_thread(try_it) is None


async def test_the_secret_is_in_a_private_file_and_never_on_the_wire(server: AgentServer) -> None:
    value = known()
    assert os.stat(folder() / "agent.json").st_mode & 0o777 == 0o600
    seen: list[bytes] = []

    def pass_on(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                seen.append(data)
                target.sendall(data)

    def between() -> None:
        near, _ = listener.accept()
        with near, socket.create_connection(("127.0.0.1", value["port"])) as far:
            thread = threading.Thread(target=pass_on, args=(far, near), daemon=True)
            thread.start()
            pass_on(near, far)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=between, daemon=True).start()
        replaced = {**value, "port": listener.getsockname()[1]}
        (folder() / "agent.json").write_text(json.dumps(replaced))
        async with AgentClient(find) as client:
            assert client.snapshot().tunnels
    text = b"".join(seen)
    assert text.count(b'"proof"') == 2
    assert value["secret"].encode() not in text
    assert bytes.fromhex(value["secret"]) not in text


@contextlib.contextmanager
def imposter(answer: Callable[[dict[str, Any]], dict[str, Any] | None]) -> Iterator[list[dict[str, Any]]]:
    """Another program at the port that an agent had; *heard* is what was said to it."""
    heard: list[dict[str, Any]] = []

    def serve() -> None:
        sock, _ = listener.accept()
        with sock, sock.makefile("rb") as lines:
            for line in lines:
                heard.append(json.loads(line))
                reply = answer(heard[-1])
                if reply is not None:
                    sock.sendall(json.dumps(reply).encode() + b"\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        value = {"port": listener.getsockname()[1], "secret": "5e" * 32}
        (folder() / "agent.json").write_text(json.dumps(value))
        thread = threading.Thread(target=serve)
        thread.start()
        yield heard
        thread.join(10)


@pytest.mark.parametrize("kind", ["wrong", "reflecting", "silent", "other"])
async def test_who_is_no_agent_is_told_nothing(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loopback_place, "_PATIENCE", 0.3)
    answers: dict[str, Callable[[dict[str, Any]], dict[str, Any] | None]] = {
        "wrong": lambda _: {"challenge": "cd" * 32, "proof": "00" * 32},
        "reflecting": lambda said: {**said, "proof": said["challenge"]},
        "silent": lambda _: None,
        "other": lambda _: {"hello": {"version": "9"}},
    }
    with imposter(answers[kind]) as heard:
        assert await connect() is None
    assert [list(said) for said in heard] == [["challenge"]], "no proof, no hello"


async def test_nobody_there_is_no_agent() -> None:
    assert await connect() is None
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for text in (json.dumps({"port": port, "secret": "00"}), "rubbish", "[]", "{}", '{"port": 1, "secret": "xyz"}'):
        (folder() / "agent.json").write_text(text)
        assert await connect() is None


async def test_strangers_can_not_crowd_others_out_for_long(
    server: AgentServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loopback_place, "_MOST_UNPROVEN", 4)
    monkeypatch.setattr(loopback_place, "_PATIENCE", 0.5)
    with contextlib.ExitStack() as open_ones:
        for _ in range(20):
            open_ones.enter_context(socket.create_connection(("127.0.0.1", known()["port"])))
        await anyio.sleep(0.1)
        assert await connect() is None
        deadline = time.monotonic() + 5
        while (found := await connect()) is None:
            assert time.monotonic() < deadline
        found[0].close()


def test_the_variable_chooses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert isinstance(meeting_place(tmp_path), LoopbackPlace)
    monkeypatch.setenv("TUNNELUI_AGENT_TRANSPORT", "carrier pigeon")
    with pytest.raises(LocalError, match="carrier pigeon") as caught:
        meeting_place(tmp_path)
    assert caught.value.hint == "Choose unix or tcp."
    monkeypatch.setenv("TUNNELUI_AGENT_TRANSPORT", "unix")
    assert isinstance(meeting_place(tmp_path), UnixPlace)
    monkeypatch.delenv("TUNNELUI_AGENT_TRANSPORT")
    assert meeting_place(tmp_path).transport == "unix"


@pytest.fixture
def any_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TUNNELUI_AGENT_TRANSPORT")


@pytest.mark.parametrize("number", [errno.EPERM, errno.EACCES, errno.EOPNOTSUPP, errno.EAFNOSUPPORT, errno.ENOSYS])
async def test_a_folder_that_takes_no_socket_gets_a_port(
    any_way: None, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(unix_listener, "_bind_private", refuse)
    place = meeting_place(folder())
    listeners = place.listen()
    assert (place.transport, place.path) == ("tcp", folder() / "agent.json")
    assert place.address == f"127.0.0.1:{known()['port']}"
    assert os.strerror(number) in place.why
    place.close(listeners)
    assert not (folder() / "agent.json").exists()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EMFILE, errno.EADDRINUSE])
def test_other_trouble_is_told_and_changes_nothing(any_way: None, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(unix_listener, "_bind_private", refuse)
    with pytest.raises(LocalError):
        meeting_place(folder()).listen()
    assert not (folder() / "agent.json").exists()


async def test_a_path_that_is_too_long_gets_a_port(
    any_way: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bench: Bench
) -> None:
    monkeypatch.setenv("TUNNELUI_RUNTIME_DIR", str(tmp_path / ("x" * 100)))
    async with serving(bench) as server, AgentClient(find) as client:
        assert client.snapshot().tunnels
        assert server.reached["transport"] == "tcp"
        assert "too long" in server.reached["why"]


async def test_what_another_agent_left_is_no_way_to_the_present_one(any_way: None, bench: Bench) -> None:
    value = {"port": 1, "secret": "5e" * 32}
    (folder() / "agent.json").write_text(json.dumps(value))
    async with serving(bench):
        assert not (folder() / "agent.json").exists()
        async with AgentClient(find) as client:
            assert client.snapshot().tunnels


async def test_a_strangers_socket_is_refused_and_not_gone_round(any_way: None, monkeypatch: pytest.MonkeyPatch) -> None:
    listeners = LoopbackPlace(folder()).listen()
    with socket.socket(socket.AF_UNIX) as stranger, contextlib.ExitStack() as open_ones:
        for listener in listeners:
            open_ones.enter_context(listener)
        stranger.bind(str(folder() / "agent.sock"))
        stranger.listen()
        monkeypatch.setattr(runtime, "peer_uid", lambda _: os.geteuid() + 1)
        with pytest.raises(LocalError, match="not yours"):
            await connect()


def test_a_folder_that_keeps_no_modes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    own = folder()
    own.chmod(0o755)
    monkeypatch.setattr(type(own), "chmod", lambda *_: None)
    with pytest.raises(LocalError, match="others can enter"):
        open_folder(create=True)
