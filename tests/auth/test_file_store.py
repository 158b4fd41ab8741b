from __future__ import annotations

import errno
import json
import os
import stat
from typing import TYPE_CHECKING

import pytest

from tunnelui.auth.file_store import FileStore
from tunnelui.auth.token_store import StoreError, TokenKey
from tunnelui.auth.tokens import Token
from tunnelui.wire.destination import ProxyOrigin

if TYPE_CHECKING:
    from pathlib import Path

KEY = TokenKey("Ops / Müller", ProxyOrigin("https", "proxy.example.com", 443))


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "state" / "tokens")


async def test_files_are_private_and_their_names_tell_nothing(store: FileStore) -> None:
    await store.save(KEY, Token("secret"))
    (path,) = store.folder.iterdir()
    assert path == store.path_of(KEY)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700
    assert "proxy" not in path.name
    assert "secret" not in path.name


async def test_a_permissive_umask_makes_no_difference(store: FileStore) -> None:
    before = os.umask(0)
    try:
        await store.save(KEY, Token("secret"))
    finally:
        os.umask(before)
    assert stat.S_IMODE(store.path_of(KEY).stat().st_mode) == 0o600
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o602])
async def test_a_file_that_others_can_reach_is_refused_and_replaced_by_the_next_sign_in(
    store: FileStore, mode: int
) -> None:
    await store.save(KEY, Token("secret"))
    store.path_of(KEY).chmod(mode)
    with pytest.raises(StoreError, match=f"mode {mode:04o}") as caught:
        await store.load(KEY)
    assert "chmod 600" in caught.value.hint
    await store.save(KEY, Token("new"))
    assert await store.load(KEY) == Token("new")


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o711])
async def test_a_folder_that_others_can_enter_is_refused(store: FileStore, mode: int) -> None:
    await store.save(KEY, Token("secret"))
    store.folder.chmod(mode)
    for operation in (store.load(KEY), store.save(KEY, Token("new")), store.delete(KEY)):
        with pytest.raises(StoreError, match=f"mode {mode:04o}") as caught:
            await operation
        assert "chmod 700" in caught.value.hint


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can give files away")
async def test_what_belongs_to_somebody_else_is_refused(store: FileStore) -> None:
    await store.save(KEY, Token("secret"))
    os.chown(store.path_of(KEY), 12345, 12345)
    with pytest.raises(StoreError, match="somebody else"):
        await store.load(KEY)
    os.chown(store.folder, 12345, 12345)
    with pytest.raises(StoreError, match="somebody else"):
        await store.save(KEY, Token("new"))


async def test_a_link_in_place_of_the_file_is_not_followed(store: FileStore, tmp_path: Path) -> None:
    await store.save(KEY, Token("secret"))
    elsewhere = tmp_path / "elsewhere.json"
    store.path_of(KEY).rename(elsewhere)
    store.path_of(KEY).symlink_to(elsewhere)
    with pytest.raises(StoreError, match="link"):
        await store.load(KEY)
    await store.save(KEY, Token("new"))
    assert not store.path_of(KEY).is_symlink()
    assert json.loads(elsewhere.read_text())["token"] == "secret", "the target was not written to"


async def test_a_link_in_place_of_the_folder_is_not_followed(store: FileStore, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir(mode=0o700)
    store.folder.parent.mkdir()
    store.folder.symlink_to(target)
    with pytest.raises(StoreError, match="link"):
        await store.save(KEY, Token("secret"))
    assert list(target.iterdir()) == []


async def test_a_pipe_in_place_of_the_file_does_not_hang(store: FileStore) -> None:
    await store.save(KEY, Token("secret"))
    store.path_of(KEY).unlink()
    os.mkfifo(store.path_of(KEY), 0o600)
    with pytest.raises(StoreError, match="another kind"):
        await store.load(KEY)


async def test_a_file_of_another_key_is_refused(store: FileStore) -> None:
    other = TokenKey("lab", KEY.proxy)
    await store.save(other, Token("secret"))
    store.path_of(other).rename(store.path_of(KEY))
    with pytest.raises(StoreError, match="another profile"):
        await store.load(KEY)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"7",
        b"\xff\xfe",
        b"{}",
        b'{"profile": "Ops / M\\u00fcller", "proxy": "https://proxy.example.com:443"}',
        b'{"profile": "Ops / M\\u00fcller", "proxy": "https://proxy.example.com:443", "token": "a b"}',
        b'{"profile": "Ops / M\\u00fcller", "proxy": "https://proxy.example.com:443", "token": 7}',
        b"[" * 20000,
        b"x" * 100_000,
    ],
)
async def test_a_damaged_file_says_so_and_the_next_sign_in_mends_it(store: FileStore, content: bytes) -> None:
    await store.save(KEY, Token("secret"))
    store.path_of(KEY).write_bytes(content)
    with pytest.raises(StoreError, match="damaged"):
        await store.load(KEY)
    await store.save(KEY, Token("new"))
    assert await store.load(KEY) == Token("new")


async def test_deleting_takes_a_link_away_and_not_its_target(store: FileStore, tmp_path: Path) -> None:
    await store.delete(KEY)  # no folder yet
    await store.save(KEY, Token("secret"))
    elsewhere = tmp_path / "elsewhere.json"
    store.path_of(KEY).rename(elsewhere)
    store.path_of(KEY).symlink_to(elsewhere)
    await store.delete(KEY)
    assert not store.path_of(KEY).is_symlink()
    assert elsewhere.exists()


@pytest.mark.parametrize("call", ["fsync", "write", "open"])
async def test_a_full_disk_keeps_the_old_token(store: FileStore, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    await store.save(KEY, Token("old"))
    real = getattr(os, call)

    def full(target: object, *args: object) -> object:
        if call == "open" and isinstance(args[0], int) and not args[0] & os.O_CREAT:
            return real(target, *args)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(StoreError, match="No space left"):
            await store.save(KEY, Token("new"))
    assert await store.load(KEY) == Token("old")
    assert [path.name for path in store.folder.iterdir()] == [store.path_of(KEY).name]


async def test_a_file_in_place_of_the_folder_is_an_error(store: FileStore) -> None:
    store.folder.parent.mkdir()
    store.folder.write_text("x")
    with pytest.raises(StoreError):
        await store.save(KEY, Token("secret"))


async def test_a_folder_that_never_answers_is_given_up(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    release = threading.Event()
    monkeypatch.setattr("tunnelui.auth.file_store._TIMEOUT", 0.1)
    monkeypatch.setattr(store, "_load", lambda _: release.wait(20))
    try:
        with pytest.raises(StoreError, match="did not answer"):
            await store.load(KEY)
    finally:
        release.set()
