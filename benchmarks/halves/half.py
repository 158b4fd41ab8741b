"""What a started half looks like from outside."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Half", "Missing", "Onward", "program"]

_PLACES: Final = "/usr/sbin:/sbin:/usr/local/sbin"


class Missing(Exception):
    """A peer's program is not installed; the text names it."""


@dataclass(frozen=True, slots=True)
class Half:
    """A running half: the port that it listens on and the process that it began as."""

    port: int
    pid: int


@dataclass(frozen=True, slots=True)
class Onward:
    """Where a client half goes on to: a proxy on ``localhost`` and the destination to ask it for."""

    port: int
    authority: str


def program(name: str | Path) -> str:
    """Return the path of a program.

    :raises Missing: there is none.
    """
    found = shutil.which(name) or shutil.which(name, path=_PLACES)
    if found is None:
        raise Missing(f"{name} is not installed (benchmarks/peers.sh)")
    return found
