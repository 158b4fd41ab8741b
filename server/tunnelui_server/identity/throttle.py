"""Slowing down who guesses passwords or codes, or asks for many of them, in bounded memory."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tunnelui_server.customer import customer_of

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["AttemptThrottle"]

_MAX_ENTRIES: Final = 10_000


@dataclass(slots=True)
class _Bucket:
    tokens: float
    updated: float


class AttemptThrottle:
    """Two token buckets for each attempt: one of the pair user and address, one of the address alone.

    The first stops guessing one person's password, the second trying many people from one place. There is no bucket of
    the user alone, because with it anybody could lock anybody out. An IPv6 client is its /64, as one machine has all of
    it. A success gives the pair's tokens back. Only the entries used last are kept.
    """

    def __init__(
        self,
        *,
        per_pair: int = 5,
        pair_interval: float = 15.0,
        per_address: int = 50,
        address_interval: float = 3.0,
        max_entries: int = _MAX_ENTRIES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pair = (float(per_pair), pair_interval)
        self._address = (float(per_address), address_interval)
        self._max_entries = max_entries
        self._clock = clock
        self._buckets: OrderedDict[tuple[str, ...], _Bucket] = OrderedDict()

    def take(self, user: str, address: str) -> float:
        """Count one attempt. Returns 0 when it may go on, else how many seconds to wait; then nothing was counted."""
        place = customer_of(address)
        keys = (((place,), self._address), ((place, user), self._pair))
        # The address first: who is told to wait leaves no entry, so that nobody pushes out the others' by haste.
        for key, limit in keys:
            if (wait := self._wait(key, *limit)) > 0:
                return wait
        for key, _ in keys:
            self._buckets[key].tokens -= 1
        return 0.0

    def forgive(self, user: str, address: str) -> None:
        """The attempt was right: forget the pair's earlier ones."""
        self._buckets.pop((customer_of(address), user), None)

    @property
    def size(self) -> int:
        """How many entries are kept."""
        return len(self._buckets)

    def _wait(self, key: tuple[str, ...], capacity: float, interval: float) -> float:
        now = self._clock()
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(capacity, now)
            while len(self._buckets) > self._max_entries:
                self._buckets.popitem(last=False)
        bucket.tokens = min(capacity, bucket.tokens + (now - bucket.updated) / interval)
        bucket.updated = now
        self._buckets.move_to_end(key)
        return max(0.0, (1.0 - bucket.tokens) * interval)
