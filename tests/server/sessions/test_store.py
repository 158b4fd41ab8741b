"""One contract, every storage type; then what only the SQLite file has."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import anyio
import pytest

from tunnelui.errors import ConfigError
from tunnelui_server.identity import Person
from tunnelui_server.sessions import Session, SessionStore, StoreError, new_session_id, open_store
from tunnelui_server.sessions.opening import STORAGE_TYPES, remove_store

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SECRET = b"s" * 32


def make_session(*, lifetime: float = 3600, email: str = "alice@example.com") -> Session:
    now = time.time()
    person = Person(
        user_id="1f3c",
        email=email,
        name="Alice Ä. ☃",
        groups=frozenset({"eng", "ops"}),
        claims=MappingProxyType({"department": ("a", "b")}),
    )
    return Session(id=new_session_id(), person=person, issued_at=now, expires_at=now + lifetime, provider="local")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "sessions.sqlite"


@pytest.fixture(params=STORAGE_TYPES)
async def store(request: pytest.FixtureRequest, path: Path) -> AsyncIterator[SessionStore]:
    store = await open_store(request.param, path, shared_secret=SECRET, poll_interval=0.05)
    yield store
    await store.aclose()


async def another(path: Path, **options: object) -> SessionStore:
    """What a second process would open."""
    secret = options.get("secret", SECRET)
    assert isinstance(secret, bytes)
    return await open_store("sqlite", path, shared_secret=secret, poll_interval=0.05)


async def test_a_created_session_comes_back_equal(store: SessionStore) -> None:
    session = make_session()
    await store.create(session)
    assert await store.get(session.id) == session


@pytest.mark.parametrize("session_id", ["", "unknown", "x" * 10_000, "' OR 1=1 --", "\0", "\ud800"])
async def test_an_id_that_was_never_given_out_has_no_session(store: SessionStore, session_id: str) -> None:
    await store.create(make_session())
    assert await store.get(session_id) is None


async def test_a_revoked_session_is_gone_and_can_be_revoked_once(store: SessionStore) -> None:
    session = make_session()
    await store.create(session)
    assert await store.revoke(session.id) is True
    assert await store.revoke(session.id) is False
    assert await store.get(session.id) is None
    assert list(await store.list()) == []


async def test_an_id_is_never_used_twice(store: SessionStore) -> None:
    session = make_session()
    await store.create(session)
    with pytest.raises(StoreError):
        await store.create(replace(session, person=Person("somebody else")))
    assert await store.get(session.id) == session


async def test_the_list_is_in_order_of_sign_in(store: SessionStore) -> None:
    first, second, third = (replace(make_session(), issued_at=float(at)) for at in (1, 2, 3))
    for session in (third, first, second):
        await store.create(session)
    assert list(await store.list()) == [first, second, third]


async def test_a_claim_is_good_for_one_caller(store: SessionStore, path: Path) -> None:
    until = time.time() + 60
    assert await store.claim("state-1", until) is True
    assert await store.claim("state-1", until) is False
    assert await store.claim("state-2", until) is True
    other = await another(path)
    assert await other.claim("state-1", until) is False
    await other.aclose()


async def test_of_many_claims_at_once_one_wins(store: SessionStore) -> None:
    won: list[bool] = []

    async def claim() -> None:
        won.append(await store.claim("code", time.time() + 60))

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(claim)
    assert won.count(True) == 1 and len(won) == 20


async def test_watch_ticks_at_once_and_then_for_each_change_by_anybody(store: SessionStore, path: Path) -> None:
    other = await another(path)
    session = make_session()
    ticks = store.watch()
    with anyio.fail_after(60):
        await anext(ticks)
        await store.create(session)
        await anext(ticks)
        await other.revoke(session.id)
        await anext(ticks)
    with anyio.move_on_after(0.3) as quiet:
        await anext(ticks)
    assert quiet.cancelled_caught, "a tick without a change"
    await other.aclose()


async def test_a_revocation_by_another_process_shows_within_a_second(store: SessionStore, path: Path) -> None:
    session = make_session()
    await store.create(session)
    ticks = store.watch()
    await anext(ticks)
    script = (
        "import anyio, sys\n"
        "from tunnelui_server.sessions import open_store\n"
        "async def main():\n"
        f"    store = await open_store('sqlite', sys.argv[1], shared_secret={SECRET!r})\n"
        "    assert await store.revoke(sys.argv[2])\n"
        "    await store.aclose()\n"
        "anyio.run(main)\n"
    )
    await anyio.run_process([sys.executable, "-c", script, str(path), session.id], stderr=None)
    with anyio.fail_after(10):
        await anext(ticks)
    assert await store.get(session.id) is None


async def test_a_closed_store_says_so(store: SessionStore) -> None:
    await store.aclose()
    await store.aclose()
    with pytest.raises(StoreError):
        await store.get("x")


async def test_an_expired_session_is_not_found_and_later_purged(path: Path) -> None:
    now = time.time()
    store = await open_store("sqlite", path, shared_secret=SECRET, clock=lambda: now)
    session = make_session(lifetime=10)
    await store.create(session)
    now = session.expires_at - 0.1
    assert await store.get(session.id) == session
    now = session.expires_at + 0.1
    assert await store.get(session.id) is None
    assert list(await store.list()) == []
    await store.create(make_session(lifetime=3600))
    await store.aclose()
    with sqlite3.connect(path) as raw:
        rows = raw.execute("SELECT id FROM sessions").fetchall()
    raw.close()
    assert len(rows) == 1 and rows[0][0] != session.id


async def test_sessions_outlive_the_process(path: Path) -> None:
    store = await another(path)
    session = make_session()
    await store.create(session)
    await store.aclose()
    store = await another(path)
    assert await store.get(session.id) == session
    await store.aclose()


async def test_files_are_private(path: Path) -> None:
    store = await another(path)
    await store.create(make_session())
    modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    assert modes == {"sessions.sqlite": 0o600, "sessions.sqlite-wal": 0o600, "sessions.sqlite-shm": 0o600}
    assert path.parent.stat().st_mode & 0o777 == 0o700
    await store.aclose()
    remove_store(path)
    assert list(path.parent.iterdir()) == []


async def test_a_file_that_others_may_read_is_refused(path: Path) -> None:
    await (await another(path)).aclose()
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="read by others"):
        await another(path)


async def test_a_folder_that_others_may_write_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.parent.chmod(0o777)
    with pytest.raises(ConfigError, match="written by others"):
        await another(path)
    assert not path.exists()


async def test_a_folder_of_somebody_else_is_refused(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    os.chown(path.parent, 12345, -1)
    with pytest.raises(ConfigError, match="another user"):
        await another(path)
    assert not path.exists()


async def test_a_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError):
        await another(path)
    assert not (tmp_path / "elsewhere").exists()


async def test_something_that_is_no_file_is_refused(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    os.mkfifo(path, 0o600)
    with pytest.raises(ConfigError, match="no regular file"):
        await another(path)


async def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    path.write_bytes(b"not a database, but long enough to have a header " * 40)
    path.chmod(0o600)
    with pytest.raises(StoreError):
        await another(path)
    assert path.read_bytes().startswith(b"not a database"), "somebody's file was overwritten"


async def test_a_newer_schema_is_refused(path: Path) -> None:
    await (await another(path)).aclose()
    raw = sqlite3.connect(path)
    raw.execute("PRAGMA user_version = 99")
    raw.close()
    with pytest.raises(StoreError, match="newer version"):
        await another(path)


async def test_an_unknown_storage_type_is_refused(path: Path) -> None:
    with pytest.raises(ConfigError, match="no storage type"):
        await open_store("etcd", path, shared_secret=SECRET)


async def test_a_short_secret_is_refused(path: Path) -> None:
    with pytest.raises(ConfigError, match="shared secret"):
        await open_store("sqlite", path, shared_secret=b"short")


def edit(path: Path, statement: str, *values: object) -> None:
    raw = sqlite3.connect(path)
    with raw:
        assert raw.execute(statement, values).rowcount == 1
    raw.close()


@pytest.mark.parametrize("attack", ["body", "mac", "null mac", "text", "other id", "other secret", "longer life"])
async def test_a_forged_row_is_refused(path: Path, attack: str) -> None:
    store = await another(path)
    real, victim = make_session(), make_session(email="root@example.com")
    await store.create(real)
    wanted = real.id
    match attack:
        case "body":
            edit(path, "UPDATE sessions SET body = ?", victim.to_json().replace(victim.id, real.id).encode())
        case "mac":
            edit(path, "UPDATE sessions SET mac = ?", b"\0" * 32)
        case "null mac":
            edit(path, "UPDATE sessions SET mac = ?", b"")
        case "text":
            edit(path, "UPDATE sessions SET mac = CAST(hex(mac) AS TEXT)")
        case "other id":
            wanted = "chosen-by-the-attacker"
            edit(path, "INSERT INTO sessions SELECT ?, expires_at, body, mac FROM sessions", wanted)
        case "other secret":
            stranger = await another(path, secret=b"t" * 32)
            await stranger.create(victim)
            wanted = victim.id
            await stranger.aclose()
        case "longer life":
            body = replace(real, expires_at=real.expires_at + 1e6).to_json().encode()
            edit(path, "UPDATE sessions SET body = ?, expires_at = expires_at + 1e6", body)
    assert await store.get(wanted) is None
    assert wanted not in {session.id for session in await store.list()}
    await store.aclose()


async def test_a_busy_file_is_waited_for(path: Path) -> None:
    store = await another(path)
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    session = make_session()
    async with anyio.create_task_group() as group:
        group.start_soon(store.create, session)
        await anyio.sleep(0.3)
        assert await store.get(session.id) is None  # readers go on meanwhile
        blocker.execute("ROLLBACK")
    blocker.close()
    assert await store.get(session.id) == session
    await store.aclose()


def test_opening_a_store_imports_no_web_framework() -> None:
    script = (
        "import sys, tunnelui_server.sessions.sqlite; print([m for m in sys.modules if m in {'starlette','httpx'}])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def test_a_claim_keeps_a_value_until_it_ends(store: SessionStore, path: Path) -> None:
    assert await store.claimed("device") is None
    assert await store.claim("device", time.time() + 60, "first")
    assert not await store.claim("device", time.time() + 60, "second")
    assert await store.claimed("device") == "first"
    assert await store.claim("old", time.time() - 1, "gone")
    assert await store.claimed("old") is None


async def test_a_file_of_the_first_schema_is_carried_over(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    raw = sqlite3.connect(path)
    raw.execute(
        "CREATE TABLE sessions (id TEXT PRIMARY KEY, expires_at REAL NOT NULL, body BLOB, mac BLOB) WITHOUT ROWID"
    )
    raw.execute("CREATE TABLE claims (key TEXT PRIMARY KEY, until REAL NOT NULL) WITHOUT ROWID")
    raw.execute("PRAGMA user_version = 1")
    raw.commit()
    raw.close()
    store = await open_store("sqlite", path, shared_secret=SECRET)
    assert await store.claim("device", time.time() + 60, "kept")
    assert await store.claimed("device") == "kept"
    await store.aclose()
