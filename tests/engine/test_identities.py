"""Who we are, told: anew where something has changed, and without looking where nothing has."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.auth.jwt import jwt
from tunnelui.auth.credentials import Credentials
from tunnelui.auth.stores import MemoryStore
from tunnelui.auth.token_store import StoreError, TokenKey
from tunnelui.auth.tokens import EXPIRY_LEEWAY, Token
from tunnelui.config.profile import Profile
from tunnelui.engine.identities import Contexts, Identities
from tunnelui.engine.model import Event, IdentityStatus
from tunnelui.wire.destination import ProxyOrigin

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from tunnelui.auth.credential_status import CredentialStatus

MANY = 500
NOW = 2_000_000_000.0


class BrokenStore(MemoryStore):
    """Fails while `broken`."""

    kind = "keyring"
    broken = False

    async def load(self, key: TokenKey) -> Token | None:
        if self.broken:
            raise StoreError("the keyring is locked", hint="Unlock it.")
        return await super().load(key)


class Bench:
    """Identities on a store of their own, at a time of their own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = NOW
        self.asked = 0
        self.events: list[Event] = []
        self.store = BrokenStore()
        self.identities = Identities(
            self.store,
            Contexts(),
            self,
            publish=self.events.append,
            changed=lambda: None,
            signed_in=lambda key: None,
        )
        status = Credentials.status

        def counted(credentials: Credentials) -> CredentialStatus:
            self.asked += 1
            return status(credentials)

        monkeypatch.setattr(Credentials, "status", counted)
        monkeypatch.setattr(time, "time", lambda: self.now)

    def start_soon(self, function: Callable[..., Coroutine[Any, Any, Any]], /, *arguments: Any) -> None:
        raise AssertionError("nothing is begun here")

    def get(self, number: int) -> Credentials:
        return self.identities.get(Profile(), ProxyOrigin("https", f"proxy-{number}.example.com", 443))

    async def sign_in(self, number: int, lasts: float) -> None:
        await self.get(number).paste(jwt(email=f"person-{number}@example.com", exp=self.now + lasts))

    @property
    def words(self) -> list[str]:
        return [one.status.value for one in self.identities.snapshot()]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


async def test_a_look_at_many_asks_nobody_while_nothing_changes(bench: Bench) -> None:
    for number in range(MANY):
        bench.get(number)
    await bench.sign_in(7, 3600)
    first = bench.identities.snapshot()
    assert len(first) == MANY
    bench.asked = 0
    for _ in range(10):
        bench.now += 1
        assert bench.identities.snapshot() is first
        assert bench.identities.notes() == ()
    assert bench.asked == 0


async def test_what_changes_is_told_and_the_others_are_the_same_objects(bench: Bench) -> None:
    for number in range(3):
        bench.get(number)
    before = bench.identities.snapshot()
    await bench.sign_in(1, 3600)
    after = bench.identities.snapshot()
    assert [old is new for old, new in zip(before, after, strict=True)] == [True, False, True]
    assert (after[1].status, after[1].name) == (IdentityStatus.SIGNED_IN, "person-1@example.com")
    await bench.get(1).sign_out()
    assert bench.words == ["signed out"] * 3


async def test_each_expires_at_its_time_and_a_clock_that_is_set_back_brings_it_back(bench: Bench) -> None:
    for number, lasts in enumerate((100, 200, 300)):
        await bench.sign_in(number, lasts)
    assert bench.words == ["signed in"] * 3
    for late, expected in (
        (100, ["signed in", "signed in", "signed in"]),
        (101, ["expired", "signed in", "signed in"]),
        (200, ["expired", "signed in", "signed in"]),
        (250, ["expired", "expired", "signed in"]),
        (301, ["expired", "expired", "expired"]),
        (150, ["expired", "signed in", "signed in"]),
        (0, ["signed in", "signed in", "signed in"]),
    ):
        bench.now = NOW + EXPIRY_LEEWAY + late
        assert bench.words == expected, late


async def test_who_signs_in_by_paste_is_told_so(bench: Bench) -> None:
    credentials = bench.get(0)
    bench.identities.snapshot()
    await bench.identities.paste(credentials, jwt(email="alice@example.com", exp=NOW + 60))
    (one,) = bench.identities.snapshot()
    assert (one.signed_in_at, one.signed_in_by) == (NOW, "paste")


async def test_trouble_with_the_store_is_told_when_it_comes_and_goes(bench: Bench) -> None:
    first, second = bench.get(0), bench.get(1)
    assert bench.identities.notes() == ()
    assert [one.store for one in bench.identities.snapshot()] == ["keyring", "keyring"]
    bench.store.broken = True
    await first.refresh()
    await second.refresh()
    assert bench.identities.notes() == ("the keyring is locked Unlock it.",)
    assert [one.store for one in bench.identities.snapshot()] == ["memory", "memory"]
    assert [event.message for event in bench.events] == ["the keyring is locked Unlock it."]
    bench.store.broken = False
    await first.refresh()
    await second.refresh()
    assert bench.identities.notes() == ()
    assert [one.store for one in bench.identities.snapshot()] == ["keyring", "keyring"]
