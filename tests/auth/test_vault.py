"""One token in its store: saved although everything is being cancelled (without anyio, as in a tunnel over standard
input), and trouble that is told when it comes and goes."""

from __future__ import annotations

import asyncio

import pytest

from tests.auth.jwt import jwt
from tunnelui.auth.stores import MemoryStore
from tunnelui.auth.token_store import StoreError, TokenKey
from tunnelui.auth.tokens import Token
from tunnelui.auth.vault import Vault
from tunnelui.wire.destination import ProxyOrigin

KEY = TokenKey("default", ProxyOrigin("https", "proxy.example.com", 443))
TOKEN = Token(jwt(email="alice@example.com"))


class SlowStore(MemoryStore):
    """Its first saving never ends by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = 0

    async def save(self, key: TokenKey, token: Token) -> None:
        self.begun += 1
        if self.begun == 1:
            await asyncio.sleep(30)
        await super().save(key, token)


def test_a_cancelled_saving_is_made_up_for() -> None:
    store = SlowStore()

    async def work() -> None:
        saving = asyncio.create_task(Vault(KEY, store).save(TOKEN, lambda: True))
        while not store.begun:
            await asyncio.sleep(0.001)
        saving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await saving

    asyncio.run(work())
    assert asyncio.run(store.load(KEY)) == TOKEN


class ChangingStore(MemoryStore):
    """Fails with what it is given."""

    kind = "keyring"

    def __init__(self) -> None:
        super().__init__()
        self.trouble = ""

    async def load(self, key: TokenKey) -> Token | None:
        if self.trouble:
            raise StoreError(self.trouble)
        return await super().load(key)


def test_a_change_of_what_there_is_to_say_is_told_once() -> None:
    store, told = ChangingStore(), []
    vault = Vault(KEY, store, lambda: told.append((vault.kind, vault.note)))

    async def work() -> None:
        for trouble in ("", "", "locked", "locked", "gone", "", ""):
            store.trouble = trouble
            await vault.load()

    asyncio.run(work())
    assert told == [("memory", "locked"), ("memory", "gone"), ("keyring", "")]
