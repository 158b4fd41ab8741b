"""What the command palette offers: the keys of the screen, the themes, and every route."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, cast

from textual.app import SystemCommand
from textual.command import Hit, Provider
from textual.content import Content

from tunnelui.engine.model import State
from tunnelui.tui.bindings import GROUPS
from tunnelui.tui.screens.routes import RoutesScreen
from tunnelui.tui.theme import THEMES
from tunnelui.tui.words import safe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textual.command import Hits
    from textual.screen import Screen

    from tunnelui.engine.model import TunnelSnapshot
    from tunnelui.tui.host import Host

__all__ = ["RouteCommands", "commands_of"]

_OBVIOUS: Final = frozenset({"move", "filter", "choice"})
"""Groups of keys that make no sense as a command."""


def commands_of(host: Host, screen: Screen[object]) -> Iterator[SystemCommand]:
    """Yield every key of *screen* that is offered now, and the themes."""
    seen = set()
    for active in screen.active_bindings.values():
        binding = active.binding
        group, point, _ = (binding.id or "").partition(".")
        if point and group not in _OBVIOUS and binding.id not in seen:
            seen.add(binding.id)
            words = binding.tooltip or binding.description
            yield SystemCommand(
                words[:1].upper() + words[1:],
                f"{GROUPS.get(group, group).capitalize()}, key {host.get_key_display(binding)}",
                partial(host.run_action, binding.action, active.node),
            )
    yield SystemCommand("Theme", f"Choose one and see it at once: {', '.join(THEMES)}", host.action_choose_theme)


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
