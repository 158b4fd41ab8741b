"""Commands that run tunnels of their own (``exec``, ``proxy``, ``tcp``): what each says of itself, for ``status`` and
the screen.

A file in the runtime folder for each, locked for as long as the process lives: a file that can be locked was left
behind by one that was killed, and is removed. Nothing depends on it, so what can't be written is left out.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from tunnelui.config.runtime_folder import open_folder
from tunnelui.errors import ConfigError, LocalError
from tunnelui.frozen import frozen
from tunnelui.system import NO_FOLLOW, RENAMES_OPEN_FILES, is_locked, lock
from tunnelui.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["OtherPrograms", "ProgramTunnel", "RunningProgram", "announced", "running_programs"]

_FOLDER: Final = "programs"
_LARGEST: Final = 1024 * 1024


@frozen
class ProgramTunnel:
    """*local* is the address that listens, *target* what it leads to, in words."""

    name: str
    local: str
    target: str


@frozen
class RunningProgram:
    """*program* is the command of ours, *runs* the name of the program that ``exec`` has started."""

    program: str
    pid: int
    started_at: float
    tunnels: tuple[ProgramTunnel, ...]
    runs: str = ""


@contextlib.contextmanager
def announced(program: str, tunnels: Sequence[ProgramTunnel], *, runs: str = "") -> Iterator[None]:
    """Let ``status`` know of *tunnels* while the block runs."""
    value = RunningProgram(program, os.getpid(), time.time(), tuple(tunnels), os.path.basename(runs))  # noqa: PTH119
    path, descriptor = None, -1
    with contextlib.suppress(OSError, LocalError):
        path, descriptor = _write(value)
    try:
        yield
    finally:
        if path is not None:
            os.close(descriptor)  # first: Windows removes no open file
            with contextlib.suppress(OSError):
                path.unlink()


def running_programs() -> tuple[RunningProgram, ...]:
    """Return those that run, the oldest first.

    :raises LocalError: the runtime folder is somebody else's.
    """
    folder = open_folder(create=False)
    if folder is None:
        return ()
    found = []
    for path in (folder / _FOLDER).glob("*.json"):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            with path.open("rb") as file:
                if is_locked(file.fileno()):
                    found.append(_read(json.loads(file.read(_LARGEST))))
                    continue
            path.unlink(missing_ok=True)
    return tuple(sorted(found, key=lambda one: one.started_at))


class OtherPrograms:
    """What an engine says of them (`tunnelui.engine.interface.Engine`)."""

    async def programs(self) -> tuple[RunningProgram, ...]:
        import asyncio

        return await asyncio.to_thread(running_programs)

    async def stop_program(self, pid: int) -> None:
        # Only what has a locked file: a number may mean another process by now.
        if all(one.pid != pid for one in await self.programs()):
            raise ConfigError(f"no command of tunnelui runs as process {pid}", code="no_such_program")
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)


def _write(value: RunningProgram) -> tuple[Path | None, int]:
    folder = open_folder(create=True)
    if folder is None:
        return None, -1
    (folder / _FOLDER).mkdir(mode=0o700, exist_ok=True)
    # Under its name only once it is locked: nobody takes it for one that was left behind. Where an open file has to
    # keep its name, nobody can remove it either.
    path = folder / _FOLDER / f"{value.pid}.json"
    beside = path.with_name(f".{path.name}") if RENAMES_OPEN_FILES else path
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | NO_FOLLOW, 0o600)
    try:
        lock(descriptor)
        os.write(descriptor, json.dumps(asdict(value)).encode())
        if beside != path:
            beside.replace(path)
    except BaseException:
        os.close(descriptor)
        beside.unlink(missing_ok=True)
        raise
    return path, descriptor


def _read(value: dict[str, Any]) -> RunningProgram:
    tunnels = tuple(
        ProgramTunnel(*(clean(str(tunnel[key]), 300) for key in ("name", "local", "target")))
        for tunnel in value["tunnels"]
    )
    return RunningProgram(
        clean(str(value["program"]), 40),
        int(value["pid"]),
        float(value["started_at"]),
        tunnels,
        clean(str(value["runs"]), 100),
    )
