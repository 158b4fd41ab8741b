"""What can be done with a route, from whichever screen: ask where it is needed, hand it to the engine, tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunnelui.config.route import DEFAULT_PROFILE
from tunnelui.engine.model import State
from tunnelui.errors import TunnelError
from tunnelui.tui.rows import local_of
from tunnelui.tui.screens.detail import DetailScreen
from tunnelui.tui.screens.log import LogScreen
from tunnelui.tui.screens.question import Question
from tunnelui.tui.screens.route_form import RouteForm
from tunnelui.tui.screens.routes import RoutesScreen
from tunnelui.tui.screens.sign_in import SignInScreen
from tunnelui.tui.words import safe

if TYPE_CHECKING:
    from tunnelui.config.route import Route
    from tunnelui.engine.model import TunnelSnapshot
    from tunnelui.tui.host import Host

__all__ = ["Verbs"]


class Verbs:
    """The verbs of the routes. A verb without a route says so."""

    def __init__(self, app: Host) -> None:
        self._app = app
        self._removed: list[tuple[Route, bool]] = []

    async def copy_local(self, tunnel: TunnelSnapshot | None) -> None:
        if tunnel is None:
            self._app.say("No route is selected.", "warning")
        elif local := local_of(tunnel):
            await self._app.copy(local, "the local address")
        else:
            self._app.say("It has no local address yet: any free port is taken when it starts.", "warning")

    def toggle(self, tunnel: TunnelSnapshot | None) -> None:
        """Start the tunnel, or stop it."""
        if tunnel is None:
            self._app.say("No route is selected.", "warning")
        elif tunnel.state is State.OFF:
            self._app.carry_out(self._app.engine.start(tunnel.route.name))
        else:
            cut = f", {tunnel.live} cut" if tunnel.live else ""
            done = f"Stopped {safe(tunnel.route.name, 64)}{cut}." if cut else ""
            self._app.carry_out(self._app.engine.stop(tunnel.route.name), done)

    def restart(self, tunnel: TunnelSnapshot | None) -> None:
        if tunnel is None:
            self._app.say("No route is selected.", "warning")
        else:
            self._app.carry_out(self._app.engine.restart(tunnel.route.name))

    def show_detail(self, tunnel: TunnelSnapshot) -> None:
        self._app.push_screen(DetailScreen(tunnel.route.name))

    def show_log(self, route: str) -> None:
        self._app.push_screen(LogScreen(route))

    def add(self, beside: TunnelSnapshot | None) -> None:
        """Show an empty form; the new route starts with the profile of the one *beside* it."""
        profile = beside.route.profile if beside else DEFAULT_PROFILE
        self._app.push_screen(RouteForm(profile=profile), self._saved)

    def edit(self, tunnel: TunnelSnapshot | None) -> None:
        if tunnel is None:
            self._app.say("No route is selected.", "warning")
        else:
            self._app.push_screen(RouteForm(tunnel.route), self._saved)

    def renamed(self, old: str, new: str) -> None:
        """Tell the screens about the route *old* that it is called *new* now."""
        for screen in self._app.screen_stack:
            if isinstance(screen, DetailScreen):
                screen.follow(old, new)

    def _saved(self, name: str | None) -> None:
        if name is None:
            return
        for screen in self._app.screen_stack:
            if isinstance(screen, RoutesScreen):
                screen.select(name)

    def delete(self, tunnel: TunnelSnapshot | None) -> None:
        """Ask, then remove the route; `undo` brings it back."""
        if tunnel is None:
            self._app.say("No route is selected.", "warning")
            return
        route, was_on = tunnel.route, tunnel.state is not State.OFF

        async def remove() -> None:
            await self._app.engine.remove_route(route.name)
            self._removed.append((route, was_on))

        def answered(yes: bool | None) -> None:
            if yes:
                self._app.carry_out(
                    remove(), f"Deleted {safe(route.name, 64)}. {self._app.key_name('route.undo')} brings it back."
                )

        text = f"{self._app.key_name('route.undo')} brings the route back until you quit."
        if tunnel.live:
            count = "1 open connection is" if tunnel.live == 1 else f"{tunnel.live} open connections are"
            text = f"{count} cut. {text}"
        title = f"Delete the route {safe(route.name, 64)}?"
        self._app.push_screen(Question(title, text, yes="Delete", no="Keep"), answered)

    def undo(self) -> None:
        """Bring the route back that was deleted last, and start it if it was on."""
        if not self._removed:
            self._app.say("Nothing to undo.", "warning")
            return
        route, was_on = self._removed.pop()

        async def restore() -> None:
            try:
                await self._app.engine.add_route(route)
            except TunnelError:
                self._removed.append((route, was_on))
                raise
            if was_on:
                await self._app.engine.start(route.name)

        self._app.carry_out(restore(), f"{safe(route.name, 64)} is back.")

    def sign_in(self, tunnel: TunnelSnapshot | None) -> None:
        """Show the sign-in of the tunnel's profile, and begin one if none is under way."""
        identities = self._app.view.snapshot.identities
        if tunnel is not None:
            profile, proxy = tunnel.route.profile, tunnel.proxy
        elif identities:
            profile, proxy = identities[0].profile, identities[0].proxy
        else:
            self._app.say("Add a route first: it tells which proxy to sign in to.", "warning")
            return
        if not proxy:
            self._app.say("The destination does not parse, so there is no proxy to sign in to.", "warning")
            return
        self._app.carry_out(self._app.engine.sign_in(profile, proxy))
        self._app.push_screen(SignInScreen(profile, proxy))
