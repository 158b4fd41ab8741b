"""Whose turn it is to open a browser: of all processes that need the same sign-in at once, one."""

from __future__ import annotations

import contextlib
import hashlib
import os
from typing import TYPE_CHECKING

from tunnelui.system import NO_FOLLOW, lock

if TYPE_CHECKING:
    from pathlib import Path

    from tunnelui.auth.token_store import TokenKey

__all__ = ["Turn"]


class Turn:
    """The right to open a browser for the sign-in of *key*, until `release` or the end of this process.

    :param folder: where all processes of this user look.
    """

    def __init__(self, folder: Path, key: TokenKey) -> None:
        digest = hashlib.sha256(f"{key.profile}\0{key.proxy}".encode()).hexdigest()[:16]
        self._path = folder / f"sign-in-{digest}.lock"
        self._descriptor = -1

    def take(self) -> bool:
        """Whether it is ours now, at once; also where there is no way to know."""
        if self._descriptor >= 0:
            return True
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | NO_FOLLOW, 0o600)
        except OSError:
            return True
        try:
            if lock(descriptor):
                self._descriptor = descriptor
                return True
        except OSError:  # a file system without locks
            os.close(descriptor)
            return True
        os.close(descriptor)
        return False

    def release(self) -> None:
        """Let another process have it."""
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = -1
