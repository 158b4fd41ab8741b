"""What screens are given to show: the engine's snapshot with the time and the rates that belong to it."""

from __future__ import annotations

from collections import Counter
from dataclasses import field
from typing import TYPE_CHECKING

from tunnelui.engine.model import EngineSnapshot, State
from tunnelui.frozen import frozen
from tunnelui.tui.rates import Rates

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tunnelui.engine.model import IdentitySnapshot, TunnelSnapshot

__all__ = ["View"]


@frozen
class View:
    """One moment. ``now`` is Unix time; ``trouble`` is why the engine could not be asked, or empty; ``states`` counts
    the tunnels in each state, and ``people`` has the identities by profile and proxy."""

    snapshot: EngineSnapshot = field(default_factory=EngineSnapshot)
    now: float = 0.0
    rates: Rates = field(default_factory=Rates)
    trouble: str = ""
    states: Counter[State] = field(default_factory=Counter)
    people: Mapping[tuple[str, str], IdentitySnapshot] = field(default_factory=dict)

    def identity(self, tunnel: TunnelSnapshot) -> IdentitySnapshot | None:
        """Return who the tunnel's profile is at the tunnel's proxy, as far as the engine knows."""
        return self.identity_at(tunnel.route.profile, tunnel.proxy)

    def identity_at(self, profile: str, proxy: str) -> IdentitySnapshot | None:
        return self.people.get((profile, proxy))

    @property
    def counts_down(self) -> bool:
        """Whether something on the screen changes with time alone."""
        return any(each.expires_at is not None or each.sign_in is not None for each in self.snapshot.identities) or any(
            self.states[state] for state in (State.RETRY, State.PORT_BUSY, State.LIVE)
        )
