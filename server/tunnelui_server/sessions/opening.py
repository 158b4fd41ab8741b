"""Which session store the configuration asks for, opened or removed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from tunnelui.errors import ConfigError
from tunnelui.text import clean
from tunnelui_server.sessions.sqlite import SQLiteStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from tunnelui_server.sessions.store import SessionStore

__all__ = ["STORAGE_TYPES", "open_store", "remove_store"]

STORAGE_TYPES: Final = ("sqlite", "memory")


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
