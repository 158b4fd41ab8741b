"""Every route in the command palette."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import Hit, Provider
from textual.content import Content

from tunnelui.engine.model import State
from tunnelui.tui.screens.routes import RoutesScreen
from tunnelui.tui.words import safe

if TYPE_CHECKING:
    from textual.command import Hits

    from tunnelui.engine.model import TunnelSnapshot
    from tunnelui.tui.host import Host

__all__ = ["RouteCommands"]


class RouteCommands(Provider):
    """Go to a route, start it, stop it. Names are drawn literally: Textual would read a plain text as markup."""

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        host = cast("Host", self.app)
        for tunnel in host.view.snapshot.tunnels:
            name = safe(tunnel.route.name, 64)
            verb = "Start" if tunnel.state is State.OFF else "Stop"
            for words, act in (
                (f"Go to {name}", partial(self._go, host, tunnel.route.name)),
                (f"{verb} {name}", partial(self._toggle, host, tunnel)),
            ):
                if score := matcher.match(words):
                    yield Hit(score, Content(words), act, text=words, help=f"Route, {tunnel.state.value}")

    @staticmethod
    def _go(host: Host, name: str) -> None:
        for screen in host.screen_stack:
            if isinstance(screen, RoutesScreen):
                screen.go_to(name)

    @staticmethod
    def _toggle(host: Host, tunnel: TunnelSnapshot) -> None:
        # The state may have changed since the palette was drawn: what it said is done.
        if tunnel.state is State.OFF:
            host.carry_out(host.engine.start(tunnel.route.name))
        else:
            host.carry_out(host.engine.stop(tunnel.route.name))
