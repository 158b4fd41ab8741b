"""Where programs and their agent meet, in a runtime folder that is closed to others.

`UnixPlace` is a socket in that folder, and the kernel says who is at the other end. `LoopbackPlace` is for systems and
file systems without such sockets: a port of the loopback, which every user of the machine can reach. There both sides
prove that they know a secret from a file in the folder before anything else is said::

    program  {"challenge": "P"}
    agent    {"challenge": "A", "proof": HMAC(secret, "agent", P, A)}
    program  {"proof": HMAC(secret, "program", P, A)}

The secret is made anew by every agent and never sent. ``TUNNELUI_AGENT_TRANSPORT`` chooses: ``unix`` or ``tcp``.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import secrets
import socket
from typing import TYPE_CHECKING, Any, Final, Protocol

from tunnelui.agent.channel import Channel
from tunnelui.agent.runtime import check_peer, socket_path
from tunnelui.atomic_file import replace_file
from tunnelui.errors import LocalError, ProtocolError
from tunnelui.text import clean
from tunnelui.transport.listen import close_listeners, open_listener
from tunnelui.wire.address import TCPListen, UnixListen

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["LoopbackPlace", "MeetingPlace", "UnixPlace", "has_other_place", "meeting_place"]

_VARIABLE: Final = "TUNNELUI_AGENT_TRANSPORT"
_SOCKET: Final = "agent.sock"
_FILE: Final = "agent.json"
_LOOPBACK: Final = "127.0.0.1"
_PATIENCE: Final = 5.0
"""Seconds for the other side to prove itself."""
_MOST_UNPROVEN: Final = 64
_NONCE: Final = 32
_LARGEST: Final = 4096


class MeetingPlace(Protocol):
    """One of the two ways, in one folder."""

    @property
    def path(self) -> Path:
        """The file that programs look for; without it the agent can't be reached."""

    def listen(self) -> Sequence[socket.socket]:
        """Open it for an agent; `close` ends it.

        :raises LocalError: it can't be opened.
        """

    def close(self, listeners: Sequence[socket.socket]) -> None:
        """Free it for another agent."""

    async def admit(self, channel: Channel) -> None:
        """Find out, as the agent, who is at the other end.

        :raises LocalError: another user, or nobody who can prove otherwise.
        :raises ProtocolError: what came is no proof.
        """

    async def reach(self, *, limit: int) -> Channel | None:
        """Return a channel to the agent, or ``None`` where none listens. *limit* bounds a line, in bytes.

        :raises LocalError: somebody else's process is at the agent's place.
        """


def meeting_place(folder: Path) -> MeetingPlace:
    """Return the place in *folder*.

    :raises LocalError: the variable that chooses says something else.
    """
    wanted = os.environ.get(_VARIABLE, "")
    if wanted not in ("", "unix", "tcp"):
        words = f"{_VARIABLE}: “{clean(wanted, 40)}” is no way to an agent"
        raise LocalError(words, code="agent_transport", hint="Choose unix or tcp.")
    if wanted == "tcp" or not hasattr(socket, "AF_UNIX"):
        return LoopbackPlace(folder)
    return UnixPlace(folder)


def has_other_place(folder: Path) -> bool:
    """Whether an agent is, or was, at the place in *folder* that `meeting_place` does not choose here."""
    other = _SOCKET if isinstance(meeting_place(folder), LoopbackPlace) else _FILE
    return (folder / other).exists()


class UnixPlace:
    """A Unix socket, mode 0600."""

    def __init__(self, folder: Path) -> None:
        """
        :raises LocalError: the path is too long for a socket.
        """
        self.path = socket_path(folder)

    def listen(self) -> Sequence[socket.socket]:
        return open_listener(UnixListen(str(self.path)))

    def close(self, listeners: Sequence[socket.socket]) -> None:
        close_listeners(listeners)

    async def admit(self, channel: Channel) -> None:
        check_peer(channel.sock)

    async def reach(self, *, limit: int) -> Channel | None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.connect(str(self.path))
            check_peer(sock)
        except (FileNotFoundError, ConnectionRefusedError):
            sock.close()
            return None
        except BaseException:
            sock.close()
            raise
        return Channel(sock, limit=limit)


class LoopbackPlace:
    """A port of the loopback, and a file of mode 0600 with its number and the secret."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / _FILE
        self._secret = b""
        self._unproven = 0

    def listen(self) -> Sequence[socket.socket]:
        self._secret = secrets.token_bytes(32)
        listeners = open_listener(TCPListen(_LOOPBACK, 0))
        value = {"port": listeners[0].getsockname()[1], "secret": self._secret.hex()}
        try:
            replace_file(self.path, json.dumps(value).encode())
        except OSError as error:
            close_listeners(listeners)
            raise LocalError(f"{self.path} can't be written: {error.strerror}", code="runtime_dir") from None
        return listeners

    def close(self, listeners: Sequence[socket.socket]) -> None:
        self.path.unlink(missing_ok=True)
        close_listeners(listeners)

    async def admit(self, channel: Channel) -> None:
        if self._unproven >= _MOST_UNPROVEN:
            raise LocalError("too many programs that have proved nothing", code="agent_peer")
        self._unproven += 1
        try:
            async with asyncio.timeout(_PATIENCE):
                theirs = _nonce(await channel.receive())
                ours = secrets.token_bytes(_NONCE)
                proof = self._proof("agent", theirs, ours)
                await channel.send({"challenge": ours.hex(), "proof": proof})
                self._check("program", theirs, ours, await channel.receive())
        finally:
            self._unproven -= 1

    async def reach(self, *, limit: int) -> Channel | None:
        try:
            with self.path.open("rb") as file:
                value = json.loads(file.read(_LARGEST))
            port, self._secret = int(value["port"]), bytes.fromhex(value["secret"])
        except (OSError, ValueError, TypeError, KeyError):
            return None
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        channel = Channel(sock, limit=limit)
        try:
            async with asyncio.timeout(_PATIENCE):
                await asyncio.get_running_loop().sock_connect(sock, (_LOOPBACK, port))
                ours = secrets.token_bytes(_NONCE)
                await channel.send({"challenge": ours.hex()})
                answer = await channel.receive()
                theirs = _nonce(answer)
                self._check("agent", ours, theirs, answer)
                await channel.send({"proof": self._proof("program", ours, theirs)})
        except (OSError, ProtocolError, LocalError):
            # Nobody, or another program that has got the port of an agent that was killed.
            channel.close()
            return None
        except BaseException:
            channel.close()
            raise
        return channel

    def _proof(self, role: str, programs: bytes, agents: bytes) -> str:
        return hmac.digest(self._secret, role.encode() + b"\0" + programs + agents, "sha256").hex()

    def _check(self, role: str, programs: bytes, agents: bytes, message: dict[str, Any] | None) -> None:
        given = (message or {}).get("proof")
        # As bytes: text that is not ASCII could not be compared in constant time.
        expected = self._proof(role, programs, agents).encode()
        if not (isinstance(given, str) and hmac.compare_digest(given.encode("utf-8", "replace"), expected)):
            raise LocalError("the process at the agent's port does not know the secret", code="agent_peer")


def _nonce(message: dict[str, Any] | None) -> bytes:
    given = (message or {}).get("challenge")
    try:
        nonce = bytes.fromhex(given) if isinstance(given, str) else b""
    except ValueError:
        nonce = b""
    if len(nonce) != _NONCE:
        raise ProtocolError("no challenge")
    return nonce
