"""The life of an agent: from the lock to the last connection."""

from __future__ import annotations

import contextlib
import logging
import math
import time
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.to_thread

from tunnelui.agent.meeting import meeting_place
from tunnelui.agent.notifications import remind, show_notifications
from tunnelui.agent.runtime import AgentLock
from tunnelui.agent.server import AgentServer
from tunnelui.config.runtime_folder import open_folder
from tunnelui.engine.following import follow_file
from tunnelui.engine.model import Event, State
from tunnelui.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tunnelui.config.state_file import StateFile
    from tunnelui.engine.local import LocalEngine

__all__ = ["serve", "take_lock"]

logger = logging.getLogger(__name__)

_LOOK: Final = 1.0
"""Seconds between two looks at the file of routes."""
_GATHER: Final = 0.02
_CLOSING: Final = 2.0


def take_lock() -> AgentLock | None:
    """Return the right to be this user's agent, or ``None`` when there is one already.

    :raises tunnelui.errors.LocalError: the runtime folder can't be used.
    """
    folder = open_folder(create=True)
    assert folder is not None  # noqa: S101  (it was to be made)
    lock = AgentLock(folder)
    return lock if lock.take() else None


async def serve(
    engine: LocalEngine,
    lock: AgentLock,
    *,
    config: str,
    up: StateFile,
    on_ready: Callable[[], None],
    signals: AsyncIterator[object],
    notify: bool = False,
) -> None:
    """Be the agent until it is told to end, or a signal comes.

    The routes that were up when the last agent died come up again. A second signal cuts what a retired agent waits for.

    :param config: the digest of the ``config.toml`` that *engine* was made from.
    :param up: remembers them.
    :param notify: show what needs a person on the desktop.
    :param on_ready: is called once the socket answers.
    :raises tunnelui.errors.TunnelError: the saved routes can't be read, or the socket can't be made.
    """
    folder = open_folder(create=True)
    assert folder is not None  # noqa: S101
    place = meeting_place(folder)
    async with engine, anyio.create_task_group() as tasks:
        keeper = _Keeper(engine, up)
        server = AgentServer(engine, tasks, place=place, config=config, on_change=keeper.keep)
        await keeper.restore()
        listeners = place.listen()
        accepting = anyio.CancelScope()

        async def accept() -> None:
            with accepting:
                await server.serve(listeners)

        async def end_at_signal() -> None:
            await anext(signals)
            server.end()

        tasks.start_soon(accept)
        tasks.start_soon(follow_file, engine, keeper.keep)
        tasks.start_soon(_end_when_out_of_reach, server, place.path)
        tasks.start_soon(remind, engine)
        if notify:
            tasks.start_soon(show_notifications, engine)
        tasks.start_soon(end_at_signal)
        on_ready()
        await server.ending.wait()
        keeper.done = True
        await server.admit_no_more()
        place.close(listeners)
        if server.retiring:
            await _retire(engine, lock, accepting)
        accepting.cancel()
        tasks.cancel_scope.cancel()


async def _retire(engine: LocalEngine, lock: AgentLock, accepting: anyio.CancelScope) -> None:
    """Free the ports, let another agent begin, and return with the last open connection."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(engine.drain, math.inf)
        with anyio.move_on_after(_CLOSING):
            await _ports_are_free(engine)
        lock.release()
        accepting.cancel()


async def _ports_are_free(engine: LocalEngine) -> None:
    news = engine.events()
    while (now := engine.snapshot()).proxy_mode.on or any(one.state is not State.OFF for one in now.tunnels):
        await news.wait()
        await anyio.sleep(_GATHER)  # with many tunnels there are many events at once
        news.take()


class _Keeper:
    """Remembers which routes are up, and where proxy mode listens, beyond the end of this process."""

    def __init__(self, engine: LocalEngine, file: StateFile) -> None:
        self.done = False
        """Whether the engine comes down now, which is no reason to forget."""
        self._engine = engine
        self._file = file
        self._kept: dict[str, Any] | None = None
        self._lock = anyio.Lock()
        self._asked = self._answered = 0

    async def restore(self) -> None:
        """Start the routes that were up, and proxy mode."""
        kept = await anyio.to_thread.run_sync(self._file.load)
        names, listen = kept.get("up"), kept.get("proxy")
        known = {one.route.name for one in self._engine.snapshot().tunnels}
        for name in names if isinstance(names, list) else ():
            if isinstance(name, str) and name in known:
                await self._engine.start(name)
        if isinstance(listen, str) and listen:
            with contextlib.suppress(ConfigError):  # the file is no longer as we wrote it
                await self._engine.start_proxy(listen)
        await self.keep()

    async def keep(self) -> None:
        """Return once a look that began after this call is kept. One look serves all who wait for it: a thousand routes
        that start at once need two.
        """
        self._asked += 1
        asked = self._asked
        async with self._lock:
            if self._answered >= asked:
                return
            asked = self._asked
            now = self._engine.snapshot()
            up: dict[str, Any] = {"up": [one.route.name for one in now.tunnels if one.started_at is not None]}
            if now.proxy_mode.on or now.proxy_mode.problem:
                up["proxy"] = now.proxy_mode.local
            if up != self._kept and not self.done:
                before = self._file.trouble
                await anyio.to_thread.run_sync(self._file.save, up)
                trouble = self._file.trouble
                if trouble and trouble != before:
                    words = f"{trouble}. After a crash, other routes would come up than now."
                    self._engine.publish(Event("note", time.time(), words, "warning"))
                if not trouble:
                    self._kept = up  # else it is tried again with the next look
            self._answered = asked


async def _end_when_out_of_reach(server: AgentServer, path: Path) -> None:
    """Retire when the socket's file has gone, as at the end of a login session: nobody could stop us any more."""
    while True:
        await anyio.sleep(_LOOK)
        if not await anyio.Path(path).exists():
            server.end(retiring=True)
            return
