"""The top line: the product, the profile, who is signed in and for how long, how many tunnels are up, how fast."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tunnelui.engine.model import IdentityStatus, State
from tunnelui.tui.lines.facts import identity_words
from tunnelui.tui.lines.format import duration, rate_long, rate_short
from tunnelui.tui.lines.graphs import bars
from tunnelui.tui.lines.key_hints import clickable
from tunnelui.tui.lines.words import cut, line, literal, pad, safe
from tunnelui.tui.listing.arrange import TROUBLE, UP
from tunnelui.tui.widgets.line_view import LineView

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from textual.content import Content

    from tunnelui.engine.model import IdentitySnapshot, TunnelSnapshot
    from tunnelui.tui.style.glyphs import Glyphs
    from tunnelui.tui.view import View

__all__ = ["StatusBar"]

_SOON = 600.0
"""An expiry this near, in seconds, is coloured."""
_WIDE = 100
_VERY_WIDE = 160
_RATE = 8
"""Cells of a rate in full words, so that nothing jumps when it changes: ``999 KB/s``."""

Part = tuple[str, str]


class StatusBar(LineView):
    """One line; parts on the right give way when it gets narrow: graphs first, then the rates, then the totals."""

    def __init__(self, glyphs: Glyphs, key_name: Callable[[str], str], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.glyphs = glyphs
        self._key_name = key_name
        self._shown: tuple[object, ...] = ()

    def show_view(self, view: View, tunnel: TunnelSnapshot | None) -> None:
        """Show *view*; the identity is the one of *tunnel*, the selected row, where there is one."""
        # Most rows have the same one, and a key that is held down goes over dozens of them in a second.
        who, profile = _identity(view, tunnel), tunnel.route.profile if tunnel else ""
        words = profile, self._key_name("access.sign_in"), self.glyphs
        if self._shown[:1] == (words,) and self._shown[1] is view and self._shown[2] is who:
            return
        self._shown = words, view, who
        self.show_for(lambda place: [self._line(view, tunnel, place.width)])

    def _line(self, view: View, tunnel: TunnelSnapshot | None, width: int) -> Content:
        identity = _identity(view, tunnel)
        profile = tunnel.route.profile if tunnel else identity.profile if identity else "default"
        left: list[Part] = [(" tunnelui", "bold $brand"), ("  ", ""), (cut(safe(profile), 20), "$ink")]
        who, left_over = self._who(identity, view.now, width)
        always = groups = [[*who, *left_over], self._totals(view, width)]
        used = line(*left).cell_length + 2
        for groups in self._arrangements(view, width, always):
            if used + self._joined(groups).cell_length <= width:
                break
        while len(groups) > 1 and used + self._joined(groups).cell_length > width:
            groups.pop()
        right = self._joined(groups)
        if used + right.cell_length > width:
            right = right.truncate(max(0, width - used), ellipsis=True)
        right = self._with_trouble(right, view)
        return line(*left) + literal(" " * max(1, width - used + 2 - right.cell_length), limit=1000) + right

    def _arrangements(self, view: View, width: int, always: list[list[Part]]) -> Iterator[list[list[Part]]]:
        """What may stand on the right, the longest first."""
        graph_widths = [0] if width < _WIDE else [7, 0] if width < _VERY_WIDE else [20, 7, 0]
        for proxy in self._proxy_mode(view):
            if not view.snapshot.tunnels:
                yield [*always, *proxy]
                continue
            for graph_width in graph_widths:
                yield [*always, *proxy, self._rates(view, width, graph_width)]

    def _proxy_mode(self, view: View) -> list[list[list[Part]]]:
        """Where proxy mode listens, in full and by its port alone; nothing while it is off."""
        mode = view.snapshot.proxy_mode
        if not mode.on:
            return [[]]
        local = safe(mode.local, 40)
        style = "$live" if mode.live else "$muted"
        return [[[(f"{self.glyphs.proxy} {words}", style)]] for words in (local, f":{local.rpartition(':')[2]}")]

    def _joined(self, groups: list[list[Part]]) -> Content:
        parts: list[Part] = []
        for index, group in enumerate(groups):
            if index:
                parts.append((f" {self.glyphs.separator} ", "$rule"))
            parts += group
        return line(*parts, (" ", ""))

    def _with_trouble(self, content: Content, view: View) -> Content:
        """Let a click on the count of routes in trouble show those alone, and another one all of them."""
        words = self._trouble_words(view)
        at = content.plain.rfind(words) if words else -1
        return content if at < 0 else clickable(content, "screen.only_trouble", at, at + len(words))

    def _trouble_words(self, view: View) -> str:
        bad = sum(view.states[state] for state in TROUBLE)
        return f"{bad} {self.glyphs.state(State.PORT_BUSY)}" if bad else ""

    def _who(self, identity: IdentitySnapshot | None, now: float, width: int) -> tuple[list[Part], list[Part]]:
        if identity is not None and identity.sign_in is not None:
            wait = duration(math.ceil(identity.sign_in.deadline_at - now))
            return [(self.glyphs.state(State.AUTH), "$auth"), (" signing in", "$auth")], [(f" {wait}", "$muted")]
        name = cut(identity_words(identity), 40 if width >= _WIDE else 24, self.glyphs.ellipsis)
        if identity is None or identity.status is IdentityStatus.SIGNED_OUT:
            return [(self.glyphs.state(State.OFF), "$off"), (f" {name}", "$muted")], []
        if identity.status is IdentityStatus.EXPIRED:
            return [(self.glyphs.state(State.AUTH), "$auth"), (f" {name}", "$ink")], [
                (" expired, ", "$auth"),
                (self._key_name("access.sign_in"), "bold $brand"),
                (" renews", "$auth"),
            ]
        expiry: list[Part] = []
        if identity.expires_at is not None:
            left = identity.expires_at - now
            expiry = [(f" {duration(left)}", "$muted")]
            if left < _SOON:
                key = self._key_name("access.sign_in")
                expiry = [(f" {duration(left)} left, ", "$auth"), (key, "bold $brand"), (" renews", "$auth")]
        return [(self.glyphs.state(State.LIVE), "$live"), (f" {name}", "$ink")], expiry

    def _totals(self, view: View, width: int) -> list[Part]:
        states = view.states
        count = states.total()
        if not count:
            return [("0 routes", "$muted")]
        up = sum(states[state] for state in UP)
        bad = sum(states[state] for state in TROUBLE)
        gap = "  " if width >= _WIDE else " "
        parts = [(f"{up} up", "$ink" if up else "$muted")]
        if bad:
            parts += [(gap, ""), (self._trouble_words(view), "$trouble")]
        off = count - up - bad
        if off and (width >= _WIDE or not bad):
            parts += [(gap, ""), (f"{off} off", "$muted")]
        return parts

    def _rates(self, view: View, width: int, graph_width: int) -> list[Part]:
        """The rate each way; with graphs, which have one scale, and that scale and the peak where it is very wide."""
        rates = view.rates
        wide = width >= _WIDE
        maximum = max([0.0, *rates.down.history, *rates.up.history])
        parts: list[Part] = []
        for sign, series in ((self.glyphs.down, rates.down), (self.glyphs.up, rates.up)):
            words = pad(rate_long(series.rate), _RATE, right=True) if wide else rate_short(series.rate)
            style = "$live" if series.rate else "$muted"
            parts += [("  " if wide else " ", "")] if parts else []
            parts.append((f"{sign}{' ' if wide else ''}{words}", style))
            if graph_width:
                picture = bars(series.history, graph_width, maximum, self.glyphs)
                parts.append((f" {picture}", "$ready" if any(series.history) else "$faint"))
        if graph_width and width >= _VERY_WIDE and rates.down.peak + rates.up.peak:
            peak = max(rates.down.peak, rates.up.peak)
            parts.append((f"  scale {rate_long(maximum)}  peak {rate_long(peak)}", "$muted"))
        return parts


def _identity(view: View, tunnel: TunnelSnapshot | None) -> IdentitySnapshot | None:
    """The identity of the selected row; without one, whoever is signing in, or the first there is."""
    if tunnel is not None:
        return view.identity(tunnel)
    identities = view.snapshot.identities
    return next((one for one in identities if one.sign_in), identities[0] if identities else None)
