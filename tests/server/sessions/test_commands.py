"""What an operator sees and can end."""

from __future__ import annotations

import io
import json
import time
from typing import TYPE_CHECKING

import pytest

from tunnelui.errors import LocalError
from tunnelui_server.identity import Person
from tunnelui_server.sessions import Session, SessionStore, new_session_id, open_store
from tunnelui_server.sessions.commands import run_list, run_revoke

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SessionStore]:
    store = await open_store("sqlite", tmp_path / "s" / "sessions.sqlite", shared_secret=b"s" * 32)
    yield store
    await store.aclose()


async def sign_in(store: SessionStore, session_id: str, email: str) -> None:
    now = time.time()
    await store.create(Session(session_id, Person(email, email=email, name="N\x1b[31m"), now, now + 60, "local"))


async def test_an_empty_store_says_so(store: SessionStore) -> None:
    out = io.StringIO()
    assert await run_list(store, as_json=False, out=out) == 0
    assert out.getvalue() == "nobody is signed in\n"


async def test_the_table_and_the_json_show_every_session(store: SessionStore) -> None:
    await sign_in(store, "a" * 43, "alice@example.com")
    await sign_in(store, "b" * 43, "bob@example.com")
    out = io.StringIO()
    await run_list(store, as_json=False, out=out)
    lines = out.getvalue().splitlines()
    assert lines[0].split() == ["SESSION", "USER", "PROVIDER", "SIGNED", "IN", "EXPIRES"]
    assert lines[1].startswith("aaaaaaaaaaaa  alice@example.com") and len(lines) == 3
    out = io.StringIO()
    await run_list(store, as_json=True, out=out)
    parsed = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [item["email"] for item in parsed] == ["alice@example.com", "bob@example.com"]
    assert "\x1b" not in out.getvalue()


async def test_revoke_by_id_by_prefix_by_address_and_all(store: SessionStore, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="tunnelui_server.audit")

    async def left() -> set[str]:
        return {session.id for session in await store.list()}

    for name in ("alice", "bob", "carol", "dave"):
        await sign_in(store, name * 9, f"{name}@example.com")
    await sign_in(store, "second-of-bob", "bob@example.com")
    out = io.StringIO()
    await run_revoke(store, targets=["alice" * 9], as_json=False, out=out)
    assert out.getvalue() == "ended the session alicealiceal of alice@example.com\n"
    await run_revoke(store, targets=["carolcarol"], as_json=True, out=out)
    await run_revoke(store, targets=["Bob@EXAMPLE.com."], as_json=False, out=out)
    assert await left() == {"dave" * 9}
    await run_revoke(store, everybody=True, as_json=False, out=out)
    assert await left() == set()
    assert [record.getMessage() for record in caplog.records] == ["session revoked"] * 5


@pytest.mark.parametrize("targets", [[], ["alicebob", "nobody@example.com"], ["alicebob", "short"], ["a"]])
async def test_a_wrong_target_ends_nothing(store: SessionStore, targets: list[str]) -> None:
    await sign_in(store, "alicebob" * 4, "alice@example.com")
    with pytest.raises(LocalError):
        await run_revoke(store, targets=targets, as_json=False, out=io.StringIO())
    assert len(await store.list()) == 1


async def test_an_ambiguous_id_ends_nothing(store: SessionStore) -> None:
    await sign_in(store, "samestart-1", "alice@example.com")
    await sign_in(store, "samestart-2", "bob@example.com")
    with pytest.raises(LocalError, match="several"):
        await run_revoke(store, targets=["samestart"], as_json=False, out=io.StringIO())
    assert len(await store.list()) == 2


def test_an_id_can_be_typed_after_a_command() -> None:
    assert not any(new_session_id().startswith("-") for _ in range(2000))
