"""Counts that caps are held against: of one process, or of all the gateway's workers together.

Workers share a file in the server's private folder. Each has a region of its own in it and writes nowhere else; a count
is the sum over the regions. So nothing has to be locked, and what a worker that crashed had counted goes with its
region. Two workers that count in the same moment may together go one beyond a cap.

A region is a table of 32-bit counters. People, routes and addresses find theirs by a keyed hash: two of them that meet
in one counter (one pair in 65,536) are counted together, and nobody who lacks the key can seek such a meeting.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import secrets
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LocalTally", "SharedTally", "Tally", "clear_region", "make_tallies"]

_SLOTS: Final = 1 << 16
_WIDTH: Final = 4
_REGION: Final = _SLOTS * _WIDTH
_HEADER: Final = mmap.PAGESIZE  # begins with the key
_KEY: Final = 16
_KEYLESS: Final = {"connections": 0, "tunnels": 1, "pages": 2}


class Tally(Protocol):
    """Numbers by kind and key; those of no key are ``""``."""

    def count(self, kind: str, key: str = "") -> int:
        """Return the number, over all workers."""

    def add(self, change: int, kind: str, key: str = "") -> None:
        """Change this worker's part of it."""


class LocalTally:
    """The counts of the only worker."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], int] = {}

    def __len__(self) -> int:
        return len(self._counts)

    def count(self, kind: str, key: str = "") -> int:
        return self._counts.get((kind, key), 0)

    def add(self, change: int, kind: str, key: str = "") -> None:
        counts, what = self._counts, (kind, key)
        number = counts.get(what, 0) + change
        if number:
            counts[what] = number
        else:
            counts.pop(what, None)


class SharedTally:
    """The counts of worker number *worker* of *workers*, from 0, in the file *path*; see `make_tallies`."""

    def __init__(self, path: Path, worker: int, workers: int) -> None:
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _HEADER + workers * _REGION)
        self._key = self._memory[:_KEY]
        numbers = memoryview(self._memory)[_HEADER:].cast("I")
        self._regions = [numbers[number * _SLOTS : (number + 1) * _SLOTS] for number in range(workers)]
        self._own = self._regions[worker]

    def count(self, kind: str, key: str = "") -> int:
        slot = self._slot(kind, key)
        return sum(region[slot] for region in self._regions)

    def add(self, change: int, kind: str, key: str = "") -> None:
        self._own[self._slot(kind, key)] += change

    def _slot(self, kind: str, key: str) -> int:
        # The lowest counters are for what has no key: those must meet nobody.
        if not key and kind in _KEYLESS:
            return _KEYLESS[kind]
        text = f"{kind} {key}".encode("utf-8", "surrogateescape")
        digest = hashlib.blake2b(text, digest_size=8, key=self._key).digest()
        return len(_KEYLESS) + int.from_bytes(digest, "big") % (_SLOTS - len(_KEYLESS))


def make_tallies(path: Path, workers: int) -> None:
    """Make the file for `SharedTally`, 256 KiB for each worker, with every count at 0."""
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secrets.token_bytes(_KEY))
        file.truncate(_HEADER + workers * _REGION)


def clear_region(path: Path, worker: int) -> None:
    """Forget what a worker had counted that is no more."""
    with path.open("r+b") as file:
        file.seek(_HEADER + worker * _REGION)
        file.write(bytes(_REGION))
