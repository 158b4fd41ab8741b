"""An `Engine` in memory: tests say what its snapshots are, and read what was asked of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import anyio

from tunnelui.config.route_changes import changed_routes
from tunnelui.engine.model import (
    ConnectionState,
    EngineSnapshot,
    Event,
    IdentitySnapshot,
    Problem,
    ProfileSnapshot,
    ProxyModeSnapshot,
    SignInSnapshot,
    StageTimings,
    State,
    TunnelSnapshot,
)
from tunnelui.errors import ConfigError, PortBusyError, SignInFailed, SignInNeeded
from tunnelui.transport.pkcs12 import WRONG_PASSWORD

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence

    from anyio.streams.memory import MemoryObjectSendStream

    from tunnelui.config.discovery import Offer
    from tunnelui.config.route import Route
    from tunnelui.config.route_changes import RouteChange
    from tunnelui.engine.findings import Finding
    from tunnelui.engine.programs import RunningProgram

__all__ = ["ScriptedEngine"]


class ScriptedEngine:
    """Does what it is asked to, in the snapshot only. ``requests`` lists the calls, ``fail_with`` fails the next."""

    def __init__(
        self,
        tunnels: Iterable[TunnelSnapshot] = (),
        identities: Iterable[IdentitySnapshot] = (),
        *,
        profiles: Iterable[ProfileSnapshot] = (),
        notes: Iterable[str] = (),
    ) -> None:
        self.state = EngineSnapshot(1, tuple(tunnels), tuple(identities), tuple(profiles), tuple(notes))
        self.requests: list[tuple[str, ...]] = []
        self.fail_with: Exception | None = None
        self.snapshot_fails: Exception | None = None
        self.good_paste = "good-token"
        self.good_password = "good-password"
        self.findings: list[Finding | anyio.Event] = []
        """What a diagnosis yields; an event is waited for."""
        self.offers: dict[tuple[str, str], Offer] = {}
        """What the proxies offer; without one somebody has to sign in."""
        self.taken: dict[str, str] = {}
        """Local addresses that are taken, and by whom."""
        self.url = (
            "https://authenticate.example.com/.pomerium/sign_in?redirect_uri=http%3A%2F%2F127.0.0.1%3A40001%2Fnonce"
        )
        self.now = 1_790_000_000.0
        self.closed = False
        self.before_probe: Callable[[], Awaitable[None]] | None = None
        """What a probe waits for."""
        self.past: list[Event] = []
        self.others: tuple[RunningProgram, ...] = ()
        self._readers: list[MemoryObjectSendStream[Event]] = []

    # What tests do.

    def set(self, *tunnels: TunnelSnapshot, identities: Iterable[IdentitySnapshot] | None = None) -> None:
        """Replace the tunnels, and the identities if given."""
        kept = self.state.identities if identities is None else tuple(identities)
        self.state = replace(self.state, version=self.state.version + 1, tunnels=tunnels, identities=kept)

    def change(self, name: str, **fields: object) -> None:
        """Change fields of one tunnel."""
        self.set(
            *(replace(one, **fields) if one.route.name == name else one for one in self.state.tunnels)  # type: ignore[arg-type]  # names are the test's
        )

    def note(self, text: str) -> None:
        self.state = replace(self.state, version=self.state.version + 1, notes=(*self.state.notes, text))

    def proxy_mode(self, mode: ProxyModeSnapshot) -> None:
        """Say what there is of proxy mode."""
        self.state = replace(self.state, version=self.state.version + 1, proxy_mode=mode)

    async def tell(self, event: Event) -> None:
        """Send *event* to everybody who reads."""
        for reader in self._readers:
            await reader.send(event)

    # The interface.

    def snapshot(self) -> EngineSnapshot:
        if self.snapshot_fails:
            raise self.snapshot_fails
        return self.state

    async def events(self) -> AsyncIterator[Event]:
        send, receive = anyio.create_memory_object_stream[Event](1000)
        self._readers.append(send)
        with send, receive:
            try:
                async for event in receive:
                    if event.kind == "break":
                        raise RuntimeError(event.message)
                    yield event
            finally:
                self._readers.remove(send)

    async def history(self, route: str = "") -> tuple[Event, ...]:
        return tuple(event for event in self.past if not route or event.route == route)

    async def programs(self) -> tuple[RunningProgram, ...]:
        return self.others

    async def stop_program(self, pid: int) -> None:
        self._asked("stop_program", str(pid))
        self.others = tuple(one for one in self.others if one.pid != pid)

    async def start(self, name: str, *, any_port: bool = False) -> None:
        self._asked("start", name)
        self.change(name, state=State.READY, local=self._tunnel(name).route.listen or "127.0.0.1:40100")

    async def stop(self, name: str) -> None:
        self._asked("stop", name)
        self.change(name, state=State.OFF, live=0, connections=())

    async def restart(self, name: str) -> None:
        self._asked("restart", name)
        self.change(name, state=State.READY, problem=None, retry_at=None)

    async def probe(self, name: str) -> StageTimings:
        self._asked("probe", name)
        if self.before_probe:
            await self.before_probe()
        return StageTimings(connect=0.01)

    async def close_connection(self, name: str, connection: int) -> None:
        self._asked("close_connection", name, str(connection))
        tunnel = self._tunnel(name)
        left = tuple(
            replace(one, state=ConnectionState.CLOSED, closed_at=self.now, cause="closed on request")
            if one.id == connection
            else one
            for one in tunnel.connections
        )
        self.change(name, connections=left, live=sum(one.state is ConnectionState.OPEN for one in left))

    async def start_proxy(self, listen: str) -> None:
        self._asked("start_proxy", listen)
        local = listen if not listen.endswith(":0") else "127.0.0.1:40555"
        mode = ProxyModeSnapshot(True, local, self.now)
        if local in self.taken:
            problem = Problem.from_error(PortBusyError(local, holder=self.taken[local]))
            mode = ProxyModeSnapshot(False, local, problem=problem)
        self.proxy_mode(mode)

    async def stop_proxy(self) -> None:
        self._asked("stop_proxy")
        self.proxy_mode(ProxyModeSnapshot(False, self.state.proxy_mode.local))

    async def diagnose(self, name: str) -> AsyncGenerator[Finding, None]:
        self._asked("diagnose", name)
        try:
            for finding in self.findings:
                if isinstance(finding, anyio.Event):
                    await finding.wait()
                else:
                    yield finding
        finally:
            self.requests.append(("diagnosed", name))

    async def offer(self, profile: str, proxy: str) -> Offer:
        self._asked("offer", profile, proxy)
        found = self.offers.get((profile, proxy))
        if found is None:
            raise SignInNeeded(f"nobody is signed in at {proxy}", hint=f"Run: tunnelui login {proxy}")
        return found

    async def change_routes(self, changes: Sequence[RouteChange]) -> None:
        self._asked("change_routes", *(f"{_name(one.old)}>{_name(one.new)}" for one in changes))
        routes = changed_routes([one.route for one in self.state.tunnels], changes)
        before = {one.route.name: one for one in self.state.tunnels}
        for one in changes:
            if one.old and one.new:
                before[one.new.name] = replace(before.pop(one.old.name), route=one.new)
        self.set(
            *(before.get(route.name) or TunnelSnapshot(route, State.OFF, target=route.destination) for route in routes)
        )

    async def sign_in(self, profile: str, proxy: str) -> None:
        self._asked("sign_in", profile, proxy)
        begun = SignInSnapshot(self.now, self.now + 300, self.url)
        self._identity(profile, proxy, lambda one: one if one.sign_in else replace(one, sign_in=begun, problem=None))

    async def cancel_sign_in(self, profile: str, proxy: str) -> None:
        self._asked("cancel_sign_in", profile, proxy)
        self._identity(profile, proxy, lambda one: replace(one, sign_in=None))

    async def paste(self, profile: str, proxy: str, text: str) -> None:
        self._asked("paste", profile, proxy, text)
        if text != self.good_paste:
            raise SignInFailed("the text holds no token", hint="Paste the whole address.")
        from tunnelui.engine.model import IdentityStatus

        self._identity(
            profile,
            proxy,
            lambda one: replace(one, sign_in=None, status=IdentityStatus.SIGNED_IN, name="alice@example.com"),
        )

    async def sign_out(self, profile: str, proxy: str) -> None:
        self._asked("sign_out", profile, proxy)

    async def unlock(self, profile: str, password: str) -> None:
        self._asked("unlock", profile, password)
        if password != self.good_password:
            raise ConfigError("the client key can't be opened: the password is wrong", code=WRONG_PASSWORD)
        for one in self.state.tunnels:
            if one.route.profile == profile and one.problem and one.problem.code == WRONG_PASSWORD:
                self.change(one.route.name, state=State.READY, problem=None)

    async def add_route(self, route: Route) -> None:
        self._asked("add_route", route.name)
        if self.state.tunnel(route.name):
            raise ConfigError(f"there is a route “{route.name}” already", place="name")
        self.set(*self.state.tunnels, TunnelSnapshot(route, State.OFF, target=route.destination))

    async def update_route(self, name: str, route: Route) -> None:
        self._asked("update_route", name, route.name)
        self.change(self._tunnel(name).route.name, route=route)

    async def remove_route(self, name: str) -> None:
        self._asked("remove_route", name)
        self._tunnel(name)
        self.set(*(one for one in self.state.tunnels if one.route.name != name))

    async def aclose(self) -> None:
        self.closed = True

    def _asked(self, *request: str) -> None:
        self.requests.append(request)
        if self.fail_with:
            error, self.fail_with = self.fail_with, None
            raise error

    def _tunnel(self, name: str) -> TunnelSnapshot:
        tunnel = self.state.tunnel(name)
        if tunnel is None:
            raise ConfigError(f"there is no route “{name}”")
        return tunnel

    def _identity(self, profile: str, proxy: str, change: object) -> None:
        assert callable(change)
        found = [one for one in self.state.identities if (one.profile, one.proxy) == (profile, proxy)]
        assert found, f"no identity {profile} {proxy}"
        identities = [change(one) if one in found else one for one in self.state.identities]
        self.set(*self.state.tunnels, identities=identities)


def _name(route: Route | None) -> str:
    return route.name if route else ""
