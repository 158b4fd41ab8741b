"""`LocalEngine`: tunnels in this process."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread

from tunnelui.config.route_changes import RouteChange
from tunnelui.config.routes import RouteFile
from tunnelui.engine.access import Access
from tunnelui.engine.backoff import CONNECT_RETRIES, NO_RETRIES, PORT_BACKOFF, Backoff, RetryRule
from tunnelui.engine.connector import Connector
from tunnelui.engine.destinations import resolve_destination
from tunnelui.engine.forwarding import Forwarding
from tunnelui.engine.history import History
from tunnelui.engine.hub import EventHub
from tunnelui.engine.identities import Contexts, Identities, profile_snapshot, service_account_of
from tunnelui.engine.model import EngineSnapshot
from tunnelui.engine.probe import probe
from tunnelui.engine.programs import OtherPrograms
from tunnelui.engine.reach import DEADLINES, Deadlines
from tunnelui.engine.report import trouble, woke
from tunnelui.engine.tunnel import Tunnel
from tunnelui.engine.tunnels import Tunnels
from tunnelui.engine.vigil import Vigil
from tunnelui.engine.warm_pools import WarmPools
from tunnelui.errors import TunnelError
from tunnelui.transport.descriptors import allow_descriptors
from tunnelui.transport.jobs import Jobs
from tunnelui.transport.resolver import RecentAnswers, system_resolver
from tunnelui.wire.destination import parse_proxy_url

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence
    from types import TracebackType

    from anyio.abc import TaskGroup

    from tunnelui.auth.credentials import Credentials
    from tunnelui.auth.service_account import ServiceAccount
    from tunnelui.auth.token_store import TokenKey, TokenStore
    from tunnelui.config.profile import Profile
    from tunnelui.config.route import Route
    from tunnelui.config.settings import Settings
    from tunnelui.config.state_file import PortMemory
    from tunnelui.engine.findings import Finding
    from tunnelui.engine.hub import EventReader
    from tunnelui.engine.model import Event, StageTimings, TunnelSnapshot
    from tunnelui.transport.dial import Resolver
    from tunnelui.wire.destination import Destination, ProxyOrigin

__all__ = ["LocalEngine"]

_RESERVED_DESCRIPTORS: Final = 256  # for listeners, warm connections, sign-ins, logs


class LocalEngine(Access, OtherPrograms):
    """An `tunnelui.engine.interface.Engine` whose tunnels run in this event loop, from ``async with`` to its end.

    All its tasks belong to one task group. A fault in one connection ends that connection and nothing else.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        store: TokenStore,
        routes: RouteFile | Sequence[Route] = (),
        interactive: bool = True,
        announce: Callable[[str, bool], None] | None = None,
        service_account: Callable[[Profile], ServiceAccount | None] = service_account_of,
        contexts: Contexts | None = None,
        notes: Sequence[str] = (),
        look_up_identities: bool = False,
        autostart: bool = False,
        ports: PortMemory | None = None,
        max_connections: int = 8192,
        linger: float = 30.0,
        deadlines: Deadlines = DEADLINES,
        retries: RetryRule = CONNECT_RETRIES,
        port_backoff: Backoff = PORT_BACKOFF,
        resolve: Resolver | None = None,
    ) -> None:
        """
        :param routes: a file that is read on entry and written by every change, or routes for this run alone.
        :param interactive: whether a connection may begin a sign-in.
        :param announce: gets the address of each sign-in, and whether a browser is started.
        :param service_account: which service account a profile has; by default the one that it names.
        :param contexts: TLS settings that were made already.
        :param notes: lines for `EngineSnapshot.notes`.
        :param look_up_identities: ask the token store at once for every route's identity, for a screen that shows them.
            Otherwise it is asked when the first connection needs a token.
        :param autostart: start the routes that want it, on entry.
        :param ports: remembers which port each route got from the system, beyond this run.
        :param max_connections: how many a tunnel takes at the same time; more are reset.
        :param linger: see `tunnelui.transport.relay.Relay`, in seconds.
        """
        self.max_connections = max_connections
        self.linger = linger
        self.vigil = Vigil(self._on_wake)
        self.group: TaskGroup
        self.jobs = Jobs()
        self._settings = settings
        self._store = store
        file = routes if isinstance(routes, RouteFile) else None
        self._given = () if isinstance(routes, RouteFile) else tuple(routes)
        self._interactive = interactive
        self._announce = announce
        self._service_account = service_account
        self._notes = tuple(notes)
        self._look_up = look_up_identities
        self._looked_up: set[tuple[str, ProxyOrigin | None]] = set()
        self._autostart = autostart
        self._ports = ports
        self._deadlines = deadlines
        self._retries = retries
        self._port_backoff = port_backoff
        self._resolve = resolve or RecentAnswers(system_resolver)
        self._resolve_anew = resolve or system_resolver
        self._profiles = tuple(profile_snapshot(settings.profile(name)) for name in settings.profile_names)
        self.contexts = contexts or Contexts()
        self._identities: Identities
        self._tunnels = Tunnels(file, self._make, profiles=settings.profile_names, changed=self._change)
        self._told: tuple[TunnelSnapshot, ...] = ()
        self._warm = WarmPools(
            settings.warm, lambda: self.group, self.contexts, deadlines=deadlines, resolve=self._resolve
        )
        self._forwarding = Forwarding(self, lambda: self._tunnels.routes, settings.profile, self._change)
        self._hub = EventHub()
        self._history = History()
        self._ids = itertools.count(1)
        self._version = 0
        self._bytes = 0
        self._draining = False
        self._entered = False

    async def __aenter__(self) -> LocalEngine:
        """
        :raises tunnelui.errors.ConfigError: the file of routes does not parse; the message names every place.
        """
        allow_descriptors(2 * self.max_connections + _RESERVED_DESCRIPTORS)
        routes = (*self._given, *await self._tunnels.load())
        if self._ports is not None:
            await anyio.to_thread.run_sync(self._ports.load)
        self.group = anyio.create_task_group()
        await self.group.__aenter__()
        self._entered = True
        self._identities = Identities(
            self._store,
            self.contexts,
            self.group,
            publish=self.publish,
            changed=self._change,
            signed_in=self._signed_in,
            service_account=self._service_account,
            interactive=self._interactive,
            announce=self._announce,
        )
        self.group.start_soon(self.vigil.run)
        self._tunnels.begin(routes)
        if self._autostart:
            for tunnel in self._tunnels:
                if tunnel.route.autostart:
                    self.group.start_soon(tunnel.start)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            with anyio.CancelScope(shield=True):
                async with self.jobs:
                    await self.aclose()
        finally:
            self.group.cancel_scope.cancel()
            self._entered = False
            # Without the exception: the task group would wrap it in an exception group.
            await self.group.__aexit__(None, None, None)

    # The interface.

    def snapshot(self) -> EngineSnapshot:
        tunnels = self._tunnels.snapshot()
        if tunnels is not self._told:
            self._told = tunnels
            total = sum(tunnel.bytes_in + tunnel.bytes_out for tunnel in tunnels)
            if total != self._bytes:
                self._bytes = total
                self._version += 1
        identities = self._identities.snapshot() if self._entered else ()
        notes = (*self._notes, *self._identities.notes()) if self._entered else self._notes
        forwarding = self._forwarding.snapshot()
        return EngineSnapshot(self._version, tunnels, identities, self._profiles, notes, forwarding)

    def events(self, wanted: Callable[[Event], bool] | None = None) -> EventReader:
        return self._hub.subscribe(wanted)

    async def history(self, route: str = "") -> tuple[Event, ...]:
        return self._history.of(route)

    async def start(self, name: str, *, any_port: bool = False) -> None:
        await self._tunnels.get(name).start(any_port=any_port)

    async def stop(self, name: str, grace: float = 0.0) -> None:
        """See `Engine.stop`; open connections may go on for *grace* seconds. A second call cuts them at once."""
        await self._tunnels.get(name).stop(grace)

    async def restart(self, name: str) -> None:
        await self._tunnels.get(name).restart()

    async def probe(self, name: str) -> StageTimings:
        return await probe(self.connector(self._tunnels.get(name).route, retries=NO_RETRIES))

    async def close_connection(self, name: str, connection: int) -> None:
        await self._tunnels.get(name).close_connection(connection)

    async def start_proxy(self, listen: str) -> None:
        await self._forwarding.start(listen)

    async def stop_proxy(self) -> None:
        await self._forwarding.stop()

    def diagnose(self, name: str) -> AsyncGenerator[Finding, None]:
        from tunnelui.engine.diagnosis import diagnose_as  # here: the start waits for no import that it does not need

        route = self._tunnels.get(name).route
        profile, destination = self._settings.profile(route.profile), self.destination(route)
        who = self._identities.get(profile, destination.proxy)
        deadlines = self._deadlines.with_each(route.connect_timeout)
        return diagnose_as(profile, destination, who, self.contexts, resolve=self._resolve_anew, deadlines=deadlines)

    async def add_route(self, route: Route) -> None:
        await self._tunnels.change(lambda: [RouteChange(None, route)])

    async def update_route(self, name: str, route: Route) -> None:
        await self._tunnels.change(lambda: [RouteChange(self._tunnels.get(name).route, route)])

    async def remove_route(self, name: str) -> None:
        await self._tunnels.change(lambda: [RouteChange(self._tunnels.get(name).route, None)])

    async def change_routes(self, changes: Sequence[RouteChange]) -> None:
        await self._tunnels.change(lambda: changes)

    async def aclose(self) -> None:
        """Cut everything and end the event streams. ``async with`` does this too."""
        await self._stop_all(0.0)
        self._warm.clear()
        await self._save_ports()
        self._hub.close()

    # Beyond the interface.

    async def drain(self, grace: float) -> None:
        """Stop listening, and return when all is over: within *grace* seconds, or cut then, or by a second call."""
        await self._stop_all(0.0 if self._draining else grace)

    async def reload(self, *, at_rest: bool = False) -> None:
        """Take a changed file of routes over (*at_rest*: if two calls find the same). The rest goes on undisturbed.

        :raises tunnelui.errors.ConfigError: the file does not parse; everything stays as it is.
        """
        await self._tunnels.reload(at_rest=at_rest)

    # What tunnels need (`tunnelui.engine.host.Host`).

    def destination(self, route: Route) -> Destination:
        return resolve_destination(route, self._settings.profile(route.profile))

    def connector(self, route: Route, *, retries: RetryRule | None = None) -> Connector:
        profile = self._settings.profile(route.profile)
        destination = resolve_destination(route, profile)
        return Connector(
            destination,
            self._identities.get(profile, destination.proxy),
            lambda: self.contexts.get(profile),
            route=route.name,
            deadlines=self._deadlines.with_each(route.connect_timeout),
            retries=retries or self._retries,
            resolve=self._resolve,
            warm=self._warm.get(profile, destination.proxy),
        )

    def next_id(self) -> int:
        return next(self._ids)

    def port_of(self, route: str) -> int:
        return self._ports.port_of(route) if self._ports else 0

    def got_port(self, route: str, port: int) -> None:
        if self._ports is not None:
            self._ports.remember(route, port)
            if self._ports.unsaved:
                self.group.start_soon(self._save_ports)

    def publish(self, event: Event) -> None:
        self._version += 1
        self._history.add(event)
        self._hub.publish(event)

    # Inside.

    def _change(self) -> None:
        self._version += 1

    def _make(self, route: Route) -> Tunnel:
        tunnel = Tunnel(route, self, port_backoff=self._port_backoff)
        who = route.profile, tunnel.proxy
        if self._look_up and (tunnel.proxy is None or who not in self._looked_up):
            self._looked_up.add(who)
            self.group.start_soon(self._look_up_identity, route)
        return tunnel

    async def _look_up_identity(self, route: Route) -> None:
        """Ask the store who has this route's profile and proxy, or say what is wrong with the route."""
        try:
            await self._identities.get(self._settings.profile(route.profile), self.destination(route).proxy).current()
        except TunnelError as error:
            self.publish(trouble(error, route.name))

    def _signed_in(self, key: TokenKey) -> None:
        for tunnel in self._tunnels:
            if tunnel.route.profile == key.profile and tunnel.proxy == key.proxy:
                tunnel.signed_in()

    def _on_wake(self, lost: float) -> None:
        self._warm.clear()
        self.publish(woke(lost))

    def _credentials(self, profile: str, proxy: str) -> Credentials:
        return self._identities.get(self._settings.profile(profile), parse_proxy_url(proxy))

    async def _save_ports(self) -> None:
        if self._ports is not None and self._ports.unsaved:
            await anyio.to_thread.run_sync(self._ports.save)

    async def _stop_all(self, grace: float) -> None:
        self._draining = True
        try:
            async with anyio.create_task_group() as group:
                for tunnel in self._tunnels:
                    group.start_soon(tunnel.stop, grace)
                group.start_soon(self._forwarding.stop, grace)
        finally:
            self._draining = False
