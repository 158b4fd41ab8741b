"""Small facts that outlive a process: which port a route got, which routes were up. JSON files in the state folder.

They are a convenience: one that is missing, unreadable or not ours to write costs the convenience and nothing else.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, Final

from tunnelui.atomic_file import make_private_folder, replace_file

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["PortMemory", "StateFile"]

logger = logging.getLogger(__name__)

_MAX_SIZE: Final = 1024 * 1024
_MAX_PORT: Final = 65535


class StateFile:
    """One JSON object. Both calls block for as long as a small file takes, and raise nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.trouble = ""
        """Why the last `save` did not succeed; empty when it did."""

    def load(self) -> dict[str, Any]:
        """Return what was saved last; an empty dictionary where there is nothing to be had."""
        try:
            with self.path.open("rb") as file:
                value = json.loads(file.read(_MAX_SIZE))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            logger.warning("%s can't be used: %s", self.path.name, error)
            return {}
        return value if isinstance(value, dict) else {}

    def save(self, value: dict[str, Any]) -> None:
        """Replace the file; see `trouble`. The old one is kept when that fails."""
        trouble = ""
        try:
            make_private_folder(self.path.parent)
            replace_file(self.path, json.dumps(value, indent=1).encode() + b"\n")
        except OSError as error:
            trouble = f"{self.path} can't be written: {error.strerror or error}"
        if trouble != self.trouble:
            self.trouble = trouble
            if trouble:
                logger.warning("%s", trouble)


class PortMemory:
    """The local port that each route got from the system, so that it gets the same one the next time."""

    def __init__(self, path: Path) -> None:
        self._file = StateFile(path)
        self._ports: dict[str, int] = {}
        self.unsaved = False

    def load(self) -> None:
        """Read the file; blocks."""
        self._ports = {
            name: port
            for name, port in self._file.load().items()
            if isinstance(port, int) and 0 < port <= _MAX_PORT and not isinstance(port, bool)
        }

    def save(self) -> None:
        """Write the file; blocks. What another process has remembered meanwhile stays."""
        self.unsaved = False
        known = self._file.load()
        self._file.save({**known, **self._ports})

    def port_of(self, route: str) -> int:
        """Return the port, or 0."""
        return self._ports.get(route, 0)

    def remember(self, route: str, port: int) -> None:
        if self._ports.get(route) != port:
            self._ports[route] = port
            self.unsaved = True
