"""The agent's side of the socket: every connected program gets answers, and the news if it watches."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import time
from typing import TYPE_CHECKING, Any, Final

import anyio

from tunnelui.agent.calls import IN_PARTS, Calls
from tunnelui.agent.changes import difference
from tunnelui.agent.channel import Channel
from tunnelui.agent.codec import encode, encode_error
from tunnelui.agent.protocol import FROM_CLIENT, PROTOCOL
from tunnelui.agent.variables import environment_digest, fingerprints
from tunnelui.engine.pieces import in_pieces
from tunnelui.errors import LocalError, ProtocolError, TunnelError
from tunnelui.transport.listen import accept_loop
from tunnelui.version import VERSION

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Sequence

    from anyio.abc import TaskGroup

    from tunnelui.agent.meeting import MeetingPlace
    from tunnelui.engine.hub import EventReader
    from tunnelui.engine.local import LocalEngine
    from tunnelui.engine.model import EngineSnapshot

__all__ = ["AgentServer"]

logger = logging.getLogger(__name__)

_TICK: Final = 0.5
"""Seconds between two looks for byte counters that have moved."""
_GATHER: Final = 0.02
"""Seconds in which events that come close together are gathered, so that a burst costs one look."""
_MANY: Final = 8
"""So many requests under way that their answers are gathered, too."""
_SHARE: Final = 10
"""A look that took long is followed by so much more time for others: news never take more than a tenth of the loop."""
_HELLO: Final = 10.0
_LAST: Final = ("end", "retire")


class AgentServer:
    """Serves *engine* to the programs that connect."""

    def __init__(
        self,
        engine: LocalEngine,
        group: TaskGroup,
        *,
        place: MeetingPlace,
        config: str,
        on_change: Callable[[], Awaitable[None]],
    ) -> None:
        """
        :param group: owns the requests, which go on when the program that asked has gone.
        :param place: knows who may come in.
        :param config: the digest of the ``config.toml`` that the engine was made from.
        :param on_change: is called after each request that may have started or stopped a tunnel.
        """
        self._place = place
        self.engine = engine
        self.group = group
        self.started_at = time.time()
        self.ending = anyio.Event()
        self.retiring = False
        self.clients = 0
        self._accepting = anyio.CancelScope()
        self._accepted = anyio.Event()
        salt = secrets.token_hex(8)
        self._hello = {
            "version": VERSION,
            "protocol": PROTOCOL,
            "pid": os.getpid(),
            "environment": environment_digest(),
            "salt": salt,
            "variables": fingerprints(salt),
            "config": config,
        }
        self._on_change = on_change
        self._calls = Calls(self)

    @property
    def reached(self) -> dict[str, str]:
        """How programs reach it, and why that way: see `tunnelui.agent.meeting.MeetingPlace`."""
        return {"transport": self._place.transport, "address": self._place.address, "why": self._place.why}

    async def serve(self, listeners: Sequence[socket.socket]) -> None:
        """Accept until `admit_no_more`, and serve who was admitted until cancelled."""
        async with anyio.create_task_group() as clients:

            def take(sock: socket.socket, _: str) -> None:
                clients.start_soon(self._serve, sock)

            try:
                with self._accepting:
                    await accept_loop(listeners, take)
            finally:
                self._accepted.set()

    async def admit_no_more(self) -> None:
        """Let the listeners go, so that they can be closed."""
        self._accepting.cancel()
        await self._accepted.wait()

    def end(self, *, retiring: bool = False) -> None:
        """Ask for the end of the agent; *retiring* lets open connections go on without it."""
        self.retiring = retiring
        self.ending.set()

    async def changed(self) -> None:
        """A tunnel may have been started or stopped."""
        await self._on_change()

    async def _serve(self, sock: socket.socket) -> None:
        with Channel(sock, limit=FROM_CLIENT) as channel:
            try:
                await self._place.admit(channel)
                self.clients += 1
                try:
                    await self._talk(channel)
                finally:
                    self.clients -= 1
            except (OSError, ProtocolError, LocalError) as error:
                logger.info("a program at the agent's socket was dropped: %s", error)
            except Exception:
                logger.exception("a program at the agent's socket")

    async def _talk(self, channel: Channel) -> None:
        with anyio.fail_after(_HELLO):
            if "hello" not in (await channel.receive() or {}):
                raise ProtocolError("no hello")
        await channel.send({"hello": self._hello})
        async with anyio.create_task_group() as tasks:
            watcher = _Watcher(self.engine, channel)
            running: dict[str, anyio.CancelScope] = {}
            while (message := await channel.receive()) is not None:
                call = message.get("call")
                if call == "watch":
                    await self._answer(watcher, message.get("id"), watcher.begin)
                    tasks.start_soon(watcher.run)
                elif call in IN_PARTS:
                    # Now: a cancellation may come before the task's first step.
                    scope = running[str(message.get("id"))] = anyio.CancelScope()
                    tasks.start_soon(self._tell_parts, watcher, message, scope, running)
                elif call == "cancel":
                    if (number := str(_arguments(message).get("id"))) in running:
                        running[number].cancel()
                elif call == "stdio":
                    await self._calls.stdio(channel, message)
                    break
                else:
                    # Not in *tasks*: a program that goes away must not leave half of what it asked for.
                    self.group.start_soon(self._carry_out, watcher, message)
            tasks.cancel_scope.cancel()

    async def _carry_out(self, watcher: _Watcher, message: dict[str, Any]) -> None:
        call = str(message.get("call"))

        async def work() -> Any:
            watcher.under_way += 1
            try:
                return await self._calls.run(call, _arguments(message))
            finally:
                watcher.under_way -= 1

        await self._answer(watcher, message.get("id"), work)
        if call in _LAST:
            self.end(retiring=call == "retire")

    async def _tell_parts(
        self,
        watcher: _Watcher,
        message: dict[str, Any],
        scope: anyio.CancelScope,
        running: dict[str, anyio.CancelScope],
    ) -> None:
        number = message.get("id")

        async def tell_all() -> None:
            parts = self._calls.parts(str(message.get("call")), _arguments(message))
            with scope:
                async with contextlib.aclosing(parts):
                    async for part in parts:
                        await watcher.tell_part({"id": number, "part": encode(part)})

        with contextlib.suppress(OSError):
            try:
                await self._answer(watcher, number, tell_all)
            finally:
                running.pop(str(number), None)

    async def _answer(self, watcher: _Watcher, number: object, work: Callable[[], Any]) -> None:
        try:
            answer = {"id": number, "done": encode(await work())}
        except TunnelError as error:
            answer = {"id": number, "failed": encode_error(error)}
        except Exception as error:
            logger.exception("a request to the agent")
            words = LocalError(f"the agent failed: {type(error).__name__}", hint="tunnelui agent logs says more.")
            answer = {"id": number, "failed": encode_error(words)}
        with contextlib.suppress(OSError):  # it has gone; what it asked for is done
            await watcher.tell(answer)


def _arguments(message: dict[str, Any]) -> dict[str, Any]:
    given = message.get("with")
    return given if isinstance(given, dict) else {}


class _Watcher:
    """What one program has been told."""

    def __init__(self, engine: LocalEngine, channel: Channel) -> None:
        self._engine = engine
        self._channel = channel
        self._reader: EventReader | None = None
        self._told: EngineSnapshot | None = None
        self._gather = _GATHER
        self._lock = anyio.Lock()
        self._answers: list[dict[str, Any]] = []
        self.under_way = 0
        """How many requests have no answer yet."""

    async def begin(self) -> None:
        """Watch from now on."""
        if self._reader is None:
            self._reader = self._engine.events()

    async def run(self) -> None:
        """Tell the news until the channel or the engine ends."""
        reader = self._reader
        if reader is None:
            return
        try:
            while not reader.closed:
                with anyio.move_on_after(_TICK):
                    await reader.wait()
                    await anyio.sleep(self._gather)
                await self.tell()
        except OSError:
            pass  # it has gone; who reads from it sees that too

    async def tell_part(self, message: dict[str, Any]) -> None:
        """Send a part of an answer, which may be cancelled; the news come in their own time."""
        await self._channel.send(message)

    async def tell(self, *answers: dict[str, Any]) -> None:
        """Send what is new, then *answers*. With many requests under way, what is new is told for many answers at once:
        to look at a thousand tunnels for each of a thousand answers would take minutes.

        Once cancelled, not to be called again: what was under way is lost.
        """
        self._answers += answers
        async with self._lock:
            if self._answers and self.under_way >= _MANY:
                await anyio.sleep(_GATHER)
            waiting, self._answers = self._answers, []
            if answers and not waiting:
                return  # they went with those of somebody else
            messages: list[dict[str, Any]] = []
            if self._reader is not None:
                # The events first, then the snapshot: it must not be older than what they speak of.
                began = time.perf_counter()
                events = self._reader.take()
                before, self._told = self._told, self._engine.snapshot()
                async for changes in in_pieces(difference(before, self._told), 1):
                    await self._channel.send(*messages)
                    messages = [{"changes": changes}]
                if events:
                    messages.append({"events": encode(events)})
                self._gather = min(_TICK, max(_GATHER, _SHARE * (time.perf_counter() - began)))
            messages += waiting
            if messages:
                await self._channel.send(*messages)
