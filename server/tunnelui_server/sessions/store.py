"""The interface of a session store; `tunnelui_server.sessions.opening` makes one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tunnelui.errors import TunnelError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tunnelui_server.sessions.model import Session

__all__ = ["SessionStore", "StoreError"]


class StoreError(TunnelError):
    """The store can't be read or written just now. A CONNECT that meets this gets a 503, never a login."""

    default_code = "store"


class SessionStore(Protocol):
    """Where sessions live. Every method raises `StoreError` when the store does not work."""

    async def create(self, session: Session) -> None:
        """Keep *session*. An id that is already there is an error: ids are never used twice."""
        ...

    async def get(self, session_id: str) -> Session | None:
        """The session; None when it is unknown, revoked, expired, or its row was not written by this deployment."""
        ...

    async def revoke(self, session_id: str) -> bool:
        """End a session. False when there was none."""
        ...

    async def list(self) -> Sequence[Session]:
        """Every live session, the oldest first."""
        ...

    async def claim(self, key: str, until: float, value: str = "") -> bool:
        """True for the first caller with *key* on any process before *until* (Unix seconds), False for every later one.
        This is what makes a login state or code good for one use. *value* is kept for `claimed`."""
        ...

    async def claimed(self, key: str) -> str | None:
        """The value that the first `claim` of *key* left, until its time is over; None when nobody has claimed it."""
        ...

    def watch(self) -> AsyncIterator[None]:
        """Tick soon after anybody, on any process, created or revoked a session; several changes may share a tick.

        The first tick comes at once, so that nothing that changed before the watching began is missed. A session that
        merely reaches its ``expires_at`` gives no tick. A store that does not answer raises `StoreError` in the
        iterator; the caller decides how long to bear that, then iterates anew."""
        ...

    async def aclose(self) -> None:
        """Let go of files. The store is of no use afterwards."""
        ...
