"""Where programs and their agent meet, in a runtime folder that is closed to others.

That is a Unix socket in that folder (`tunnelui.agent.unix_place`). Where the system or the file system of the folder
has none, it is a port of the loopback (`tunnelui.agent.loopback_place`): the agent falls back to it, and programs look
at both. ``TUNNELUI_AGENT_TRANSPORT`` allows one of the two alone: ``unix`` or ``tcp``.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, Protocol

from tunnelui.agent.loopback_place import LoopbackPlace
from tunnelui.agent.unix_place import UnixPlace
from tunnelui.errors import LocalError
from tunnelui.text import clean
from tunnelui.transport.unix_listener import NO_UNIX_SOCKET

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence
    from pathlib import Path

    from tunnelui.agent.channel import Channel

__all__ = ["LoopbackPlace", "MeetingPlace", "UnixPlace", "has_other_place", "meeting_place"]

_VARIABLE: Final = "TUNNELUI_AGENT_TRANSPORT"


class MeetingPlace(Protocol):
    """One of the two ways, in one folder."""

    @property
    def path(self) -> Path:
        """The file that programs look for; without it the agent can't be reached."""

    @property
    def transport(self) -> str:
        """``unix`` or ``tcp``."""

    @property
    def address(self) -> str:
        """The path of the socket, or ``127.0.0.1:PORT``; for who listens there."""

    @property
    def why(self) -> str:
        """Why it is no Unix socket, in words; empty where it is one."""

    def listen(self) -> Sequence[socket.socket]:
        """Open it for an agent, which has the lock; `close` ends it.

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
    if wanted == "tcp":
        return LoopbackPlace(folder, why=f"{_VARIABLE} says so")
    return UnixPlace(folder) if wanted else _EitherPlace(folder)


def has_other_place(folder: Path) -> bool:
    """Whether an agent is, or was, at a place in *folder* where `meeting_place` does not look here."""
    place = meeting_place(folder)
    return any(
        other.path.exists()
        for other in (UnixPlace(folder), LoopbackPlace(folder))
        if not isinstance(place, (_EitherPlace, type(other)))
    )


class _EitherPlace:
    """The socket, or a port where there can be none."""

    def __init__(self, folder: Path) -> None:
        self._unix = UnixPlace(folder)
        self._loopback = LoopbackPlace(folder)
        self._chosen: UnixPlace | LoopbackPlace = self._unix

    @property
    def path(self) -> Path:
        return self._chosen.path

    @property
    def transport(self) -> str:
        return self._chosen.transport

    @property
    def address(self) -> str:
        return self._chosen.address

    @property
    def why(self) -> str:
        return self._chosen.why

    def listen(self) -> Sequence[socket.socket]:
        try:
            listeners = self._unix.listen()
        except LocalError as error:
            if error.code != NO_UNIX_SOCKET:
                raise
            self._loopback.why, self._chosen = error.message, self._loopback
            listeners = self._loopback.listen()
            self._unix.sweep()
        else:
            self._loopback.sweep()  # what an agent that was killed has left there
        return listeners

    def close(self, listeners: Sequence[socket.socket]) -> None:
        self._chosen.close(listeners)

    async def admit(self, channel: Channel) -> None:
        await self._chosen.admit(channel)

    async def reach(self, *, limit: int) -> Channel | None:
        try:
            channel = await self._unix.reach(limit=limit)
        except LocalError as error:
            if error.code != NO_UNIX_SOCKET:
                raise
            channel = None
        return channel or await self._loopback.reach(limit=limit)
