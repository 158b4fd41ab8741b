"""What a program may ask of the agent, by name."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import anyio

from tunnelui.agent.codec import decode, encode, encode_error
from tunnelui.config.route import DEFAULT_PROFILE, Route
from tunnelui.config.route_changes import RouteChange
from tunnelui.engine.hub import EventHub
from tunnelui.engine.model import Event, State
from tunnelui.engine.pieces import in_pieces
from tunnelui.engine.stdio import carry
from tunnelui.errors import ConfigError, ProtocolError, TunnelError
from tunnelui.text import clean, without_query
from tunnelui.transport.stdio import StdioEndpoint
from tunnelui.version import VERSION

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from anyio.abc import TaskGroup

    from tunnelui.agent.channel import Channel
    from tunnelui.engine.hub import EventReader
    from tunnelui.engine.local import LocalEngine

__all__ = ["IN_PARTS", "Calls", "Server"]

T = TypeVar("T")

IN_PARTS: Final = ("diagnose", "history")
"""Requests with `Calls.parts`."""
_EVENTS: Final = 100
"""Events in one part of a history."""
_OF_IDENTITIES: Final = ("sign_in", "signed_in", "note")


class Server(Protocol):
    """What requests need of their server."""

    engine: LocalEngine
    started_at: float
    clients: int

    @property
    def reached(self) -> dict[str, str]:
        """How programs reach it, and why that way."""

    async def changed(self) -> None:
        """A tunnel may have been started or stopped."""


class Calls:
    """Carries out requests on the server's engine."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._engine = server.engine
        self._table: dict[str, Callable[[dict[str, Any]], Awaitable[Any]]] = {
            "start": lambda given: self._changing(
                self._engine.start(_get(str, given, "name"), any_port=given.get("any_port") is True)
            ),
            "stop": lambda given: self._changing(self._engine.stop(_get(str, given, "name"))),
            "restart": lambda given: self._changing(self._engine.restart(_get(str, given, "name"))),
            "probe": lambda given: self._engine.probe(_get(str, given, "name")),
            "close_connection": lambda given: self._engine.close_connection(
                _get(str, given, "name"), _get(int, given, "connection")
            ),
            "start_proxy": lambda given: self._changing(self._engine.start_proxy(_get(str, given, "listen"))),
            "stop_proxy": lambda _: self._changing(self._engine.stop_proxy()),
            "sign_in": lambda given: self._engine.sign_in(*_identity(given)),
            "cancel_sign_in": lambda given: self._engine.cancel_sign_in(*_identity(given)),
            "refresh_identity": lambda given: self._engine.refresh_identity(*_identity(given)),
            "sign_out": lambda given: self._engine.sign_out(*_identity(given)),
            "paste": lambda given: self._engine.paste(*_identity(given), _get(str, given, "text")),
            "add_route": lambda given: self._changing(self._engine.add_route(_get(Route, given, "route"))),
            "update_route": lambda given: self._changing(
                self._engine.update_route(_get(str, given, "name"), _get(Route, given, "route"))
            ),
            "change_routes": lambda given: self._changing(self._change_routes(given)),
            "offer": lambda given: self._engine.offer(*_identity(given)),
            "remove_route": lambda given: self._changing(self._engine.remove_route(_get(str, given, "name"))),
            "unlock": lambda given: self._changing(
                self._engine.unlock(_get(str, given, "profile"), _get(str, given, "password"))
            ),
            "reload": lambda given: self._changing(self._engine.reload()),
            "programs": lambda _: self._engine.programs(),
            "stop_program": lambda given: self._engine.stop_program(_get(int, given, "pid")),
            "status": self._status,
            "end": self._end,
            "retire": self._retire,
        }

    async def run(self, name: str, given: dict[str, Any]) -> Any:
        """Return what the request *name* gives.

        :raises TunnelError: it can't be carried out, or is none.
        """
        call = self._table.get(name)
        if call is None:
            raise ProtocolError(f"the agent knows no request “{clean(name, 40)}”", code="unknown_request")
        return await call(given)

    def parts(self, name: str, given: dict[str, Any]) -> AsyncGenerator[Any, None]:
        """Return what a request of `IN_PARTS` gives piece by piece.

        :raises TunnelError: it can't be carried out.
        """
        if name == "history":
            return self._history(str(given.get("route") or ""))
        return self._engine.diagnose(_get(str, given, "name"))

    async def _history(self, route: str) -> AsyncGenerator[list[Event], None]:
        events = await self._engine.history(route)
        async for at in in_pieces(range(0, len(events), _EVENTS), 1):
            yield list(events[at : at + _EVENTS])

    async def stdio(self, channel: Channel, message: dict[str, Any]) -> None:
        """Carry the tunnel of a program whose standard input and output came with *message*; it ends with *channel*."""
        descriptors = channel.take_descriptors()
        if len(descriptors) != 2:
            for descriptor in descriptors:
                os.close(descriptor)
            raise ProtocolError("a tunnel over standard input and output needs both of them")
        near = StdioEndpoint(*descriptors)
        hub = EventHub()
        told = anyio.Event()
        async with anyio.create_task_group() as tasks:

            async def watch() -> None:
                with contextlib.suppress(OSError, ProtocolError):
                    while await channel.receive() is not None:
                        pass
                tasks.cancel_scope.cancel()

            async def tell(news: EventReader) -> None:
                with contextlib.suppress(OSError):
                    async for event in news:
                        await channel.send({"events": encode([event])})
                told.set()

            tasks.start_soon(watch)
            tasks.start_soon(tell, hub.subscribe())
            answer = await self._carry(near, message, hub, tasks)
            hub.close()
            await told.wait()
            with contextlib.suppress(OSError):
                await channel.send(answer)
            tasks.cancel_scope.cancel()

    async def _carry(
        self, near: StdioEndpoint, message: dict[str, Any], hub: EventHub, tasks: TaskGroup
    ) -> dict[str, Any]:
        given = message.get("with")
        try:
            route = _route(given if isinstance(given, dict) else {})
            connector = self._engine.connector(route)
            tasks.start_soon(self._tell_sign_ins, route.profile, str(connector.destination.proxy), hub)
            await carry(
                connector,
                near,
                publish=hub.publish,
                vigil=self._engine.vigil,
                linger=self._engine.linger,
                number=self._engine.next_id(),
            )
        except TunnelError as error:
            return {"id": message.get("id"), "failed": encode_error(error)}
        finally:
            near.close()
        return {"id": message.get("id"), "done": None}

    async def _tell_sign_ins(self, profile: str, proxy: str, hub: EventHub) -> None:
        """Pass on what happens to the identity of a tunnel, and a sign-in that is under way already."""
        news = self._engine.events(lambda event: event.kind in _OF_IDENTITIES)
        for identity in self._engine.snapshot().identities:
            if (identity.profile, identity.proxy) == (profile, proxy) and identity.sign_in and identity.sign_in.url:
                url = identity.sign_in.url
                hub.publish(Event("sign_in", time.time(), f"sign in at {without_query(url)}", data={"url": url}))
        async for event in news:
            if (event.data.get("profile"), event.data.get("proxy")) == (profile, proxy):
                hub.publish(event)

    async def _changing(self, work: Awaitable[None]) -> None:
        try:
            await work
        finally:
            await self._server.changed()

    async def _change_routes(self, given: dict[str, Any]) -> None:
        changes = [decode(RouteChange, one) async for one in in_pieces(_get(list, given, "changes"))]
        await self._engine.change_routes(changes)

    async def _status(self, _: dict[str, Any]) -> dict[str, Any]:
        tunnels = self._engine.snapshot().tunnels
        return {
            "version": VERSION,
            "pid": os.getpid(),
            "started_at": self._server.started_at,
            "up": sum(tunnel.state is not State.OFF for tunnel in tunnels),
            "live": sum(tunnel.live for tunnel in tunnels),
            "programs": self._server.clients,
            **self._server.reached,
        }

    async def _end(self, _: dict[str, Any]) -> None:
        """Stop everything; the server ends once this is answered. The next agent does not start it again."""
        for tunnel in self._engine.snapshot().tunnels:
            if tunnel.state is not State.OFF:
                await self._engine.stop(tunnel.route.name)
        await self._engine.stop_proxy()
        await self._server.changed()

    async def _retire(self, _: dict[str, Any]) -> None:
        """Nothing yet: once this is answered, the server makes room for another agent."""


def _get(kind: type[T], given: dict[str, Any], name: str) -> T:
    if name not in given:
        raise ProtocolError(f"a request without “{name}”")
    return decode(kind, given[name])


def _identity(given: dict[str, Any]) -> tuple[str, str]:
    return _get(str, given, "profile"), _get(str, given, "proxy")


def _route(given: dict[str, Any]) -> Route:
    destination = _get(str, given, "destination")
    if not destination:
        raise ConfigError("the destination is empty")
    profile, proxy_url = given.get("profile"), given.get("proxy_url")
    return Route(destination, destination, profile=str(profile or DEFAULT_PROFILE), proxy_url=str(proxy_url or ""))
