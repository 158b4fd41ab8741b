"""Writing what is on the screen to a file that somebody named."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from tunnelui.errors import LocalError

__all__ = ["save_private"]


def save_private(name: str, text: str) -> Path:
    """Write *text* to a new file, mode 0600; ``~`` is the home folder. Blocks; not for the event loop.

    :raises tunnelui.errors.LocalError: it can't be written, in words; nothing is left behind, and what was there before
        is as it was.
    """
    path = Path(os.path.expanduser(name.strip()))  # noqa: PTH111  (Path raises where there is no such user)
    if not name.strip():
        raise LocalError("a file needs a name", code="not_saved")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    try:
        descriptor = os.open(path, flags, 0o600)
    except (OSError, ValueError) as error:
        raise LocalError(_words(path, error), code="not_saved") from None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError as error:
        with contextlib.suppress(OSError):
            path.unlink()
        raise LocalError(_words(path, error), code="not_saved") from None
    return path


def _words(path: Path, error: OSError | ValueError) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EEXIST:
        return f"{path} is there already; choose another name"
    if number in (errno.ENOENT, errno.ENOTDIR):
        return f"there is no folder {path.parent}"
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"you may not write in {path.parent}"
    if number == errno.ENOSPC:
        return f"there is no space left for {path}"
    return f"{path} can't be written: {getattr(error, 'strerror', None) or error}"
