"""``tunnelui tcp --listen -`` through the agent: ssh's ProxyCommand in a few milliseconds.

Where an agent runs that would do as this process would, it gets our standard input and output (SCM_RIGHTS), dials or
takes a warm connection, and carries the bytes; we wait and pass on what it says. The engine, the event loop and the TLS
library are not loaded here. Anything unusual on the command line, in the environment or about the agent leaves the work
to `tunnelui.cli.tcp_stdio`, before a byte was read.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import sys
from typing import TYPE_CHECKING, Any, Final

from tunnelui.errors import LocalError
from tunnelui.system import HAS_UNIX_SOCKETS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["agent_for", "simple_request"]

_FLAGS: Final = {
    "--profile": "profile",
    "--proxy-url": "proxy_url",
    "--pomerium-url": "proxy_url",
    "--listen": "listen",
}
_UNUSUAL: Final = ("TUNNELUI_JSON", "TUNNELUI_LISTEN", "TUNNELUI_GRACE", "TUNNELUI_PROFILE", "TUNNELUI_PROXY_URL")
_TOLD: Final = ("sign_in", "retry", "note")
_PATIENCE: Final = 2.0
"""Seconds for the agent to say hello: one that hangs must not hang ssh."""


def simple_request(arguments: Sequence[str]) -> dict[str, str] | None:
    """Return what ``tcp`` *arguments* ask for if that is one destination over standard input and output and nothing
    else: ``destination``, and perhaps ``profile`` and ``proxy_url``.
    """
    given: dict[str, str] = {}
    rest = iter(arguments)
    for word in rest:
        name, equals, value = word.partition("=")
        if name in _FLAGS:
            key, value = _FLAGS[name], value if equals else next(rest, "")
        elif word.startswith("-"):
            return None
        else:
            key, value = "destination", word
        if key in given or not value:
            return None
        given[key] = value
    if given.pop("listen", "") != "-" or "destination" not in given or any(map(os.environ.get, _UNUSUAL)):
        return None
    return given


def agent_for(arguments: Sequence[str]) -> Callable[[], int] | None:
    """Return what hands ``tcp`` *arguments* over to an agent; ``None`` when this process should do it alone."""
    if not HAS_UNIX_SOCKETS or not _can_be_given():
        return None
    given = simple_request(arguments)
    if given is None:
        return None
    from tunnelui.agent.runtime import check_peer, config_digest, socket_path
    from tunnelui.config.runtime_folder import open_folder

    try:
        folder = open_folder(create=False)
        if folder is None:
            return None
        path = str(socket_path(folder))
        lines = _Lines(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
    except (LocalError, OSError):
        return None
    with contextlib.suppress(LocalError, OSError, ValueError):
        lines.sock.settimeout(_PATIENCE)
        lines.sock.connect(path)
        check_peer(lines.sock)
        from tunnelui.agent.protocol import PROTOCOL
        from tunnelui.agent.variables import environment_digest

        lines.sock.sendall(b'{"hello":{}}\n')
        hello = (lines.read() or {}).get("hello") or {}
        if (hello.get("protocol"), hello.get("environment"), hello.get("config")) == (
            PROTOCOL,
            environment_digest(),
            config_digest(),
        ):
            return lambda: _hand_over(lines, given)
    lines.sock.close()
    return None


def _can_be_given() -> bool:
    """Whether standard input and output are there, and neither is a file: a slow disk would hold the agent up."""
    try:
        kinds = [os.fstat(number).st_mode for number in (0, 1)]
    except OSError:
        return False
    return sys.stdin is not None and sys.stdout is not None and not any(map(stat.S_ISREG, kinds))


class _Lines:
    """JSON lines from a blocking socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._rest = b""

    def read(self) -> dict[str, Any] | None:
        while b"\n" not in self._rest:
            data = self.sock.recv(65536)
            if not data:
                return None
            self._rest += data
        import json  # here, and in `agent_for` what speaks to an agent: mostly there is none

        line, _, self._rest = self._rest.partition(b"\n")
        value = json.loads(line)
        return value if isinstance(value, dict) else {}


def _hand_over(lines: _Lines, given: dict[str, str]) -> int:
    """Return the exit code; ends when the tunnel has ended.

    :raises TunnelError: there was no tunnel, or it broke.
    """
    from tunnelui.agent.protocol import render

    with lines.sock as sock:
        sock.settimeout(None)
        socket.send_fds(sock, [render({"id": 1, "call": "stdio", "with": given})], [0, 1])
        _let_go()
        while (message := lines.read()) is not None:
            if "failed" in message:
                from tunnelui.agent.codec import decode_error

                raise decode_error(message["failed"])
            if message.get("id") == 1:
                return 0
            for event in message.get("events", ()):
                _tell(event)
    raise LocalError("the agent has gone, and the tunnel with it", code="agent_gone", hint="Connect again.")


def _let_go() -> None:
    """Close our standard input and output: the other side sees the end when the agent closes the last of them."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)


def _tell(data: dict[str, Any]) -> None:
    if data.get("kind") not in _TOLD:
        return  # most are; what tells them is not even loaded
    from tunnelui.agent.codec import decode
    from tunnelui.cli.telling import announce, tell_stdio
    from tunnelui.engine.model import Event

    event = decode(Event, data)
    if event.kind == "sign_in":
        announce(str(event.data.get("url", "")), browser=True)
    else:
        tell_stdio(event, as_json=False)
