"""How long to wait before the next try: exponential backoff with jitter, no clock and no sleep."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from tunnelui.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CONNECT_RETRIES", "NO_RETRIES", "PORT_BACKOFF", "Backoff", "RetryRule"]

_BITS: Final = 53  # of a float's fraction


def _random() -> float:
    """Return a number in [0, 1). The module ``random`` is large, and seldom is anything tried again."""
    return (int.from_bytes(os.urandom(7)) >> 3) / (1 << _BITS)


@frozen
class Backoff:
    """Delays in seconds: *first*, then times *factor* up to *ceiling*, each spread by ± *jitter* of itself.

    The jitter keeps many programs that failed in the same moment from coming back in the same moment.
    """

    first: float
    ceiling: float
    factor: float = 2.0
    jitter: float = 0.2

    def delay(self, failures: int, random: Callable[[], float] = _random) -> float:
        """Return how long to wait after *failures* failed tries in a row (1 for the first); *random* is in [0, 1)."""
        # The exponent is bounded: a port that stays busy for a month must not overflow a float.
        base = min(self.ceiling, self.first * self.factor ** min(max(failures - 1, 0), 64))
        return base * (1.0 + self.jitter * (2.0 * random() - 1.0))


@frozen
class RetryRule:
    """When one held connection is tried again: at most *retries* times, none later than *window* seconds after its
    first try began. So a refused dial is tried four times in under four seconds, and a dial that already took ten
    seconds to time out is not tried again: the local program has waited long enough.
    """

    backoff: Backoff
    retries: int
    window: float

    def delay(self, failures: int, elapsed: float, random: Callable[[], float] = _random) -> float | None:
        """Return the wait before the next try, or ``None`` to give up. *elapsed* counts from the first try's start."""
        if failures > self.retries:
            return None
        wait = self.backoff.delay(failures, random)
        return wait if elapsed + wait <= self.window else None


CONNECT_RETRIES: Final = RetryRule(Backoff(first=0.5, ceiling=2.0), retries=3, window=5.0)
NO_RETRIES: Final = RetryRule(Backoff(first=0.5, ceiling=0.5), retries=0, window=0.0)
PORT_BACKOFF: Final = Backoff(first=1.0, ceiling=30.0)
