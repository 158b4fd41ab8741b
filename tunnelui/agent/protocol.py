r"""What client and agent say to each other: one JSON object a line, in ASCII.

::

    client  {"hello": {"version": "0.1.0", "protocol": 2}}
    agent   {"hello": {"version": "0.1.0", "protocol": 2, "pid": 4711, "environment": "…", …}}
    client  {"id": 1, "call": "start", "with": {"name": "db"}}
    agent   {"id": 1, "done": null}           or  {"id": 1, "failed": {"kind": "ConfigError", …}}

After ``{"call": "watch"}`` the agent also sends ``{"changes": {…}}`` (`tunnelui.agent.changes`) and
``{"events": […]}`` on its own. Changes come before the answer to the request that made them, and before the events
that speak of them. Requests may overlap; answers carry their ``id``.

``diagnose`` and ``history`` are answered in parts, ``{"id": 1, "part": {…}}``, before their ``done``. The end of the
channel ends them early, and so does ``{"call": "cancel", "with": {"id": 1}}``.

The digests of the environment and of ``config.toml`` tell a program whether the agent would do as it would itself;
``variables`` has one for each variable (`tunnelui.agent.variables`), so that it can say which ones differ.

``{"call": "stdio"}`` comes with two descriptors (SCM_RIGHTS), takes the connection over, and is answered when the
tunnel over them has ended; until then the agent sends its events.

``retire`` and ``status`` are understood by every version, so that a newer program can take over from an older agent.
"""

from __future__ import annotations

import json
from typing import Any, Final

from tunnelui.errors import ProtocolError

__all__ = ["FROM_AGENT", "FROM_CLIENT", "PROTOCOL", "LineParser", "render"]

PROTOCOL: Final = 2
FROM_CLIENT: Final = 32 * 1024 * 1024
"""The longest line that an agent reads, in bytes: changes to many thousand routes."""
FROM_AGENT: Final = 256 * 1024 * 1024
"""The longest line that a client reads: a snapshot of many thousand routes with all their connections."""


def render(message: dict[str, Any]) -> bytes:
    """Return *message* as a line."""
    return json.dumps(message, ensure_ascii=True, separators=(",", ":")).encode("ascii") + b"\n"


class LineParser:
    """Bytes in, objects out. *limit* bounds a line, in bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pieces: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """Return the objects that are complete now.

        :raises ProtocolError: a line is too long, or is no JSON object.
        """
        *lines, rest = data.split(b"\n")
        found = []
        for line in lines:
            found.append(_read(b"".join([*self._pieces, line])))
            self._pieces.clear()
            self._size = 0
        if rest:
            self._pieces.append(rest)
            self._size += len(rest)
            if self._size > self._limit:
                raise ProtocolError("a line of the agent's protocol is too long")
        return found


def _read(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise ProtocolError("a line of the agent's protocol is no JSON") from None
    if not isinstance(value, dict):
        raise ProtocolError("a line of the agent's protocol is no JSON object")
    return value
