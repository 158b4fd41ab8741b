"""One process at a time in a folder: for files that are read, changed and written back by commands that run at once."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Final

from tunnelui.system import lock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["folder_lock"]

_LONGEST: Final = 10.0
_PAUSE: Final = 0.01


@contextlib.contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold the lock of *folder* in the block. Waits for it for 10 s; blocks.

    The kernel takes it back from a process that dies. Where there is none to be had (no such folder, a file system
    without locks, Windows, a holder that was stopped), the block runs all the same: whoever writes still has to look at
    what is there.
    """
    descriptor = -1
    try:
        with contextlib.suppress(OSError):
            descriptor = _take(folder)
        yield
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _take(folder: Path) -> int:
    # The folder itself, so that no further file lies there; reading it is enough.
    descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    try:
        deadline = time.monotonic() + _LONGEST
        while not lock(descriptor):
            if time.monotonic() > deadline:
                raise TimeoutError
            time.sleep(_PAUSE)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
