"""Where log records go: ``tunnelui.log`` in the state folder, made when there is something to write.

Not to standard error: the screen is drawn there, and ``--json`` and ``ssh`` have it for themselves. What people should
know, they are told in words; the log has the traceback for whoever mends it.
"""

from __future__ import annotations

import contextlib
import logging
import os
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LogFile", "log_to_file"]

_LARGEST: Final = 1024 * 1024


class LogFile(logging.Handler):
    """Appends warnings and errors to a private file. One that has grown large makes room for a new one."""

    def __init__(self, level: int = logging.WARNING) -> None:
        super().__init__(level)
        self.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
        self._stream: IO[str] | None = None

    def emit(self, record: logging.LogRecord) -> None:
        # A log that can't be written is no reason to disturb a tunnel.
        with contextlib.suppress(OSError, ValueError):
            if self._stream is None:
                self._stream = _open(_path())
            self._stream.write(f"{self.format(record)}\n")
            self._stream.flush()

    def close(self) -> None:
        if self._stream is not None:
            with contextlib.suppress(OSError):
                self._stream.close()
            self._stream = None
        super().close()


def log_to_file() -> None:
    """Send what is logged by us and by libraries to the file, and nothing to standard error."""
    logging.getLogger().addHandler(LogFile())


def _path() -> Path:
    from tunnelui.config.paths import log_file

    return log_file()


def _open(path: Path) -> IO[str]:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.suppress(OSError):
        if path.stat().st_size > _LARGEST:
            path.replace(path.with_name(f"{path.name}.1"))
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
    return os.fdopen(os.open(path, flags, 0o600), "a", encoding="utf-8", errors="backslashreplace")
