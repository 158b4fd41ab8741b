from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tunnelui.auth.file_store import FileStore, default_folder
from tunnelui.auth.keyring_store import KeyringStore
from tunnelui.auth.stores import MemoryStore, open_store
from tunnelui.auth.token_store import TokenKey, TokenStore
from tunnelui.auth.tokens import Token
from tunnelui.config.paths import tokens_dir
from tunnelui.errors import ConfigError
from tunnelui.wire.destination import ProxyOrigin

if TYPE_CHECKING:
    from pathlib import Path

CORP = TokenKey("default", ProxyOrigin("https", "proxy.example.com", 443))
OTHER_PROFILE = TokenKey("other", CORP.proxy)
OTHER_PROXY = TokenKey("default", ProxyOrigin("https", "proxy.example.com", 8443))


@pytest.fixture(params=["memory", "file"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> TokenStore:
    opened, note = await open_store(request.param, folder=tmp_path / "tokens")
    assert note == ""
    assert opened.kind == request.param
    return opened


async def test_a_token_is_kept_per_profile_and_proxy(store: TokenStore) -> None:
    assert await store.load(CORP) is None
    await store.save(CORP, Token("one"))
    await store.save(OTHER_PROFILE, Token("two"))
    assert await store.load(CORP) == Token("one")
    assert await store.load(OTHER_PROFILE) == Token("two")
    assert await store.load(OTHER_PROXY) is None


async def test_saving_again_replaces_and_deleting_forgets(store: TokenStore) -> None:
    await store.save(CORP, Token("one"))
    await store.save(CORP, Token("two"))
    await store.save(OTHER_PROXY, Token("three"))
    assert await store.load(CORP) == Token("two")
    await store.delete(CORP)
    await store.delete(CORP)
    assert await store.load(CORP) is None
    assert await store.load(OTHER_PROXY) == Token("three")


@pytest.mark.parametrize(
    ("flag", "variable", "configured", "kind"),
    [
        (None, None, None, "keyring"),
        (None, None, "file", "file"),
        (None, "memory", "file", "memory"),
        ("file", "memory", "keyring", "file"),
        ("", "", "", "keyring"),
    ],
)
async def test_the_flag_goes_before_the_variable_and_that_before_the_file(
    flag: str | None, variable: str | None, configured: str | None, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TUNNELUI_TOKEN_STORE", raising=False)
    if variable is not None:
        monkeypatch.setenv("TUNNELUI_TOKEN_STORE", variable)
    store, note = await open_store(flag, configured=configured)
    assert (store.kind, note) == (kind, "")


@pytest.mark.parametrize(
    ("flag", "variable", "configured", "place"),
    [
        ("disk", None, None, "--token-store"),
        (None, "disk", None, "TUNNELUI_TOKEN_STORE"),
        (None, None, "disk", "token_store"),
    ],
)
async def test_an_unknown_kind_is_an_error_that_names_who_asked(
    flag: str | None, variable: str | None, configured: str | None, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if variable is not None:
        monkeypatch.setenv("TUNNELUI_TOKEN_STORE", variable)
    with pytest.raises(ConfigError, match="disk") as caught:
        await open_store(flag, configured=configured)
    assert caught.value.place == place
    assert "keyring, file, memory" in caught.value.hint


async def test_the_file_store_is_in_the_state_folder_that_config_names() -> None:
    store, _ = await open_store("file")
    assert isinstance(store, FileStore)
    assert store.folder == tokens_dir() == default_folder()


def test_the_default_folder_follows_platformdirs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TUNNELUI_STATE_DIR")
    assert default_folder() == tokens_dir()


async def test_the_descriptions_say_where(tmp_path: Path) -> None:
    assert "memory" in MemoryStore().description
    assert str(tmp_path) in FileStore(tmp_path).description
    assert KeyringStore().description == "keyring"
