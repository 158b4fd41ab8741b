"""The `Engine`: all that screens and commands know of tunnels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence

    from tunnelui.config.discovery import Offer
    from tunnelui.config.route import Route
    from tunnelui.config.route_changes import RouteChange
    from tunnelui.engine.findings import Finding
    from tunnelui.engine.model import EngineSnapshot, Event, StageTimings
    from tunnelui.engine.programs import RunningProgram

__all__ = ["Engine"]


class Engine(Protocol):
    """Runs tunnels, here or in another process.

    Coroutines return when the request is carried out, not when its effect is complete: `start` returns once the local
    port listens or the reason why it can't is in the snapshot. They raise `tunnelui.errors.TunnelError` only for what
    the caller got wrong: `tunnelui.errors.ConfigError` for an unknown or invalid route, profile or proxy. All else
    shows in the snapshot.
    """

    def snapshot(self) -> EngineSnapshot:
        """Return the state of everything, cheaply and without waiting."""
        ...

    def events(self) -> AsyncIterator[Event]:
        """Yield what happens from now on. A reader that falls behind by 1,000 events misses the oldest of them."""
        ...

    async def history(self, route: str = "") -> tuple[Event, ...]:
        """Return what is remembered of the events so far, of one route or of all, oldest first."""
        ...

    async def start(self, name: str, *, any_port: bool = False) -> None:
        """Open the local listener of a route. No effect when it is open.

        :param any_port: on any free port of the loopback, until it is stopped, whatever address the route has.
        """
        ...

    async def stop(self, name: str) -> None:
        """Close the listener and cut the connections. No effect when it is off."""
        ...

    async def restart(self, name: str) -> None:
        """Stop and start, keeping the local port; also the way to retry at once and to forget a refusal."""
        ...

    async def probe(self, name: str) -> StageTimings:
        """Open one tunnel of a route and close it again, whether the route is started or not; return how long each
        stage took. Only this says that the far side takes connections.

        :raises tunnelui.errors.TunnelError: why there is no tunnel, whatever it is.
        """
        ...

    async def close_connection(self, name: str, connection: int) -> None:
        """Cut one connection of a route, by its number: both sides see a reset. No effect when it is over."""
        ...

    async def start_proxy(self, listen: str) -> None:
        """Turn proxy mode on at a TCP address of the loopback, ``127.0.0.1:1080``; port 0 is any free one.

        It is in the snapshot as ``proxy_mode``: a port that is taken, too, and then it is off. Already on elsewhere, it
        moves, and its connections are cut.

        :raises tunnelui.errors.ConfigError: that is no address, or not the loopback's.
        """
        ...

    async def stop_proxy(self) -> None:
        """Turn proxy mode off and cut its connections; forget why it could not be turned on. No effect when off."""
        ...

    def diagnose(self, name: str) -> AsyncGenerator[Finding, None]:
        """Walk the way of one connection of a route, and yield what each stage comes to, as it passes.

        The stages are `tunnelui.engine.findings.STAGES`. Nothing is changed by it: no sign-in begins, no token is
        forgotten. Closing the generator ends it.

        :raises tunnelui.errors.ConfigError: there is no such route, or its destination or profile is wrong.
        """
        ...

    async def offer(self, profile: str, proxy: str) -> Offer:
        """Ask a proxy which routes it offers to whoever is signed in. Nobody is asked to sign in.

        :raises tunnelui.errors.TunnelError: why there is no list: `tunnelui.errors.SignInNeeded` where nobody is signed
            in, or the token does not count any more.
        """
        ...

    async def sign_in(self, profile: str, proxy: str) -> None:
        """Begin a sign-in, or do nothing when one is under way. *proxy* is an origin, ``https://HOST:PORT``.

        :raises tunnelui.errors.AuthError: a service account is used there (code ``service_account``).
        """
        ...

    async def cancel_sign_in(self, profile: str, proxy: str) -> None:
        """End the sign-in under way; the connections that wait for it are closed."""
        ...

    async def paste(self, profile: str, proxy: str, text: str) -> None:
        """Finish a sign-in with the address that the browser ended on, or with the token itself.

        :raises tunnelui.errors.SignInFailed: the text holds no token.
        """
        ...

    async def sign_out(self, profile: str, proxy: str) -> None:
        """Forget the token. Live connections stay.

        :raises tunnelui.errors.LocalError: the token store still has it.
        """
        ...

    async def unlock(self, profile: str, password: str) -> None:
        """Take the password of a profile's client certificate, for as long as the tunnels' process lives; what could
        not start without it is started again.

        :raises tunnelui.errors.ConfigError: the password is wrong (code ``client_certificate_locked``), the profile
            has no client certificate (``no_certificate``) or has the password from its file (``password_file``).
        """
        ...

    async def add_route(self, route: Route) -> None:
        """Save a new route.

        :raises tunnelui.errors.ConfigError: the name is taken, or a field is wrong.
        """
        ...

    async def update_route(self, name: str, route: Route) -> None:
        """Replace the route *name*; a running tunnel is restarted when its addresses changed.

        :raises tunnelui.errors.ConfigError: there is no such route, the new name is taken, or a field is wrong.
        """
        ...

    async def remove_route(self, name: str) -> None:
        """Stop the tunnel and forget the route.

        :raises tunnelui.errors.ConfigError: there is no such route.
        """
        ...

    async def change_routes(self, changes: Sequence[RouteChange]) -> None:
        """Add, replace and remove routes, all of them or none. Running tunnels are treated as by the calls above.

        :raises tunnelui.errors.ConfigError: a route is not as it was before the change (code ``route_changed``), is not
            there, or a new one is wrong. Nothing was changed then.
        """
        ...

    async def programs(self) -> tuple[RunningProgram, ...]:
        """Return the commands that run tunnels of their own (``exec``, ``proxy``, ``tcp``), the oldest first.

        :raises tunnelui.errors.LocalError: the runtime folder is somebody else's.
        """
        ...

    async def stop_program(self, pid: int) -> None:
        """Ask one of them to end, by SIGTERM: ``exec`` passes it on to its program.

        :raises tunnelui.errors.ConfigError: there is none with this number (code ``no_such_program``).
        """
        ...

    async def aclose(self) -> None:
        """Release what is held. Tunnels of this process are stopped; those of an agent stay up."""
        ...
