"""The top line: the product, the profile, who is signed in and for how long, how many tunnels are up, how fast."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tunnelui.engine.model import IdentityStatus, State
from tunnelui.tui.facts import identity_words
from tunnelui.tui.format import duration, rate_long, rate_short
from tunnelui.tui.widgets.line_view import LineView
from tunnelui.tui.words import cut, line, literal, safe

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.content import Content

    from tunnelui.engine.model import IdentitySnapshot, TunnelSnapshot
    from tunnelui.tui.glyphs import Glyphs
    from tunnelui.tui.view import View

__all__ = ["StatusBar"]

_TROUBLE = (State.AUTH, State.RETRY, State.DENIED, State.PORT_BUSY, State.ERROR)
_SOON = 600.0
"""An expiry this near, in seconds, is coloured."""
_WIDE = 100

Part = tuple[str, str]


class StatusBar(LineView):
    """One line; parts on the right give way when it gets narrow: the rates first, then the totals."""

    def __init__(self, glyphs: Glyphs, key_name: Callable[[str], str], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.glyphs = glyphs
        self._key_name = key_name
        self._shown: tuple[View, TunnelSnapshot | None] | None = None

    def show_view(self, view: View, tunnel: TunnelSnapshot | None) -> None:
        """Show *view*; the identity is the one of *tunnel*, the selected row, where there is one."""
        self._shown = (view, tunnel)
        if self.size.width:
            self.show(self._line(view, tunnel, self.size.width))

    def on_resize(self) -> None:
        if self._shown:
            self.show_view(*self._shown)

    def _line(self, view: View, tunnel: TunnelSnapshot | None, width: int) -> Content:
        identity = _identity(view, tunnel)
        profile = tunnel.route.profile if tunnel else identity.profile if identity else "default"
        left: list[Part] = [(" tunnelui", "bold $brand"), ("  ", ""), (cut(safe(profile), 20), "$ink")]
        who, left_over = self._who(identity, view.now, width)
        rates = self._rates(view, width) if view.snapshot.tunnels else []
        groups = [[*who, *left_over], self._totals(view, width), rates]
        groups = [group for group in groups if group]
        used = line(*left).cell_length + 2
        while len(groups) > 1 and used + self._joined(groups).cell_length > width:
            groups.pop()
        right = self._joined(groups)
        if used + right.cell_length > width:
            right = right.truncate(max(0, width - used), ellipsis=True)
        return line(*left) + literal(" " * max(1, width - used + 2 - right.cell_length), limit=1000) + right

    def _joined(self, groups: list[list[Part]]) -> Content:
        parts: list[Part] = []
        for index, group in enumerate(groups):
            if index:
                parts.append((f" {self.glyphs.separator} ", "$rule"))
            parts += group
        return line(*parts, (" ", ""))

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
        states = [tunnel.state for tunnel in view.snapshot.tunnels]
        if not states:
            return [("0 routes", "$muted")]
        up = sum(state in (State.READY, State.LIVE) for state in states)
        bad = sum(state in _TROUBLE for state in states)
        gap = "  " if width >= _WIDE else " "
        parts = [(f"{up} up", "$ink" if up else "$muted")]
        if bad:
            parts += [(gap, ""), (f"{bad} {self.glyphs.state(State.PORT_BUSY)}", "$trouble")]
        off = len(states) - up - bad
        if off and (width >= _WIDE or not bad):
            parts += [(gap, ""), (f"{off} off", "$muted")]
        return parts

    def _rates(self, view: View, width: int) -> list[Part]:
        down, up = view.rates.down.rate, view.rates.up.rate
        wide = width >= _WIDE
        words, space = (rate_long, " ") if wide else (rate_short, "")
        return [
            (f"{self.glyphs.down}{space}{words(down)}", "$live" if down else "$muted"),
            ("  " if wide else " ", ""),
            (f"{self.glyphs.up}{space}{words(up)}", "$live" if up else "$muted"),
        ]


def _identity(view: View, tunnel: TunnelSnapshot | None) -> IdentitySnapshot | None:
    """The identity of the selected row; without one, whoever is signing in, or the first there is."""
    if tunnel is not None:
        return view.identity(tunnel)
    identities = view.snapshot.identities
    return next((one for one in identities if one.sign_in), identities[0] if identities else None)
