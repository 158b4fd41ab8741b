"""Sessions that the store keeps in memory: quicker, and never staler than the file."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio import to_thread

from tests.server.sessions.test_store import SECRET, another, make_session
from tunnelui_server.sessions import StoreError, open_store
from tunnelui_server.sessions import sqlite as sqlite_module
from tunnelui_server.sessions.sqlite import SQLiteStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "sessions.sqlite"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SQLiteStore]:
    store = await open_store("sqlite", path, shared_secret=SECRET, poll_interval=10)
    assert isinstance(store, SQLiteStore)
    yield store
    await store.aclose()


class Reads:
    """Counts the look-ups that went to the file."""

    def __init__(self, store: SQLiteStore, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        read = store._read

        async def counted(work: Callable[[], object]) -> object:
            self.count += 1
            return await read(work)

        monkeypatch.setattr(store, "_read", counted)


async def test_the_second_look_up_does_not_touch_the_file(store: SQLiteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    session = make_session()
    await store.create(session)
    reads = Reads(store, monkeypatch)
    for _ in range(3):
        assert await store.get(session.id) == session
    assert reads.count == 1


async def test_what_is_not_there_is_not_remembered(store: SQLiteStore, path: Path) -> None:
    session = make_session()
    assert await store.get(session.id) is None
    other = await another(path)
    await other.create(session)
    assert await store.get(session.id) == session
    await other.aclose()


async def test_a_look_up_after_a_revocation_sees_it_whoever_made_it(store: SQLiteStore, path: Path) -> None:
    other = await another(path)
    for revoker in (store, other):
        session = make_session()
        await store.create(session)
        assert await store.get(session.id) == session
        assert await revoker.revoke(session.id)
        assert await store.get(session.id) is None
    await other.aclose()


async def test_a_look_up_after_a_revocation_by_another_process_sees_it(store: SQLiteStore, path: Path) -> None:
    sessions = [make_session() for _ in range(20)]
    for session in sessions:
        await store.create(session)
    program = (
        "import sqlite3, sys\n"
        "c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "for line in sys.stdin:\n"
        "    c.execute('DELETE FROM sessions WHERE id = ?', (line.strip(),)); print('done', flush=True)\n"
    )
    command = [sys.executable, "-c", program, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for session in sessions:
            assert await store.get(session.id) == session
            process.stdin.write(session.id + "\n")
            process.stdin.flush()
            assert process.stdout.readline() == "done\n"
            assert await store.get(session.id) is None
        process.stdin.close()


async def test_a_changed_row_is_read_again(store: SQLiteStore, path: Path) -> None:
    session = make_session()
    await store.create(session)
    assert await store.get(session.id) == session
    changed = replace(session, person=replace(session.person, groups=frozenset({"fired"})))
    other = await another(path)
    await other.revoke(session.id)
    await other.create(changed)
    assert await store.get(session.id) == changed
    await other.aclose()


async def test_a_kept_session_expires(path: Path) -> None:
    session = make_session(lifetime=60)
    now = session.issued_at
    store = await open_store("sqlite", path, shared_secret=SECRET, clock=lambda: now)
    await store.create(session)
    assert await store.get(session.id) == session
    now += 60
    assert await store.get(session.id) is None
    await store.aclose()


async def test_memory_is_bounded(store: SQLiteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_module, "_KEPT", 3)
    sessions = [make_session() for _ in range(5)]
    for session in sessions:
        await store.create(session)
    for session in sessions[:3]:
        await store.get(session.id)
    await store.get(sessions[0].id)
    await store.get(sessions[3].id)
    assert set(store._kept) == {sessions[0].id, sessions[2].id, sessions[3].id}


async def test_a_commit_while_a_row_is_read_keeps_nothing_stale(
    store: SQLiteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = make_session()
    await store.create(session)
    other = await another(path)
    read = store._read

    async def slow(work: Callable[[], object]) -> object:
        row = await read(work)
        monkeypatch.setattr(store, "_read", read)
        await other.revoke(session.id)
        assert await store.get("another look-up meanwhile") is None
        return row

    monkeypatch.setattr(store, "_read", slow)
    assert await store.get(session.id) == session  # it began before the revocation
    assert await store.get(session.id) is None
    await other.aclose()


async def test_where_changes_can_not_be_noticed_the_file_is_asked(store: SQLiteStore) -> None:
    session = make_session()
    await store.create(session)
    assert await store.get(session.id) == session
    store._noticer.close()
    assert await store.get(session.id) == session
    await store.revoke(session.id)
    assert await store.get(session.id) is None


async def test_many_look_ups_at_once(store: SQLiteStore) -> None:
    sessions = [make_session() for _ in range(10)]
    for session in sessions:
        await store.create(session)
    found = []

    async def look_up(number: int) -> None:
        session = sessions[number % 10]
        found.append(await store.get(session.id) == session)

    async with anyio.create_task_group() as group:
        for number in range(200):
            group.start_soon(look_up, number)
    assert found == [True] * 200


async def test_a_closed_store_keeps_nothing(store: SQLiteStore) -> None:
    session = make_session()
    await store.create(session)
    await store.get(session.id)
    await store.aclose()
    with pytest.raises(StoreError):
        await store.get(session.id)


async def test_a_forged_row_does_not_replace_a_kept_one(store: SQLiteStore, path: Path) -> None:
    session = make_session()
    await store.create(session)
    assert await store.get(session.id) == session
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE sessions SET body = ?", (b"{}",))
    connection.close()
    assert await store.get(session.id) is None


async def test_a_connection_is_used_by_one_thread_also_when_who_waits_is_cancelled(store: SQLiteStore) -> None:
    at_once, most = 0, 0
    begun, may_end = threading.Event(), threading.Event()

    def work() -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        begun.set()
        may_end.wait(10)
        at_once -= 1

    for run in (store._read, store._write):
        begun.clear()
        may_end.clear()
        first = asyncio.ensure_future(run(work))
        await to_thread.run_sync(begun.wait, 10)
        first.cancel()
        second = asyncio.ensure_future(run(work))
        await anyio.sleep(0.1)  # enough to begin, if it could
        may_end.set()
        await second
        assert first.cancelled()
    assert most == 1
