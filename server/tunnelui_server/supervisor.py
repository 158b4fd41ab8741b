"""The parent of the two planes: starts them, restarts what crashes, stops both in order, and leaves nothing behind.

The gateway is one process, or several workers that share its ports; one that crashes is started again alone. The planes
share a private folder (0700) with the control plane's socket. The gateway's tunnels live on while the control plane is
restarted.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.abc

from tunnelui.errors import PeerError
from tunnelui.transport.dial import dial_unix
from tunnelui_server.config import RUNTIME_VARIABLE
from tunnelui_server.gateway.fronts import reserved
from tunnelui_server.gateway.tally import clear_region, make_tallies

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tunnelui_server.config import ServerConfig

__all__ = ["Supervisor"]

_LOG: Final = logging.getLogger(__name__)
_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 5.0
_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 10.0
_STEADY: Final = 60.0  # a child that ran this long starts again without a pause
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# The path of a Unix socket must fit into 104 bytes (macOS) or 108 (Linux).
_LONGEST_PARENT: Final = 60
_POLL: Final = 0.05
_SOURCE: Final = "config.yaml"
_TALLIES: Final = "tallies"


@dataclass
class _Plane:
    """One child. ``pause`` is how long to wait before it is started again; ``worker`` the number of a gateway."""

    name: str
    worker: int = 0
    process: anyio.abc.Process | None = None
    pause: float = _FIRST_PAUSE
    up: anyio.Event = field(default_factory=anyio.Event)

    def signal(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)


class _StartFailed(Exception):
    """A child ended before it was ready; it has told why on stderr."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Supervisor:
    """Runs one server.

    :param ready_fd: gets one line of JSON (``proxy``, ``sign_in``, ``pid``) when both planes are ready, and is closed.
    """

    def __init__(self, config: ServerConfig, *, ready_fd: int | None = None) -> None:
        self._config = config
        self._ready_fd = ready_fd
        self._gateways = [_Plane("gateway", number) for number in range(config.workers)]
        self._port = config.address.port
        self._control = _Plane("control")
        self._addresses: dict[str, Any] = {}
        self._ready = False
        self._stop = anyio.Event()

    async def run(self) -> int:
        """Run until a signal comes.

        :returns: the exit code: 0 after a stop in order, otherwise that of the child that could not start.
        """
        code = 0
        with _runtime_folder() as folder, contextlib.ExitStack() as ports:
            # What was checked is what runs: a plane that is started again must not meet a later edit of the file.
            _write_private(folder / _SOURCE, self._config.source)
            if len(self._gateways) > 1:
                self._port = ports.enter_context(reserved(self._config)).port
                make_tallies(folder / _TALLIES, len(self._gateways))
            try:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._signals)
                    tasks.start_soon(self._keep, self._control, folder)
                    for gateway in self._gateways:
                        tasks.start_soon(self._keep, gateway, folder)
                    tasks.start_soon(self._announce)
                    await self._stop.wait()
                    # The gateway first: while its tunnels drain, their users can still reach the pages.
                    await _end(*self._gateways, patience=self._config.limits.shutdown_grace + _STOP_SECONDS)
                    await _end(self._control, patience=_STOP_SECONDS)
                    tasks.cancel_scope.cancel()
            except* _StartFailed as group:
                code = max(failed.code for failed in group.exceptions if isinstance(failed, _StartFailed))
            finally:
                with anyio.CancelScope(shield=True):
                    await _end(*self._gateways, patience=_STOP_SECONDS)
                    await _end(self._control, patience=_STOP_SECONDS)
        return code

    async def _signals(self) -> None:
        with anyio.open_signal_receiver(*_SIGNALS) as signals:
            async for number in signals:
                if not self._stop.is_set():
                    _LOG.info("stopping", extra={"fields": {"signal": signal.Signals(number).name}})
                    self._stop.set()
                else:
                    # The second one is for those who do not want to wait: the gateways cut at once.
                    for gateway in self._gateways:
                        gateway.signal(signal.SIGTERM)

    async def _keep(self, plane: _Plane, folder: Path) -> None:
        """Run one child again and again until the server stops."""
        while True:
            began = time.monotonic()
            code = await self._run_once(plane, folder)
            if self._stop.is_set():
                return
            if not self._ready:
                raise _StartFailed(code)
            if time.monotonic() - began > _STEADY:
                plane.pause = _FIRST_PAUSE
            fields = {"plane": plane.name, "exit_code": code, "pause": plane.pause}
            if self._shares(plane):
                fields["worker"] = plane.worker + 1
            _LOG.error("a part of the server ended by itself and is started again", extra={"fields": fields})
            with anyio.move_on_after(plane.pause):
                await self._stop.wait()
                return
            plane.pause = min(2 * plane.pause, _LONGEST_PAUSE)

    def _shares(self, plane: _Plane) -> bool:
        """Whether *plane* is one of several workers."""
        return plane is not self._control and len(self._gateways) > 1

    async def _run_once(self, plane: _Plane, folder: Path) -> int:
        socket_path = folder / "control.sock"
        command = [sys.executable, "-m", "tunnelui_server.child", plane.name]
        command += ["--config", str(self._config.path), "--source", str(folder / _SOURCE), "--socket", str(socket_path)]
        if self._shares(plane):
            command += ["--tallies", str(folder / _TALLIES), "--port", str(self._port)]
            command += ["--worker", str(plane.worker), "--workers", str(len(self._gateways))]
            clear_region(folder / _TALLIES, plane.worker)
        reader, writer = os.pipe()
        try:
            if plane is not self._control:
                command += ["--ready-fd", str(writer)]
            plane.process = await anyio.open_process(
                command,
                stdin=subprocess.PIPE,  # ends when we do: tunnelui_server.lifeline
                stdout=None,
                stderr=None,
                pass_fds=[writer] if plane is not self._control else [],
                env=os.environ | {RUNTIME_VARIABLE: str(folder)},
                # Ctrl-C in a terminal goes to all that run there; we tell the children ourselves, in order.
                start_new_session=True,
            )
        finally:
            os.close(writer)
        try:
            async with plane.process as process, anyio.create_task_group() as tasks:
                if plane is not self._control:
                    tasks.start_soon(self._read_addresses, plane, reader)
                else:
                    tasks.start_soon(self._wait_for_socket, str(socket_path))
                code = await process.wait()
                tasks.cancel_scope.cancel()
        finally:
            os.close(reader)
        return code

    async def _read_addresses(self, gateway: _Plane, reader: int) -> None:
        await anyio.wait_readable(reader)
        line = os.read(reader, 4096)
        if line:
            self._addresses = json.loads(line)
            gateway.up.set()

    async def _wait_for_socket(self, path: str) -> None:
        while True:
            with contextlib.suppress(PeerError):
                (await dial_unix(path, timeout=1.0, error=PeerError)).close()
                self._control.up.set()
                return
            await anyio.sleep(_POLL)

    async def _announce(self) -> None:
        with anyio.move_on_after(_START_SECONDS):
            await self._control.up.wait()
            for gateway in self._gateways:
                await gateway.up.wait()
            self._ready = True
        if not self._ready:
            _LOG.error("the server is not ready within %g s", _START_SECONDS)
            raise _StartFailed(1)
        sys.stdout.write(f"listening on {self._addresses['proxy']}\n")
        if self._addresses["sign_in"]:
            sys.stdout.write(f"sign-in pages on {self._addresses['sign_in']}\n")
        sys.stdout.flush()
        if self._ready_fd is not None:
            # Whoever waited may have gone: that is no reason to stop.
            with contextlib.suppress(OSError):
                os.write(self._ready_fd, json.dumps(self._addresses | {"pid": os.getpid()}).encode() + b"\n")
                os.close(self._ready_fd)


async def _end(*planes: _Plane, patience: float) -> None:
    """Ask children to end, all at once, and end by force who does not within *patience* seconds."""
    processes = [plane.process for plane in planes if plane.process is not None and plane.process.returncode is None]
    for plane in planes:
        plane.signal(signal.SIGTERM)
    with anyio.move_on_after(patience):
        for process in processes:
            await process.wait()
    for plane in planes:
        if plane.process is not None and plane.process.returncode is None:
            _LOG.error("a part of the server does not end and is killed", extra={"fields": {"plane": plane.name}})
            plane.signal(signal.SIGKILL)
            await plane.process.wait()


def _write_private(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(data)


@contextlib.contextmanager
def _runtime_folder() -> Iterator[Path]:
    """A folder of our own, 0700, gone afterwards. Its path is short enough for Unix sockets."""
    parent = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    if len(parent) > _LONGEST_PARENT or not Path(parent).is_dir():
        parent = "/tmp"  # noqa: S108  (mkdtemp makes a private folder in it)
    folder = Path(tempfile.mkdtemp(prefix="tunnelui-server-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
