"""The filter line of the route list: plain words, ``#tag``, ``:state``, ``@profile``, ``!not``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tunnelui.frozen import frozen
from tunnelui.tui.listing.arrange import TROUBLE, UP

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tunnelui.engine.model import TunnelSnapshot

__all__ = ["RouteFilter"]

_TROUBLE: Final = "trouble"
"""No state begins like it, so that a part of it is enough."""


@frozen
class RouteFilter:
    """Words that all have to fit. Case does not matter; a lone mark (``#``, ``:``, ``@``, ``!``) fits everything.

    A plain word is looked for in the name, the destination, the local address, the profile and the tags; ``#word`` at
    the start of a tag; ``:word`` at the start of the state (``:port`` is ``port busy``; ``:up`` is ready or live,
    ``:trouble`` what needs somebody); ``@word`` at the start of the profile; ``!`` before any turns it round.
    """

    text: str = ""
    hides_stopped: bool = False

    def __bool__(self) -> bool:
        return bool(self.text.strip())

    def matches(self, tunnel: TunnelSnapshot) -> bool:
        return bool(self.select((tunnel,)))

    def select(self, tunnels: Iterable[TunnelSnapshot]) -> list[TunnelSnapshot]:
        """Return those that are let through, in the same order."""
        words = self.text.casefold().split()
        if self.hides_stopped:
            tunnels = (tunnel for tunnel in tunnels if tunnel.state != "off")
        if not words:
            return list(tunnels)
        return [tunnel for tunnel in tunnels if all(_matches(word, tunnel) for word in words)]


def _matches(word: str, tunnel: TunnelSnapshot) -> bool:
    if word.startswith("!"):
        rest = word.removeprefix("!")
        return rest in ("", "#", ":", "@") or not _matches(rest, tunnel)
    route = tunnel.route
    if word.startswith("#"):
        tag = word.removeprefix("#")
        return not tag or any(own.casefold().startswith(tag) for own in route.tags)
    if word.startswith("@"):
        return route.profile.casefold().startswith(word.removeprefix("@"))
    if word.startswith(":"):
        state = word.removeprefix(":")
        if state == "up":
            return tunnel.state in UP
        if state and _TROUBLE.startswith(state):
            return tunnel.state in TROUBLE
        return tunnel.state.value.startswith(state)
    places = (route.name, route.destination, tunnel.local or route.listen, route.profile, *route.tags)
    return any(word in place.casefold() for place in places)
