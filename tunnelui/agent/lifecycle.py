"""Starting, finding and replacing agents."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tunnelui.agent.client import connect
from tunnelui.agent.meeting import has_other_place
from tunnelui.agent.runtime import config_digest
from tunnelui.agent.variables import environment_elsewhere
from tunnelui.config.paths import config_file
from tunnelui.config.runtime_folder import open_folder
from tunnelui.config.settings import load_settings
from tunnelui.errors import LocalError, TunnelError
from tunnelui.system import detached
from tunnelui.text import clean

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tunnelui.agent.channel import Channel
    from tunnelui.agent.client import Hello

__all__ = ["READY", "find_agent", "find_or_start", "request"]

READY: Final = "ready"
"""The line that an agent begun with ``--detached`` prints once it answers."""
_START: Final = 20.0
_TRIES: Final = 3
_RETIRE: Final = 5.0
_LOGS: Final = "tunnelui agent logs says more."


async def find_agent() -> tuple[Channel, Hello] | None:
    """Return the agent that runs, of this program's version or another, or ``None``.

    :raises LocalError: see `tunnelui.agent.client.connect`.
    """
    return await connect()


async def find_or_start(
    ask: Callable[[str], Awaitable[bool]] | None = None, *, anew: bool = False
) -> tuple[Channel, Hello]:
    """Return an agent of this version that knows the present ``config.toml``: the one that runs, or a new one.

    Another one is asked to retire: its open connections go on in it until they end, its routes come up in the new one.

    :param anew: replace the one that runs, whatever it knows: the new one has our environment variables.
    :param ask: gets a question when another one does not make room; yes ends it, and cuts its open connections.
    :raises ConfigError: ``config.toml`` is wrong; the agent that runs is left alone.
    :raises LocalError: there is none and none can be started (code ``agent_start``), or another version does not make
        room (code ``agent_version``).
    """
    for _ in range(_TRIES):
        found = await connect()
        if found is not None:
            if found[1].is_ours and found[1].config == config_digest() and not anew:
                return found
            # Before the old one goes: the new one must be able to read it.
            await asyncio.to_thread(load_settings, config_file())
            await _retire(*found, ask)
            anew = False
        open_folder(create=True)
        import anyio.to_thread  # here: who finds an agent does without

        try:
            with anyio.fail_after(_START):
                await anyio.to_thread.run_sync(_spawn, abandon_on_cancel=True)
        except TimeoutError:
            raise LocalError(
                f"the agent was started and does not answer within {_START:g} s", code="agent_start", hint=_LOGS
            ) from None
    folder = open_folder(create=False)
    if folder is not None and has_other_place(folder):
        words = "an agent runs that is reached in another way than TUNNELUI_AGENT_TRANSPORT says here"
        raise LocalError(
            words, code="agent_transport", hint="Set it alike for all programs, and stop that agent first."
        )
    raise LocalError("the agent ends as soon as it is started", code="agent_start", hint=_LOGS)


async def request(channel: Channel, call: str, /, **given: Any) -> Any:
    """Ask one thing over *channel*, where nothing else is under way.

    :raises TunnelError: the agent refused or went away.
    """
    from tunnelui.agent.codec import decode_error

    await channel.send({"id": 0, "call": call, "with": given})
    while (message := await channel.receive()) is not None:
        if message.get("id") == 0:
            if "failed" in message:
                raise decode_error(message["failed"])
            return message.get("done")
    raise LocalError("the agent has gone", code="agent_gone")


async def _retire(channel: Channel, hello: Hello, ask: Callable[[str], Awaitable[bool]] | None) -> None:
    with channel:
        try:
            async with asyncio.timeout(_RETIRE):
                await request(channel, "retire")
                await _closed(channel)
        except (OSError, TunnelError) as error:
            words = f"the agent (pid {hello.pid}) is version {clean(hello.version, 40)} and does not make room: {error}"
            if ask is None or not await ask(f"{words}. End it, and cut its open connections?"):
                hint = f"End it (kill {hello.pid}); that cuts its open connections."
                raise LocalError(words, code="agent_version", hint=hint) from None
            await _end(channel, hello)


async def _end(channel: Channel, hello: Hello) -> None:
    """End the process at the other end of *channel*, and return when it has gone."""
    try:
        os.kill(channel.peer_pid or hello.pid, signal.SIGTERM)
        async with asyncio.timeout(_RETIRE):
            await _closed(channel)
    except (OSError, TunnelError) as error:
        raise LocalError(
            f"the agent (pid {hello.pid}) does not end: {error}", code="agent_version", hint="End it, and try again."
        ) from None


async def _closed(channel: Channel) -> None:
    """Wait until the agent has closed *channel*, which it does once its socket and its ports are free."""
    while await channel.receive() is not None:
        pass


def _spawn() -> None:
    """Start an agent that outlives us, and return once it answers, or another one does.

    :raises LocalError: it could not begin; the message is what it said.
    """
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "tunnelui", "agent", "run", "--detached"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=os.path.abspath(os.sep),  # noqa: PTH100  (the root, also of a Windows drive)
        **detached(),
        env={**environment_elsewhere(), "PYTHONPATH": os.pathsep.join(_python_path())},
    )
    said = b""
    try:
        assert process.stdout is not None  # noqa: S101  (it is a pipe)
        with process.stdout as pipe:
            for line in pipe:
                if line.strip() == READY.encode():
                    return
                said += line
    finally:
        if process.poll() is None:
            process.returncode = 0  # it is nobody's child to wait for: no warning when the object goes
    words = clean(said.decode("utf-8", "replace").strip() or f"exit code {process.wait()}", 2000)
    raise LocalError(f"the agent can't be started: {words.removeprefix('tunnelui: ')}", code="agent_start")


def _python_path() -> list[str]:
    """Where modules were found relative to the folder that we were started in."""
    return [str(Path(path).absolute()) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
