"""Writing a private file so that a reader, a crash or a full disk never meets half of it.

Part of the ground: token files and saved routes are both written this way. ``OSError`` is left to the caller, who knows
what the file is for.
"""

from __future__ import annotations

import contextlib
import glob
import os
import time
from typing import TYPE_CHECKING, Final

from tunnelui.system import NO_FOLLOW, replace

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["make_private_folder", "replace_file"]

_ABANDONED: Final = 60.0


def make_private_folder(path: Path) -> None:
    """Make *path* and what is missing above it; a folder made here has mode 0700.

    :raises OSError: it can't be made, or something else stands in its place.
    """
    path.mkdir(parents=True, exist_ok=True, mode=0o700)


def replace_file(path: Path, data: bytes) -> None:
    """Put *data* in the place of *path*, mode 0600: write beside it, fsync, rename, fsync the folder.

    What a process that was killed in the middle of this has left beside *path* is removed.

    :raises OSError: it failed; the old file is as it was and nothing is left beside it.
    """
    beside = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_FOLLOW, 0o600)
    try:
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        replace(beside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
    _sync_folder(path.parent)
    _sweep(path)


def _sweep(path: Path) -> None:
    with contextlib.suppress(OSError):
        for left in path.parent.glob(f".{glob.escape(path.name)}.{'?' * 12}"):
            if time.time() - left.lstat().st_mtime > _ABANDONED:  # another process may be at work on a younger one
                left.unlink()


def _sync_folder(folder: Path) -> None:
    # Some file systems refuse to fsync a folder; the rename has happened either way.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
