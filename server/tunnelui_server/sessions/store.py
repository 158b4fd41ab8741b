"""The interface of a session store, and how one is opened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from tunnelui.errors import ConfigError, TunnelError
from tunnelui.text import clean

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from tunnelui_server.sessions.model import Session

__all__ = ["STORAGE_TYPES", "SessionStore", "StoreError", "open_store", "remove_store"]

STORAGE_TYPES: Final = ("sqlite", "memory")


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

    async def claim(self, key: str, until: float) -> bool:
        """True for the first caller with *key* on any process before *until* (Unix seconds), False for every later one.
        This is what makes a login state or code good for one use."""
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


async def open_store(
    storage_type: str,
    connection_string: str | Path,
    *,
    shared_secret: bytes,
    poll_interval: float = 0.5,
    clock: Callable[[], float] | None = None,
) -> SessionStore:
    """Open a store, making it where there is none.

    :param storage_type: ``sqlite``: one file that lasts. ``memory``: sessions end with the server; as gateway and
        control plane are separate processes, it is a SQLite file too, without the cost of syncing, inside the private
        runtime folder of the server, which calls `remove_store` when it stops.
    :param connection_string: the file's path.
    :param shared_secret: rows are authenticated with a key derived from it.
    :param poll_interval: seconds between two looks for changes made by others.
    :param clock: Unix time.
    :raises ConfigError: another storage type, or a file or folder that others may read or write.
    :raises StoreError: the file can't be opened or is of another version.
    """
    if storage_type not in STORAGE_TYPES:
        raise ConfigError(
            f"“{clean(storage_type)}” is no storage type that this server knows",
            hint=f"Choose one of: {', '.join(STORAGE_TYPES)}.",
        )
    from tunnelui_server.sessions.sqlite import SQLiteStore

    return await SQLiteStore.open(
        Path(connection_string),
        shared_secret=shared_secret,
        durable=storage_type == "sqlite",
        poll_interval=poll_interval,
        clock=clock,
    )


def remove_store(path: str | Path) -> None:
    """Delete a store's files after every process has closed it."""
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
