"""The demo's server as a process of its own: started, asked how to reach it, and stopped with all that it made."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import anyio

from tunnelui.config.profile import Profile
from tunnelui.config.route import Route
from tunnelui.config.settings import Settings
from tunnelui.errors import LocalError
from tunnelui.frozen import frozen
from tunnelui.text import clean

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["Demo", "run_backend"]

_START_SECONDS: Final = 60
_STOP_SECONDS: Final = 20
_PROFILE: Final = "demo"


@frozen
class Demo:
    """What the bundled server said of itself: where it is, who may sign in, which routes it has."""

    settings: Settings
    routes: tuple[Route, ...]
    user: str
    password: str


@asynccontextmanager
async def run_backend() -> AsyncIterator[Demo]:
    """Run the server, its keys and its services until the block ends; nothing is left behind.

    :raises LocalError: it does not start; the message has its last words.
    """
    with tempfile.TemporaryDirectory(prefix="tunnelui-demo-", ignore_cleanup_errors=True) as folder:
        process = await anyio.open_process(
            [sys.executable, "-m", "tunnelui_server.demo", "--folder", folder, "--remove-folder"],
            # Its end is the order to stop, and comes by itself when this process is killed.
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # Ctrl-C in the terminal is for us; the server is stopped in order.
            start_new_session=True,
        )
        try:
            yield _read(await _first_line(process))
        finally:
            with anyio.CancelScope(shield=True):
                await _stop(process)


async def _first_line(process: anyio.abc.Process) -> bytes:
    line = b""
    if process.stdout is None or process.stderr is None:
        raise AssertionError("both were asked for")
    with anyio.move_on_after(_START_SECONDS):
        try:
            while not line.endswith(b"\n"):
                line += await process.stdout.receive()
        except anyio.EndOfStream:
            words = b""
            async for chunk in process.stderr:
                words += chunk
            raise LocalError(f"the demo's server did not start: {_last_line(words)}", code="no_server") from None
        return line
    raise LocalError(f"the demo's server did not start within {_START_SECONDS} s", code="no_server")


def _last_line(words: bytes) -> str:
    said = words.decode("utf-8", "replace").strip().splitlines()
    return clean(said[-1], 500) if said else "it said nothing"


async def _stop(process: anyio.abc.Process) -> None:
    if process.stdin is not None:
        await process.stdin.aclose()
    with anyio.move_on_after(_STOP_SECONDS):
        await process.wait()
    if process.returncode is None:
        process.kill()  # its children end with it
        await process.wait()
    await process.aclose()


def _read(line: bytes) -> Demo:
    said: dict[str, Any] = json.loads(line)
    profile = Profile(_PROFILE, proxy_url=said["proxy_url"], ca_file=said["ca_file"])
    return Demo(
        settings=Settings(profiles={_PROFILE: profile}),
        routes=tuple(Route(route["name"], route["destination"], profile=_PROFILE) for route in said["routes"]),
        user=said["user"],
        password=said["password"],
    )
