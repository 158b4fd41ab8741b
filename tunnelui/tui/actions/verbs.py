"""What can be done with a route, from whichever screen: ask where it is needed, hand it to the engine, tell."""

from __future__ import annotations

import shlex
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio
from textual.app import SuspendNotSupported

from tunnelui.config.route import DEFAULT_PROFILE
from tunnelui.config.route_changes import RouteChange
from tunnelui.engine.model import ConnectionState, IdentityStatus, State
from tunnelui.tui.actions.changing import RouteChanger
from tunnelui.tui.actions.many import ManyTunnels
from tunnelui.tui.lines.connect_as import client_command, has_client, ways_to_connect
from tunnelui.tui.lines.format import bytes_long
from tunnelui.tui.lines.rows import local_of
from tunnelui.tui.lines.words import safe
from tunnelui.tui.outside.foreground import run_in_foreground
from tunnelui.tui.outside.new_terminal import new_terminal, open_new_terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tunnelui.config.route import Route
    from tunnelui.engine.model import ConnectionSnapshot, TunnelSnapshot
    from tunnelui.tui.host import Host
    from tunnelui.tui.lines.connect_as import Way

__all__ = ["Verbs"]

_STARTING: Final = 100


class Verbs:
    """The verbs of the routes. A verb without a route says so."""

    def __init__(self, app: Host) -> None:
        self._app = app
        self._changer = RouteChanger(app)
        self._many = ManyTunnels(app)

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

    def toggle_all(self, tunnels: Sequence[TunnelSnapshot]) -> None:
        """Start those that are off; where all are on, stop them."""
        off = [tunnel.route.name for tunnel in tunnels if tunnel.state is State.OFF]
        if off:
            self._many.start(off)
        else:
            self._many.stop([tunnel.route.name for tunnel in tunnels])

    def restart_all(self, tunnels: Sequence[TunnelSnapshot]) -> None:
        self._many.restart([tunnel.route.name for tunnel in tunnels])

    def stop_all(self) -> None:
        """Stop every tunnel; asks when connections are live."""
        from tunnelui.tui.screens.question import Question

        def up_now() -> list[TunnelSnapshot]:
            return [tunnel for tunnel in self._app.view.snapshot.tunnels if tunnel.state is not State.OFF]

        def stop() -> None:
            self._many.stop([tunnel.route.name for tunnel in up_now()], all_others=True)

        up = up_now()
        live = sum(tunnel.live for tunnel in up)
        if not up and not self._many.to_start:
            self._app.say("Nothing is up.", "warning")
        elif not live:
            stop()
        else:

            def answered(yes: bool | None) -> None:
                if yes:
                    stop()

            title = "Stop the tunnel?" if len(up) == 1 else f"Stop all {len(up)} tunnels?"
            text = "1 open connection is cut." if live == 1 else f"{live} open connections are cut."
            self._app.push_screen(Question(title, text, yes="Stop", no="Keep"), answered)

    def retag(self, routes: Sequence[tuple[str, Route]]) -> None:
        """Put each route, with other tags, in the place of the one that has the name beside it."""
        saved = self._app.view.snapshot.tunnel
        changes = [RouteChange(old.route, new) for name, new in routes if (old := saved(name)) and old.route != new]
        if changes:
            what = "1 route" if len(changes) == 1 else f"{len(changes)} routes"
            change = self._changer.change(changes, f"Tagged {what}.", f"The tags of {what} are as before.")
            self._app.run_worker(change, exit_on_error=False, group="requests")

    def edited(self, old: Route, new: Route) -> None:
        """Remember that *old* has become *new*, for `undo`, and tell the screens if it is called otherwise."""
        self._changer.note([RouteChange(old, new)], f"{safe(old.name, 64)} is as before.")
        self.renamed(old.name, new.name)

    def test(self, tunnel: TunnelSnapshot | None) -> None:
        """Open one tunnel of the route and close it, and show how that went."""
        from tunnelui.tui.screens.probe import Probe

        if tunnel is None:
            self._app.say("No route is selected.", "warning")
        else:
            self._app.push_screen(Probe(tunnel.route.name))

    def diagnose(self, tunnel: TunnelSnapshot | None) -> None:
        """Walk the way of one connection, and show where it ends."""
        from tunnelui.tui.screens.diagnose import DiagnoseScreen

        if tunnel is None:
            self._app.say("No route is selected.", "warning")
        else:
            self._app.push_screen(DiagnoseScreen(tunnel.route.name))

    def close_connection(self, tunnel: TunnelSnapshot | None, connection: ConnectionSnapshot | None) -> None:
        """Close one connection. What is open is lost with it and can't be brought back, so that asks."""
        from tunnelui.tui.screens.question import Question

        if tunnel is None or connection is None:
            self._app.say("No connection is selected.", "warning")
            return
        if connection.state is ConnectionState.CLOSED:
            self._app.say("That connection is over already.", "warning")
            return
        peer = safe(connection.peer, 60) or "the connection"
        request = partial(self._app.engine.close_connection, tunnel.route.name, connection.id)
        if connection.state not in (ConnectionState.OPEN, ConnectionState.HALF_CLOSED):
            self._app.carry_out(request(), f"Closed {peer}.")
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self._app.carry_out(request(), f"Closed {peer}.")

        moved = f"{bytes_long(connection.bytes_in)} in and {bytes_long(connection.bytes_out)} out so far."
        text = f"Both sides see a reset. {moved} The other connections go on."
        self._app.push_screen(Question(f"Close {peer}?", text, yes="Close", no="Keep"), answered)

    def copy_as(self, tunnel: TunnelSnapshot | None) -> None:
        """Let the person choose a spelling of the local end, and copy it."""
        from tunnelui.tui.screens.copy_as import CopyAs

        if tunnel is None:
            self._app.say("No route is selected.", "warning")
            return

        def chosen(way: Way | None) -> None:
            if way is not None:
                self._app.carry_out(self._app.copy(way.text, f"the {way.title}"))

        self._app.push_screen(CopyAs(tunnel.route.name, ways_to_connect(tunnel)), chosen)

    def open_with(self, tunnel: TunnelSnapshot | None, *, elsewhere: bool = False) -> None:
        """Start the tunnel if it is off, and run its client command on this terminal, or in a new one."""
        if tunnel is None:
            self._app.say("No route is selected.", "warning")
        else:
            self._app.carry_out(self._open(tunnel, elsewhere))

    async def _open(self, tunnel: TunnelSnapshot, elsewhere: bool) -> None:
        name = tunnel.route.name
        if not has_client(tunnel):
            key = self._app.key_name("route.edit")
            self._app.say(f"No program is known for this route: {key} edits it, and Program names one.", "warning")
            return
        if tunnel.state is State.OFF:
            await self._app.engine.start(name)
            for _ in range(_STARTING):  # an agent's news take a moment
                tunnel = self._app.engine.snapshot().tunnel(name) or tunnel
                if tunnel.local:
                    break
                await anyio.sleep(0.05)
        words = client_command(tunnel)
        if not words:
            self._app.say("It has no local port that a program could use.", "warning")
            return
        if elsewhere:
            await self._open_elsewhere(words, name)
            return
        try:
            # What is drawn now would go into the other program's screen, and nothing takes it off the queue.
            with self._app.batch_update(), self._app.suspend():
                status = await anyio.to_thread.run_sync(run_in_foreground, words, self._sign_in_note(tunnel))
        except SuspendNotSupported:
            self._app.say(f"This terminal can't be lent. Run: {safe(shlex.join(words), 200)}", "warning")
        except OSError as error:
            self._app.say(f"{safe(words[0], 60)} can't be run: {error.strerror}. Is it installed?", "error")
        else:
            ended = f" with status {status}" if status else ""
            self._app.say(f"{safe(words[0], 60)} ended{ended}.", "warning" if status else "information")
            self._app.refresh(layout=True)

    def _sign_in_note(self, tunnel: TunnelSnapshot) -> str:
        """What to know before the terminal is lent, where the program is going to wait for a sign-in."""
        identity = self._app.view.identity(tunnel)
        if identity is not None and identity.status not in (IdentityStatus.SIGNED_OUT, IdentityStatus.EXPIRED):
            return ""
        key = self._app.key_name("access.sign_in")
        return f"It waits for a sign-in in the browser. No browser? Ctrl+C comes back, then {key} shows the address."

    async def _open_elsewhere(self, words: list[str], name: str) -> None:
        found = new_terminal(words, name)
        if found is None:
            key = self._app.key_name("copy.open")
            self._app.say(
                f"No way to a new terminal: run tunnelui in tmux, or set TERMINAL. {key} runs it on this one.",
                "warning",
            )
            return
        await anyio.to_thread.run_sync(open_new_terminal, *found)
        self._app.say(f"{safe(words[0], 60)} runs in a new window.")

    def clone(self, tunnel: TunnelSnapshot | None) -> None:
        """Show a form that has everything of the route but its name and local address."""
        from tunnelui.tui.screens.route_form import RouteForm

        if tunnel is None:
            self._app.say("No route is selected.", "warning")
            return
        from tunnelui.config.route_rules import free_name

        taken = [each.route.name for each in self._app.view.snapshot.tunnels]
        copy = replace(tunnel.route, name=free_name(tunnel.route.name, taken), listen="", source="")
        self._app.push_screen(RouteForm(like=copy), self.select)

    def show_detail(self, tunnel: TunnelSnapshot) -> None:
        from tunnelui.tui.screens.detail import DetailScreen

        self._app.push_screen(DetailScreen(tunnel.route.name))

    def show_log(self, route: str) -> None:
        from tunnelui.tui.screens.log import LogScreen

        self._app.push_screen(LogScreen(route))

    def add(self, beside: TunnelSnapshot | None) -> None:
        """Show an empty form; the new route starts with the profile of the one *beside* it."""
        from tunnelui.tui.screens.route_form import RouteForm

        profile = beside.route.profile if beside else DEFAULT_PROFILE
        self._app.push_screen(RouteForm(profile=profile), self.select)

    def edit(self, tunnel: TunnelSnapshot | None) -> None:
        from tunnelui.tui.screens.route_form import RouteForm

        if tunnel is None:
            self._app.say("No route is selected.", "warning")
        else:
            self._app.push_screen(RouteForm(tunnel.route), self.select)

    def renamed(self, old: str, new: str) -> None:
        """Tell the screens about the route *old* that it is called *new* now."""
        if old == new:
            return
        from tunnelui.tui.screens.detail import DetailScreen
        from tunnelui.tui.screens.routes import RoutesScreen

        self._app.remember(self._app.memory.renamed(old, new))
        for screen in self._app.screen_stack:
            if isinstance(screen, DetailScreen):
                screen.follow(old, new)
            elif isinstance(screen, RoutesScreen):
                screen.routes.put_in_order(self._app.memory.now.how)

    def select(self, name: str | None) -> None:
        """Put the cursor of the list on the route *name*, if it is shown."""
        from tunnelui.tui.screens.routes import RoutesScreen

        if name is None:
            return
        for screen in self._app.screen_stack:
            if isinstance(screen, RoutesScreen):
                screen.select(name)

    def delete(self, tunnel: TunnelSnapshot | None) -> None:
        """Ask, then remove the route; `undo` brings it back."""
        if tunnel is None:
            self._app.say("No route is selected.", "warning")
        else:
            self._changer.delete([tunnel])

    def delete_all(self, tunnels: Sequence[TunnelSnapshot]) -> None:
        """Ask, then remove the routes; `undo` brings them back."""
        self._changer.delete(tunnels)

    async def change_routes(self, changes: Sequence[RouteChange], words: str) -> bool:
        """Make *changes*, which *words* sum up; `undo` takes them back. Says why not where that is so."""
        return await self._changer.change(changes, f"Saved: {words}.", f"Taken back: {words}.")

    def undo(self) -> None:
        """Take back what was changed last."""
        self._changer.undo()

    def discover(self, tunnel: TunnelSnapshot | None) -> None:
        """Show what the proxy of the tunnel offers, or the first proxy that is known."""
        from tunnelui.tui.screens.discover import DiscoverScreen

        pair = (tunnel.route.profile, tunnel.proxy) if tunnel and tunnel.proxy else ("", "")
        self._app.push_screen(DiscoverScreen(*pair))

    def import_routes(self) -> None:
        """Show what a file would add."""
        from tunnelui.tui.screens.import_routes import ImportScreen

        self._app.push_screen(ImportScreen())

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
        self.sign_in_at(profile, proxy)

    def sign_in_at(self, profile: str, proxy: str) -> None:
        """Show the sign-in of a profile at a proxy, and begin one if none is under way."""
        from tunnelui.tui.screens.sign_in import SignInScreen

        self._app.carry_out(self._app.engine.sign_in(profile, proxy))
        self._app.push_screen(SignInScreen(profile, proxy))

    def show_profiles(self, tunnel: TunnelSnapshot | None) -> None:
        """Show all profiles and sign-ins, beginning with that of the tunnel."""
        from tunnelui.tui.screens.profiles import ProfilesScreen
        from tunnelui.tui.screens.routes import RoutesScreen

        first = (tunnel.route.profile, tunnel.proxy) if tunnel else ("", "")

        def chosen(profile: str | None) -> None:
            if profile is None:
                return
            for screen in self._app.screen_stack:
                if isinstance(screen, RoutesScreen):
                    screen.filter_by(f"@{profile}")

        self._app.push_screen(ProfilesScreen(*first), chosen)
