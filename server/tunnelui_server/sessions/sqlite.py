"""Sessions in one SQLite file that several processes share.

Readers never wait for the writer (WAL). Each store has two connections, one that reads and one that writes; each is
used by one worker thread at a time, so the event loop never waits for the disk. The reader notices every commit, by
this process or another, through ``PRAGMA data_version``.

Sessions that were looked up lately are kept in memory, and hold only as long as nobody has committed anything: a third
connection asks for the ``data_version`` on every look-up, in the event loop, since that reads a page of shared memory
and does not wait for locks. So a look-up that begins after a revocation sees it, whichever process made it.

Rows carry a MAC: somebody who can write the file but does not have the shared secret can delete sessions and can't make
one.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import sqlite3
import stat
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, TypeVar

import anyio
from anyio.to_thread import run_sync

from tunnelui.errors import ConfigError
from tunnelui_server.sessions.keys import derive_key
from tunnelui_server.sessions.model import Session
from tunnelui_server.sessions.store import StoreError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

__all__ = ["SQLiteStore"]

T = TypeVar("T")

_LOG = logging.getLogger(__name__)
_SCHEMA_VERSION: Final = 2
_SCHEMA: Final = (
    "CREATE TABLE sessions (id TEXT PRIMARY KEY, expires_at REAL NOT NULL, body BLOB NOT NULL, mac BLOB NOT NULL)"
    " WITHOUT ROWID",
    "CREATE INDEX sessions_expires_at ON sessions (expires_at)",
    "CREATE TABLE claims (key TEXT PRIMARY KEY, until REAL NOT NULL, value TEXT NOT NULL DEFAULT '') WITHOUT ROWID",
)
_FROM_1: Final = "ALTER TABLE claims ADD COLUMN value TEXT NOT NULL DEFAULT ''"
_BUSY_TIMEOUT: Final = 5.0
_MAX_ID: Final = 256
_KEPT: Final = 10_000  # sessions in memory, a kilobyte or two each


class SQLiteStore:
    """A `SessionStore` in one file; made by `tunnelui_server.sessions.open_store`."""

    def __init__(
        self,
        path: Path,
        *,
        shared_secret: bytes,
        durable: bool,
        poll_interval: float,
        clock: Callable[[], float],
    ) -> None:
        self._key = derive_key(shared_secret, "session-row")
        self._clock = clock
        self._poll_interval = poll_interval
        _prepare_file(path)
        try:
            self._writer = _connect(path, durable=durable)
            try:
                _migrate(self._writer, path)
                self._reader = _connect(path, durable=durable)
                try:
                    self._noticer = _connect(path, durable=durable)
                    self._noticer.execute("PRAGMA busy_timeout = 0")
                except BaseException:
                    self._reader.close()
                    raise
            except BaseException:
                self._writer.close()
                raise
        except sqlite3.Error as error:
            raise StoreError(f"the session store {path} can't be opened: {error}") from None
        self._reading = anyio.CapacityLimiter(1)
        self._writing = anyio.CapacityLimiter(1)
        self._read_lock, self._write_lock = threading.Lock(), threading.Lock()
        self._kept: OrderedDict[str, Session] = OrderedDict()
        self._kept_version: int | None = None
        self._closed = False

    @staticmethod
    async def open(
        path: Path,
        *,
        shared_secret: bytes,
        durable: bool = True,
        poll_interval: float = 0.5,
        clock: Callable[[], float] | None = None,
    ) -> SQLiteStore:
        """Open or make the file and throw out what has expired. See `open_store` for parameters and errors."""

        def open_file() -> SQLiteStore:
            return SQLiteStore(
                path,
                shared_secret=shared_secret,
                durable=durable,
                poll_interval=poll_interval,
                clock=clock or time.time,
            )

        store = await run_sync(open_file)
        await store._write(store._purge)
        return store

    async def create(self, session: Session) -> None:
        body = session.to_json().encode()
        row = (session.id, session.expires_at, body, self._mac(body))

        def insert() -> None:
            self._purge()
            self._writer.execute("INSERT INTO sessions (id, expires_at, body, mac) VALUES (?, ?, ?, ?)", row)

        await self._write(insert)

    async def get(self, session_id: str) -> Session | None:
        if not session_id or len(session_id) > _MAX_ID or not session_id.isascii():
            return None
        version = self._notice_changes()
        kept = self._kept.get(session_id)
        if kept is not None and version is not None:
            self._kept.move_to_end(session_id)
            return kept if self._clock() < kept.expires_at else None

        def select() -> tuple[bytes, bytes] | None:
            query = "SELECT body, mac FROM sessions WHERE id = ?"
            row: tuple[bytes, bytes] | None = self._reader.execute(query, (session_id,)).fetchone()
            return row

        row = await self._read(select)
        session = self._open_row(*row) if row else None
        # The row's own id is under the MAC; a row copied under another id must not pass.
        if session is None or session.id != session_id:
            return None
        if version is not None and version == self._kept_version:  # nobody has committed since the look-up began
            self._kept[session_id] = session
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return session

    def _notice_changes(self) -> int | None:
        """Forget what is kept if anybody has committed since; the version now, or None where it can't be told."""
        if self._closed:
            raise StoreError("the session store is closed")
        try:
            version = int(self._noticer.execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.Error:
            return None  # the reader waits where this does not, and knows words for what is wrong
        if version != self._kept_version:
            self._kept.clear()
            self._kept_version = version
        return version

    async def revoke(self, session_id: str) -> bool:
        def delete() -> bool:
            return self._writer.execute("DELETE FROM sessions WHERE id = ?", (session_id,)).rowcount > 0

        return await self._write(delete)

    async def list(self) -> Sequence[Session]:
        def select() -> list[tuple[bytes, bytes]]:
            return self._reader.execute("SELECT body, mac FROM sessions").fetchall()

        sessions = [session for row in await self._read(select) if (session := self._open_row(*row))]
        return sorted(sessions, key=lambda session: (session.issued_at, session.id))

    async def claim(self, key: str, until: float, value: str = "") -> bool:
        def insert() -> bool:
            self._purge()
            query = "INSERT OR IGNORE INTO claims (key, until, value) VALUES (?, ?, ?)"
            return self._writer.execute(query, (_hashed(key), until, value)).rowcount > 0

        return await self._write(insert)

    async def claimed(self, key: str) -> str | None:
        def select() -> str | None:
            query = "SELECT value FROM claims WHERE key = ? AND until > ?"
            row = self._reader.execute(query, (_hashed(key), self._clock())).fetchone()
            return None if row is None else str(row[0])

        return await self._read(select)

    async def watch(self) -> AsyncIterator[None]:
        seen: int | None = None
        while True:
            version = self._notice_changes()
            if version is None:
                await self._read(self._data_version)
            if version is None or version != seen:
                seen = version
                yield
            await anyio.sleep(self._poll_interval)

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        with anyio.CancelScope(shield=True):
            async with self._reading, self._writing:
                self._kept.clear()
                await run_sync(self._noticer.close)
                for lock, connection in ((self._read_lock, self._reader), (self._write_lock, self._writer)):
                    await run_sync(_close, lock, connection)

    async def _read(self, work: Callable[[], T]) -> T:
        return await self._run(work, self._reading)

    async def _write(self, work: Callable[[], T]) -> T:
        def transaction() -> T:
            # IMMEDIATE: take the write lock at once and wait for it under busy_timeout, not in the middle.
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                result = work()
            except BaseException:
                self._writer.execute("ROLLBACK")
                raise
            self._writer.execute("COMMIT")
            return result

        return await self._run(transaction, self._writing)

    async def _run(self, work: Callable[[], T], limiter: anyio.CapacityLimiter) -> T:
        if self._closed:
            raise StoreError("the session store is closed")
        lock = self._read_lock if limiter is self._reading else self._write_lock

        def alone() -> T:
            # The limiter lets the next one in when whoever waits is cancelled, though the thread goes on.
            with lock:
                return work()

        try:
            return await run_sync(alone, limiter=limiter)
        except sqlite3.Error as error:
            raise StoreError(f"the session store does not work: {error}") from None

    def _purge(self) -> None:
        now = self._clock()
        self._writer.execute("DELETE FROM sessions WHERE expires_at <= ?", (now,))
        self._writer.execute("DELETE FROM claims WHERE until <= ?", (now,))

    def _data_version(self) -> int:
        return int(self._reader.execute("PRAGMA data_version").fetchone()[0])

    def _mac(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, "sha256")

    def _open_row(self, body: object, mac: object) -> Session | None:
        """The session of a row; None when it has expired or was not written by this deployment."""
        if not isinstance(body, bytes) or not isinstance(mac, bytes) or not hmac.compare_digest(self._mac(body), mac):
            _LOG.warning("a session row that this server did not write was ignored")
            return None
        session = Session.from_json(body)
        return session if self._clock() < session.expires_at else None


def _hashed(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _prepare_file(path: Path) -> None:
    """Make the file with mode 0600 in a folder that nobody else can write; refuse one that others may touch.

    SQLite gives its -wal and -shm files the mode of the main file.

    :raises ConfigError: wrong owner, mode or kind.
    :raises StoreError: the system refuses.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = path.parent.stat()
        if folder.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise ConfigError(
                "the folder of the session store can be written by others",
                place=str(path.parent),
                hint=f"chmod 700 {path.parent}",
            )
        if folder.st_uid not in (0, os.geteuid()):
            raise ConfigError("the folder of the session store belongs to another user", place=str(path.parent))
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
        try:
            found = os.fstat(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StoreError(f"the session store {path} can't be opened: {error.strerror}") from None
    if not stat.S_ISREG(found.st_mode):
        raise ConfigError("the session store is no regular file", place=str(path))
    if found.st_uid != os.geteuid():
        raise ConfigError("the session store belongs to another user", place=str(path))
    if found.st_mode & 0o077:
        raise ConfigError("the session store can be read by others", place=str(path), hint=f"chmod 600 {path}")


def _close(lock: threading.Lock, connection: sqlite3.Connection) -> None:
    with lock:
        connection.close()


def _connect(path: Path, *, durable: bool) -> sqlite3.Connection:
    # isolation_level None: transactions are written out above. One thread at a time uses it, not always the same.
    connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'NORMAL' if durable else 'OFF'}")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if version > _SCHEMA_VERSION:
            raise StoreError(f"the session store {path} was written by a newer version of this server")
        if version == 0:
            for statement in _SCHEMA:
                connection.execute(statement)
        elif version == 1:
            connection.execute(_FROM_1)
        if version != _SCHEMA_VERSION:
            connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
