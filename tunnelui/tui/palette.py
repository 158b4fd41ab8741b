"""What the command palette offers, one a row: the keys of the screen, the themes, and every route."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, cast

from textual.app import SystemCommand
from textual.command import DiscoveryHit, Hit, Provider
from textual.content import Content

from tunnelui.engine.model import State
from tunnelui.tui.keys.bindings import GROUPS
from tunnelui.tui.lines.words import line, pad, safe
from tunnelui.tui.screens.routes import RoutesScreen
from tunnelui.tui.style.theme import THEMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from textual.binding import ActiveBinding, Binding
    from textual.command import Hits
    from textual.screen import Screen

    from tunnelui.engine.model import TunnelSnapshot
    from tunnelui.tui.host import Host

__all__ = ["RouteCommands", "ScreenCommands", "commands_of"]

_OBVIOUS: Final = frozenset({"move", "filter", "choice"})
"""Groups of keys that make no sense as a command."""
_NAME: Final = 32
_GROUP: Final = 16
_KEY: Final = ", key "


def commands_of(host: Host, screen: Screen[object]) -> Iterator[SystemCommand]:
    """Yield every key of *screen* that is offered now, in the order of the help, and the themes."""
    offered: dict[str, ActiveBinding] = {}
    for active in screen.active_bindings.values():
        group, point, _ = (active.binding.id or "").partition(".")
        if point and group not in _OBVIOUS:
            offered.setdefault(active.binding.id or "", active)
    names = _names([active.binding for active in offered.values()])
    order = list(GROUPS)
    for id, active in sorted(offered.items(), key=lambda item: order.index(item[0].partition(".")[0])):
        group = id.partition(".")[0]
        yield SystemCommand(
            names[id][:1].upper() + names[id][1:],
            f"{GROUPS[group].capitalize()}{_KEY}{host.get_key_display(active.binding)}",
            partial(host.run_action, active.binding.action, active.node),
        )
    yield SystemCommand("Theme", f"{len(THEMES)} to choose from", host.action_choose_theme)


def _row(name: Content, help: str) -> Content:
    """A name, where it belongs, and its key, each in a column; nothing is read as markup."""
    group, _, key = help.partition(_KEY)
    # No colours: the row under the cursor has another ground.
    room = pad("", _NAME - name.cell_length) + " "
    return Content.assemble(name, line((room + pad(group, _GROUP), "not bold"), key))


def _names(bindings: Sequence[Binding]) -> dict[str, str]:
    """Return a name of its own for each id, also where the help puts several keys on one line (``delete, undo``)."""
    shared: dict[str, list[Binding]] = {}
    for binding in bindings:
        shared.setdefault(binding.tooltip or binding.description, []).append(binding)
    names: dict[str, str] = {}
    for words, same in shared.items():
        parts = words.split(", ")
        parts = parts if len(parts) == len(same) > 1 else [words] * len(same)
        own = [one.description if one.description != words else part for one, part in zip(same, parts, strict=True)]
        if len(same) == 1:
            own = [words]
        elif len(set(own)) < len(own):
            own = [f"{words}: {(one.id or '').partition('.')[2].replace('_', ' ')}" for one in same]
        names |= {one.id or "": name for one, name in zip(same, own, strict=True)}
    return names


class ScreenCommands(Provider):
    """The keys of the screen."""

    async def discover(self) -> Hits:
        for title, help, act, _ in self.app.get_system_commands(self.screen):
            yield DiscoveryHit(_row(Content(title), help), act, text=title)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for title, help, act, _ in self.app.get_system_commands(self.screen):
            if score := matcher.match(title):
                yield Hit(score, _row(matcher.highlight(title), help), act, text=title)


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
                    yield Hit(score, _row(Content(words), f"Route, {tunnel.state.value}"), act, text=words)

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
