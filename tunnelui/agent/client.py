"""`AgentClient`: an engine whose tunnels run in the agent."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from tunnelui.agent.changes import apply
from tunnelui.agent.codec import decode, decode_error, encode
from tunnelui.agent.heartbeat import Heartbeat
from tunnelui.agent.meeting import meeting_place
from tunnelui.agent.protocol import FROM_AGENT, PROTOCOL
from tunnelui.agent.variables import other_variables
from tunnelui.config.discovery import Offer
from tunnelui.config.runtime_folder import open_folder
from tunnelui.engine.findings import Finding
from tunnelui.engine.hub import EventHub, EventReader
from tunnelui.engine.model import EngineSnapshot, Event, StageTimings
from tunnelui.engine.pieces import in_pieces
from tunnelui.engine.programs import RunningProgram
from tunnelui.errors import LocalError, ProtocolError, TunnelError
from tunnelui.version import VERSION

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
    from types import TracebackType

    from tunnelui.agent.channel import Channel
    from tunnelui.config.route import Route
    from tunnelui.config.route_changes import RouteChange

__all__ = ["AgentClient", "Hello", "connect"]

_HELLO: Final = 10.0
_PAUSE: Final = 0.5
"""Seconds between two tries to reach an agent that has gone."""


class Hello:
    """What an agent says of itself."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.version = str(values.get("version", ""))
        self.protocol = values.get("protocol")
        self.pid = int(values.get("pid") or 0)
        self.config = str(values.get("config", ""))
        variables = values.get("variables")
        self._variables = variables if isinstance(variables, dict) else {}
        self._salt = str(values.get("salt", ""))

    def other_variables(self) -> tuple[str, ...]:
        """Return the names of the environment variables that it has and we have not, or with another value."""
        return other_variables(self._salt, self._variables) if self._salt else ()

    @property
    def is_ours(self) -> bool:
        """Whether that agent and this program are the same version."""
        return self.version == VERSION and self.protocol == PROTOCOL


async def connect() -> tuple[Channel, Hello] | None:
    """Return a channel to the agent that runs, and what it says of itself; ``None`` when there is none.

    :raises LocalError: the runtime folder or the process behind the socket is not ours; the agent does not answer.
    """
    folder = open_folder(create=False)
    if folder is None:
        return None
    channel: Channel | None = None
    try:
        channel = await meeting_place(folder).reach(limit=FROM_AGENT)
        if channel is None:
            return None
        async with asyncio.timeout(_HELLO):
            await channel.send({"hello": {"version": VERSION, "protocol": PROTOCOL}})
            answer = await channel.receive()
    except (OSError, ProtocolError) as error:  # TimeoutError is an OSError
        pid = 0
        if channel is not None:
            pid = channel.peer_pid  # the kernel knows it, though the process says nothing
            channel.close()
            if isinstance(error, ConnectionError):
                return None  # it ends just now
        why = str(error) or "it was stopped, or the machine is too busy"
        raise _silent(pid, f": {why}") from None
    except BaseException:
        if channel is not None:
            channel.close()
        raise
    hello = answer.get("hello") if answer else None
    if not isinstance(hello, dict):
        channel.close()
        return None  # it ends just now
    return channel, Hello(hello)


class AgentClient:
    """An `tunnelui.engine.interface.Engine` for as long as it is entered. Leaving it leaves the tunnels alone.

    An agent that goes away is looked for again, and started again, without end; meanwhile `snapshot` and all requests
    raise why there is none, at first a `LocalError` with the code ``agent_gone``. While it is there and does not answer
    they raise one with the code ``agent_silent``.
    """

    def __init__(self, find: Callable[[], Awaitable[tuple[Channel, Hello]]]) -> None:
        """*find* returns a channel to an agent, starting one if need be."""
        self.hello = Hello({})
        self._find = find
        self._channel: Channel | None = None
        self._snapshot = EngineSnapshot()
        self._hub = EventHub()
        self._ids = itertools.count(1)
        self._waiting: dict[int, _Answer] = {}
        self._trouble: TunnelError = _gone()
        self._heartbeat = Heartbeat()
        self._task: asyncio.Task[None]

    async def __aenter__(self) -> AgentClient:
        """
        :raises LocalError: there is no agent, and none can be started.
        """
        begun = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(begun))
        try:
            await asyncio.wait((self._task, begun), return_when=asyncio.FIRST_COMPLETED)
            if self._task.done():
                self._task.result()
        except BaseException:
            self._task.cancel()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()
        await asyncio.wait((self._task,))
        if not self._task.cancelled():
            self._task.result()  # it ends by itself only if there is a fault in it

    # The interface.

    def snapshot(self) -> EngineSnapshot:
        self._need_agent()
        return self._snapshot

    def events(self) -> EventReader:
        return self._hub.subscribe()

    async def history(self, route: str = "") -> tuple[Event, ...]:
        events: list[Event] = []
        async with contextlib.aclosing(self._parts("history", route=route)) as parts:
            async for part in parts:
                events += decode(tuple[Event, ...], part)
        return tuple(events)

    async def programs(self) -> tuple[RunningProgram, ...]:
        return decode(tuple[RunningProgram, ...], await self.call("programs"))

    async def stop_program(self, pid: int) -> None:
        await self.call("stop_program", pid=pid)

    async def start(self, name: str, *, any_port: bool = False) -> None:
        await self.call("start", name=name, any_port=any_port)

    async def stop(self, name: str) -> None:
        await self.call("stop", name=name)

    async def restart(self, name: str) -> None:
        await self.call("restart", name=name)

    async def probe(self, name: str) -> StageTimings:
        return decode(StageTimings, await self.call("probe", name=name))

    async def close_connection(self, name: str, connection: int) -> None:
        await self.call("close_connection", name=name, connection=connection)

    async def diagnose(self, name: str) -> AsyncGenerator[Finding, None]:
        parts = self._parts("diagnose", name=name)
        async with contextlib.aclosing(parts):
            async for part in parts:
                yield decode(Finding, part)

    async def offer(self, profile: str, proxy: str) -> Offer:
        return decode(Offer, await self.call("offer", profile=profile, proxy=proxy))

    async def start_proxy(self, listen: str) -> None:
        await self.call("start_proxy", listen=listen)

    async def stop_proxy(self) -> None:
        await self.call("stop_proxy")

    async def sign_in(self, profile: str, proxy: str) -> None:
        await self.call("sign_in", profile=profile, proxy=proxy)

    async def cancel_sign_in(self, profile: str, proxy: str) -> None:
        await self.call("cancel_sign_in", profile=profile, proxy=proxy)

    async def paste(self, profile: str, proxy: str, text: str) -> None:
        await self.call("paste", profile=profile, proxy=proxy, text=text)

    async def sign_out(self, profile: str, proxy: str) -> None:
        await self.call("sign_out", profile=profile, proxy=proxy)

    async def unlock(self, profile: str, password: str) -> None:
        await self.call("unlock", profile=profile, password=password)

    async def add_route(self, route: Route) -> None:
        await self.call("add_route", route=encode(route))

    async def update_route(self, name: str, route: Route) -> None:
        await self.call("update_route", name=name, route=encode(route))

    async def remove_route(self, name: str) -> None:
        await self.call("remove_route", name=name)

    async def change_routes(self, changes: Sequence[RouteChange]) -> None:
        await self.call("change_routes", changes=[encode(one) async for one in in_pieces(changes)])

    async def aclose(self) -> None:
        self._hub.close()
        self._task.cancel()

    # Beyond the interface.

    async def call(self, request: str, /, **given: Any) -> Any:
        """Ask the agent and return its answer.

        :raises tunnelui.errors.TunnelError: it refused, or went away before it answered.
        """
        with await self._ask(request, given) as answer:
            while await answer.next_part() is not None:
                pass
            return answer.result()

    # Inside.

    async def _parts(self, request: str, /, **given: Any) -> AsyncGenerator[Any, None]:
        """Ask for what the agent tells piece by piece. Closing this ends the request there."""
        with await self._ask(request, given) as answer:
            try:
                while (part := await answer.next_part()) is not None:
                    yield part
                answer.result()
            finally:
                if not answer.is_done and self._channel is not None:
                    import anyio  # here: whoever waits for the screen does without

                    with anyio.move_on_after(_PAUSE, shield=True), contextlib.suppress(OSError, ValueError):
                        await self._channel.send({"call": "cancel", "with": {"id": answer.number}})

    def _need_agent(self) -> Channel:
        """
        :raises TunnelError: there is none, or it does not answer.
        """
        if self._channel is None:
            raise self._trouble
        if self._heartbeat.is_silent:
            raise _silent()
        return self._channel

    async def _ask(self, request: str, given: dict[str, Any]) -> _Answer:
        channel = self._need_agent()
        answer = _Answer(next(self._ids), self._waiting)
        try:
            await channel.send({"id": answer.number, "call": request, "with": given})
        except (OSError, ValueError):
            answer.forget()
            raise _gone() from None
        except BaseException:
            answer.forget()
            raise
        return answer

    async def _run(self, begun: asyncio.Future[None]) -> None:
        while True:
            try:
                channel, self.hello = await self._find()
            except TunnelError as error:  # one in config.toml, too: it may be mended while a screen waits
                if not begun.done():
                    raise
                self._trouble = error
                await asyncio.sleep(_PAUSE)
                continue
            with channel:
                self._heartbeat = Heartbeat()
                watch = asyncio.create_task(self._watch_over(channel))
                try:
                    await self._follow(channel, begun)
                except (OSError, ProtocolError) as error:
                    self._trouble = _gone(str(error))
                finally:
                    watch.cancel()
                    self._leave()
            if not begun.done():
                raise self._trouble
            await asyncio.sleep(_PAUSE)

    async def _follow(self, channel: Channel, begun: asyncio.Future[None]) -> None:
        self._snapshot = EngineSnapshot()
        number = next(self._ids)
        await channel.send({"id": number, "call": "watch"})
        while (message := await channel.receive()) is not None:
            self._heartbeat.heard()
            if "changes" in message:
                self._snapshot = apply(self._snapshot, message["changes"])
                await asyncio.sleep(0)  # the next piece may be here already, and somebody may wait
            elif "events" in message:
                for event in decode(tuple[Event, ...], message["events"]):
                    self._hub.publish(event)
            elif message.get("id") == number:
                self._channel = channel
                if not begun.done():
                    begun.set_result(None)
            elif answer := self._waiting.get(message.get("id", 0)):
                answer.take(message)
        if not begun.done():
            raise _gone()

    async def _watch_over(self, channel: Channel) -> None:
        with contextlib.suppress(OSError, ValueError):  # it has gone, which is seen elsewhere
            await self._heartbeat.watch(lambda: channel.send({"id": next(self._ids), "call": "status"}))

    def _leave(self) -> None:
        self._channel = None
        for answer in self._waiting.values():
            answer.take(None)


class _Answer:
    """What comes back for one request: parts, if it has any, then the end; ``None`` when the agent has gone."""

    def __init__(self, number: int, waiting: dict[int, _Answer]) -> None:
        self.number = number
        self.is_done = False
        self._waiting = waiting
        self._parts: deque[Any] = deque()
        self._message: dict[str, Any] | None = None
        self._news = asyncio.Event()
        waiting[number] = self

    def __enter__(self) -> _Answer:
        return self

    def __exit__(self, *_: object) -> None:
        self.forget()

    def forget(self) -> None:
        self._waiting.pop(self.number, None)

    def take(self, message: dict[str, Any] | None) -> None:
        """Keep what has come."""
        if message is not None and "part" in message:
            self._parts.append(message["part"])
        else:
            self._message, self.is_done = message, True
        self._news.set()

    async def next_part(self) -> Any:
        """Return the next part, or ``None`` at the end."""
        while not self._parts:
            if self.is_done:
                return None
            self._news = asyncio.Event()
            await self._news.wait()
        return self._parts.popleft()

    def result(self) -> Any:
        """
        :raises TunnelError: the agent refused, or went away before it answered.
        """
        if self._message is None:
            raise _gone()
        if "failed" in self._message:
            raise decode_error(self._message["failed"])
        return self._message.get("done")


def _silent(pid: int = 0, why: str = "") -> LocalError:
    return LocalError(
        f"the agent{f' (pid {pid})' if pid else ''} does not answer{why}",
        code="agent_silent",
        hint=f"Let it go on (kill -CONT {pid}) or end it (kill -9 {pid}); the next one brings the tunnels back."
        if pid
        else "It was stopped, or the machine is too busy. tunnelui agent status shows its process.",
    )


def _gone(detail: str = "") -> LocalError:
    return LocalError(
        f"the agent has gone{f': {detail}' if detail else ''}",
        code="agent_gone",
        hint="It is started again by itself; the tunnels come up on the same ports.",
    )
