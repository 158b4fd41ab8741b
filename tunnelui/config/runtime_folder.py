"""The folder of what lives as long as the login session: the agent's socket, what commands say of themselves."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Final

from tunnelui.config.paths import runtime_dir
from tunnelui.errors import LocalError
from tunnelui.system import is_open_to_others, is_ours

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["RUNTIME_HINT", "open_folder"]

RUNTIME_HINT: Final = "Set TUNNELUI_RUNTIME_DIR to a folder of your own that nobody else can enter."


def open_folder(*, create: bool) -> Path | None:
    """Return the runtime folder once it is sure that it is ours alone; made if *create*, else ``None`` if missing.

    :raises LocalError: it can't be made, belongs to somebody else, or is no folder (code ``runtime_dir``).
    """
    folder = runtime_dir()
    try:
        if create:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode):
            raise LocalError(f"{folder} is no folder", code="runtime_dir", hint=RUNTIME_HINT)
        if not is_ours(status):
            raise LocalError(f"{folder} belongs to another user", code="runtime_dir", hint=RUNTIME_HINT)
        if is_open_to_others(status):
            folder.chmod(0o700)
            if is_open_to_others(folder.lstat()):  # vfat and the like say yes to every mode, and keep none
                words = f"others can enter {folder}, and its file system has no modes that would keep them out"
                raise LocalError(words, code="runtime_dir", hint=RUNTIME_HINT)
    except FileNotFoundError:
        if not create:
            return None
        raise LocalError(f"{folder} can't be made", code="runtime_dir", hint=RUNTIME_HINT) from None
    except OSError as error:
        raise LocalError(f"{folder}: {error.strerror or error}", code="runtime_dir", hint=RUNTIME_HINT) from None
    return folder
