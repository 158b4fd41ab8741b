"""A port of the loopback as the place to meet, where there are no Unix sockets.

Every user of the machine can reach the port. Both sides prove that they know a secret from a file in the runtime folder
before anything else is said::

    program  {"challenge": "P"}
    agent    {"challenge": "A", "proof": HMAC(secret, "agent", P, A)}
    program  {"proof": HMAC(secret, "program", P, A)}

The secret is made anew by every agent and never sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import secrets
import socket
from typing import TYPE_CHECKING, Any, Final

from tunnelui.agent.channel import Channel
from tunnelui.atomic_file import replace_file
from tunnelui.errors import LocalError, ProtocolError
from tunnelui.transport.listen import close_listeners, open_listener
from tunnelui.wire.address import TCPListen

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["LoopbackPlace"]

_FILE: Final = "agent.json"
_LOOPBACK: Final = "127.0.0.1"
_PATIENCE: Final = 5.0
"""Seconds for the other side to prove itself."""
_MOST_UNPROVEN: Final = 64
_NONCE: Final = 32
_LARGEST: Final = 4096


class LoopbackPlace:
    """A port of the loopback, and a file of mode 0600 with its number and the secret."""

    transport: Final = "tcp"

    def __init__(self, folder: Path, *, why: str = "") -> None:
        """*why* no socket is used, in words."""
        self.path = folder / _FILE
        self.address = ""
        self.why = why
        self._secret = b""
        self._unproven = 0

    def listen(self) -> Sequence[socket.socket]:
        self._secret = secrets.token_bytes(32)
        listeners = open_listener(TCPListen(_LOOPBACK, 0))
        port = listeners[0].getsockname()[1]
        value = {"port": port, "secret": self._secret.hex()}
        try:
            replace_file(self.path, json.dumps(value).encode())
        except OSError as error:
            close_listeners(listeners)
            raise LocalError(f"{self.path} can't be written: {error.strerror}", code="runtime_dir") from None
        self.address = f"{_LOOPBACK}:{port}"
        return listeners

    def close(self, listeners: Sequence[socket.socket]) -> None:
        self.sweep()
        close_listeners(listeners)

    def sweep(self) -> None:
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)

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
