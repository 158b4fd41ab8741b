"""The control plane as a process: a configuration, a Unix socket, and an end at SIGTERM."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import stat
from typing import TYPE_CHECKING, Final

import anyio
import uvicorn

from tunnelui.errors import LocalError
from tunnelui_server.control.app import make_app
from tunnelui_server.control.protocol import ControlProtocol
from tunnelui_server.control.provider import make_provider
from tunnelui_server.control.services import Services
from tunnelui_server.sessions import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.types import ASGIApp

    from tunnelui_server.config import ServerConfig

__all__ = ["Server", "listen", "run"]

_LOG = logging.getLogger(__name__)
_GRACE: Final = 3
_MAX_AT_ONCE: Final = 512


class Server(uvicorn.Server):
    """uvicorn with the signals left to us: its own handling would end the process before the store is closed."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=ControlProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,  # it would write queries, and they hold codes
                server_header=False,
                proxy_headers=False,
                limit_concurrency=_MAX_AT_ONCE,
                timeout_graceful_shutdown=_GRACE,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def run(config: ServerConfig, path: Path) -> None:
    """Serve on the Unix socket *path* until SIGTERM or SIGINT.

    :raises ConfigError, StoreError, LocalError: it can't start.
    """
    for name in ("httpx", "httpcore"):
        # They tell every address that they ask, which helps nobody here.
        logging.getLogger(name).setLevel(logging.WARNING)
    provider = make_provider(config)
    store = await open_store(
        config.databroker_storage_type,
        config.databroker_storage_connection_string,
        shared_secret=config.shared_secret_bytes,
    )
    try:
        server = Server(make_app(Services(config, store, provider)))
        with listen(path) as listener:
            async with anyio.create_task_group() as group:
                group.start_soon(_stop_at_signal, server)
                _LOG.info("the control plane listens")
                await server.serve(sockets=[listener])
                group.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):
            if provider is not None:
                await provider.aclose()
            await store.aclose()


async def _stop_at_signal(server: Server) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            server.should_exit = True


@contextlib.contextmanager
def listen(path: Path) -> Iterator[socket.socket]:
    """A listening Unix socket with mode 0600; a dead one in its place is replaced.

    :raises LocalError: the system refuses, or something that is no socket stands there.
    """
    try:
        if path.exists() and not stat.S_ISSOCK(path.stat(follow_symlinks=False).st_mode):
            raise LocalError(f"{path} is in the way of the control plane's socket")
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        before = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(before)
        listener.listen(1024)
    except OSError as error:
        raise LocalError(f"the control plane can't listen on {path}: {error.strerror or error}") from None
    try:
        yield listener
    finally:
        listener.close()
        path.unlink(missing_ok=True)
