"""``tunnelui demo``: works whatever is set around it, says what is wrong, and leaves nothing behind."""

from __future__ import annotations

import importlib.util
import os
import signal
import time
from typing import TYPE_CHECKING

import anyio
import psutil
import pytest

from tests.peers.process import eventually
from tunnelui.cli.demo_browser import browse
from tunnelui.cli.demo_programs import use_service
from tunnelui.cli.main import main
from tunnelui.errors import SignInFailed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.cli.program import Program
    from tests.peers.process import Process

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def demo(program: Program, tmp_path: Path) -> Program:
    """A program whose temporary files can be looked at."""
    (tmp_path / "tmp").mkdir()
    program.env["TMPDIR"] = str(tmp_path / "tmp")
    program.env["XDG_RUNTIME_DIR"] = str(tmp_path / "tmp")
    return program


def left_over(demo: Program) -> list[str]:
    return os.listdir(demo.env["TMPDIR"])


def server(process: Process | int) -> psutil.Process:
    """The demo's server, once its two planes run."""
    parent = psutil.Process(process if isinstance(process, int) else process.pid)

    def look() -> psutil.Process | None:
        children = [child for child in parent.children() if "tunnelui_server.demo" in child.cmdline()]
        return children[0] if children and len(children[0].children()) == 2 else None

    found = eventually(look, 30, "the demo's server")
    assert found is not None
    return found


def test_what_is_set_for_other_tunnels_and_servers_does_not_matter(demo: Program) -> None:
    demo.env |= {
        "TUNNELUI_PROXY_URL": "https://other.example.com",
        "TUNNELUI_SERVICE_ACCOUNT": "another",
        "TUNNELUI_TOKEN_STORE": "keyring",
        "TUNNELUI_LISTEN": "-",
        "TUNNELUI_JSON": "true",
        "ADDRESS": "nonsense",
        "ROUTES": "nonsense",
        "LOG_LEVEL": "nonsense",
        "IDP_PROVIDER": "google",
        "SHARED_SECRET": "short",
        "DOWNSTREAM_MTLS_CA": "x",
        "STATE_DIRECTORY": "/nowhere",
        "https_proxy": "http://127.0.0.1:9",
    }
    done = demo.run("demo", "--check", timeout=50)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(b'{"v":1,"ok":true,'), "TUNNELUI_JSON counts"
    assert left_over(demo) == []


@pytest.mark.parametrize("delay", [0.0, 0.8])
def test_a_server_that_is_killed_meanwhile_is_a_failure_in_words(demo: Program, delay: float) -> None:
    with demo.spawn("demo", "--check") as process:
        running = server(process)
        time.sleep(delay)
        began = time.monotonic()
        os.kill(running.pid, signal.SIGKILL)
        assert process.wait(60) == 1
        assert time.monotonic() - began < 45
        assert "Traceback" not in process.output
        assert "did not start" in process.stderr or "Something does not work" in process.stdout, process.output
    eventually(lambda: not any("tunnelui-demo" in name for name in left_over(demo)))


def test_killed_it_leaves_no_folder(demo: Program) -> None:
    with demo.spawn("demo", "--check") as process:
        running = [server(process)]
        running += running[0].children()
        os.kill(process.pid, signal.SIGKILL)
        process.popen.wait(60)
        eventually(lambda: not any(one.is_running() for one in running), 20, "the end of the server")
        eventually(lambda: left_over(demo) == [])


def test_a_terminal_that_hangs_up_leaves_nothing(demo: Program) -> None:
    with demo.terminal("demo") as terminal:
        running = server(terminal.process.pid)
        terminal.wait_for("\x1b[?1049h", 30)
        terminal.process.send_signal(signal.SIGHUP)
        assert terminal.wait(60) == 0
        assert not running.is_running()
    assert left_over(demo) == []
    assert "Traceback" not in terminal.shown


def test_without_the_server_it_says_how_to_get_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "uvicorn" else find(name))
    assert main(["demo", "--check"]) == 1
    assert "pip install 'tunnelui[server]'" in capsys.readouterr().err


def test_a_server_that_can_not_start_is_told_with_its_last_words(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setattr("sys.executable", "/bin/ls")
    assert main(["demo", "--check"]) == 1
    assert "the demo's server did not start: " in capsys.readouterr().err


# The local programs of the check: each notices what is wrong.


async def serve(handle: Callable[[anyio.abc.SocketStream], Awaitable[None]], name: str) -> str:
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as tasks:

        async def once(stream: anyio.abc.SocketStream) -> None:
            async with stream:
                await handle(stream)

        tasks.start_soon(listener.serve, once)
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        result = await use_service(name, f"127.0.0.1:{port}")
        tasks.cancel_scope.cancel()
    return result


async def end_at_once(stream: anyio.abc.SocketStream) -> None:
    await stream.send_eof()


async def say_nonsense(stream: anyio.abc.SocketStream) -> None:
    await stream.send(b"nonsense\nnonsense\n")
    await stream.send_eof()
    async for _ in stream:  # closing what was not read would be a reset
        pass


async def echo_wrongly(stream: anyio.abc.SocketStream) -> None:
    async for chunk in stream:
        await stream.send(bytes(len(chunk)))


@pytest.mark.parametrize(
    ("name", "handle", "words"),
    [
        ("echo", echo_wrongly, "the echo is not what was sent"),
        ("web", say_nonsense, "the page is not whole"),
        ("slow", end_at_once, "the connection ended too early"),
        ("slow", say_nonsense, "the lines are not what they should be"),
        ("billing", end_at_once, "the connection ended as if all were well"),
        ("billing", say_nonsense, "bytes came from nowhere"),
    ],
)
async def test_a_service_that_does_something_else_is_noticed(
    name: str, handle: Callable[[anyio.abc.SocketStream], Awaitable[None]], words: str
) -> None:
    assert await serve(handle, name) == words


async def test_a_tunnel_that_does_not_listen_is_noticed() -> None:
    assert await use_service("echo", "") == "it does not listen"
    assert "does not answer" in await use_service("echo", "127.0.0.1:1")


def test_a_browser_that_reaches_nothing_is_a_failed_sign_in() -> None:
    with pytest.raises(SignInFailed, match="the browser failed"):
        browse("http://127.0.0.1:1/", {}, timeout=5)
