from __future__ import annotations

import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import keyring
import keyring.backends.chainer
import keyring.backends.fail
import keyring.backends.null
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError

from tests.peers.parts import KEYRINGS, require
from tunnelui.auth.keyring_store import KeyringStore
from tunnelui.auth.stores import MemoryStore, open_store
from tunnelui.auth.token_store import StoreError, TokenKey
from tunnelui.auth.tokens import Token
from tunnelui.wire.destination import ProxyOrigin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FAIL: Callable[[], KeyringBackend] = keyring.backends.fail.Keyring
KEY = TokenKey("default", ProxyOrigin("https", "proxy.example.com", 443))
OTHER = TokenKey("lab", KEY.proxy)


class DictKeyring(KeyringBackend):
    """A real backend in keyring's own terms that keeps its entries in a dictionary."""

    priority = 1
    name = "a dictionary"

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # keyring's own
        self.entries: dict[tuple[str, str], str] = {}
        self.calls: list[str] = []

    def get_password(self, service: str, username: str) -> str | None:
        self.calls.append("get")
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.calls.append("set")
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self.calls.append("delete")
        if (service, username) not in self.entries:
            raise PasswordDeleteError("No such password!")
        del self.entries[service, username]


@pytest.fixture(autouse=True)
def backend() -> Iterator[DictKeyring]:
    backend = DictKeyring()
    before = keyring.core._keyring_backend
    keyring.set_keyring(backend)
    yield backend
    keyring.core._keyring_backend = before


async def test_a_token_is_kept_under_our_name_profile_and_origin(backend: DictKeyring) -> None:
    store = KeyringStore()
    assert await store.load(KEY) is None
    await store.save(KEY, Token("one"))
    await store.save(OTHER, Token("two"))
    assert backend.entries == {
        ("tunnelui", "https://proxy.example.com:443 default"): "one",
        ("tunnelui", "https://proxy.example.com:443 lab"): "two",
    }
    assert await store.load(KEY) == Token("one")
    await store.delete(KEY)
    await store.delete(KEY)
    assert await store.load(KEY) is None
    assert await store.load(OTHER) == Token("two")


async def test_the_keyring_is_asked_on_no_thread_that_matters(
    backend: DictKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []
    original = backend.get_password

    def watched(service: str, username: str) -> str | None:
        threads.append(threading.current_thread())
        return original(service, username)

    monkeypatch.setattr(backend, "get_password", watched)
    await KeyringStore().load(KEY)
    assert [thread.daemon for thread in threads] == [True]
    assert threading.main_thread() not in threads


async def test_the_description_names_the_backend_once_it_is_open() -> None:
    store = KeyringStore()
    assert store.description == "keyring"
    await store.open()
    assert store.description == "keyring: a dictionary"


async def test_a_backend_whose_name_fails_is_described_by_its_class(monkeypatch: pytest.MonkeyPatch) -> None:
    class Nameless(DictKeyring):
        @property
        def name(self) -> str:  # type: ignore[override]
            raise RuntimeError

    keyring.set_keyring(Nameless())
    store = KeyringStore()
    await store.open()
    assert store.description == "keyring: Nameless"


@pytest.mark.parametrize("value", ["", "not a token", "a\r\nb"])
async def test_an_entry_that_is_no_token_counts_as_none(backend: DictKeyring, value: str) -> None:
    backend.entries["tunnelui", str(KEY)] = value
    assert await KeyringStore().load(KEY) is None


def plaintext_backend(module: str = "keyrings.alt.file", name: str = "PlaintextKeyring") -> DictKeyring:
    """A backend with the module and name of the real one, which is all that is looked at."""

    class Plaintext(DictKeyring):
        pass

    Plaintext.__module__, Plaintext.__qualname__ = module, name
    return Plaintext()


def chain(*links: KeyringBackend) -> KeyringBackend:
    """keyring's own chain with given links."""

    class Chain(keyring.backends.chainer.ChainerBackend):
        backends = links

    return Chain()  # type: ignore[no-untyped-call]  # keyring's own


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (FAIL, "no usable keyring"),
        (keyring.backends.null.Keyring, "switched off"),
        (plaintext_backend, "keyrings.alt.file.PlaintextKeyring"),
        (lambda: plaintext_backend("keyrings.alt.Windows", "RegistryKeyring"), "keyrings.alt.Windows"),
        (lambda: plaintext_backend("somewhere.else", "MyPlainTextThing"), "somewhere.else.MyPlainTextThing"),
        (lambda: chain(plaintext_backend()), "keyrings.alt.file.PlaintextKeyring"),
        (lambda: chain(plaintext_backend(), FAIL()), "keyrings.alt.file.PlaintextKeyring"),
        (chain, "no usable keyring"),
    ],
)
async def test_a_backend_that_keeps_no_secret_is_refused_by_name(make: Any, words: str) -> None:
    refused = make()
    keyring.set_keyring(refused)
    store = KeyringStore()
    for operation in (store.save(KEY, Token("secret")), store.load(KEY), store.delete(KEY), store.open()):
        with pytest.raises(StoreError, match=words) as caught:
            await operation
        assert caught.value.code == "keyring_refused"
        assert "--token-store file" in caught.value.hint
        assert "\n" not in str(caught.value)
    for backend in [refused, *getattr(refused, "backends", [])]:
        assert getattr(backend, "entries", {}) == {}


async def test_a_chain_gives_the_secret_to_its_good_link_alone() -> None:
    good, bad = DictKeyring(), plaintext_backend()
    keyring.set_keyring(chain(bad, good))
    await KeyringStore().save(KEY, Token("secret"))
    assert (list(good.entries.values()), bad.entries) == (["secret"], {})


async def test_the_memory_takes_over_with_one_line_when_the_keyring_is_probed_and_refused() -> None:
    keyring.set_keyring(plaintext_backend())
    store, note = await open_store("keyring", probe=True)
    assert isinstance(store, MemoryStore)
    assert "stays in memory" in note
    assert "--token-store file" in note
    assert "\n" not in note


async def test_a_good_keyring_is_probed_without_a_note() -> None:
    store, note = await open_store("keyring", probe=True)
    assert isinstance(store, KeyringStore)
    assert note == ""


async def test_without_a_probe_the_keyring_is_left_alone(backend: DictKeyring) -> None:
    store, note = await open_store("keyring")
    assert (store.kind, note, backend.calls) == ("keyring", "", [])


@pytest.mark.parametrize(
    "error", [KeyringLocked("Failed to unlock\x1b[31m"), RuntimeError(), OSError(5, "Input/output error")]
)
async def test_a_keyring_that_fails_says_so_in_one_clean_line(
    backend: DictKeyring, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(backend, "set_password", fail)
    store = KeyringStore()
    with pytest.raises(StoreError, match=type(error).__name__) as caught:
        await store.save(KEY, Token("secret"))
    assert caught.value.code == "keyring_failed"
    assert "\x1b" not in str(caught.value)
    assert "secret" not in str(caught.value)
    assert await store.load(KEY) is None, "the next call is tried again"


async def test_a_backend_that_can_not_be_loaded_is_a_failure_and_not_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    keyring.core._keyring_backend = None
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "no.such.Backend")
    with pytest.raises(StoreError, match="ModuleNotFoundError"):
        await KeyringStore().open()


async def test_a_delete_that_fails_while_the_entry_stays_is_an_error(
    backend: DictKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise PasswordDeleteError("not allowed")

    store = KeyringStore()
    await store.save(KEY, Token("one"))
    monkeypatch.setattr(backend, "delete_password", fail)
    with pytest.raises(StoreError, match="not allowed"):
        await store.delete(KEY)


async def test_a_hanging_keyring_costs_its_time_limit_once(
    backend: DictKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    monkeypatch.setattr(backend, "get_password", lambda *_: release.wait(20) and None)
    store = KeyringStore(timeout=0.2)
    try:
        with pytest.raises(StoreError, match=r"did not answer within 0\.2 s") as caught:
            await store.load(KEY)
        assert caught.value.code == "keyring_timeout"
        store._timeout = 1000.0  # not one time limit for each of them
        for _ in range(20):
            with pytest.raises(StoreError, match="did not answer"):
                await store.save(KEY, Token("one"))
        assert backend.calls == []
    finally:
        release.set()


def test_a_process_with_a_hanging_keyring_ends() -> None:
    program = """
import anyio, keyring, time
from keyring.backend import KeyringBackend
from tunnelui.auth.keyring_store import KeyringStore
from tunnelui.auth.token_store import StoreError, TokenKey
from tunnelui.wire.destination import ProxyOrigin

class Hanging(KeyringBackend):
    priority = 9
    def get_password(self, service, username):
        time.sleep(60)
    set_password = delete_password = get_password

keyring.set_keyring(Hanging())

async def main():
    try:
        await KeyringStore(timeout=0.3).load(TokenKey("p", ProxyOrigin("https", "h", 443)))
    except StoreError as error:
        print(error.code, flush=True)

anyio.run(main)
"""
    before = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=25, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "keyring_timeout\n", "")
    assert time.monotonic() - before < 20


def test_importing_the_package_imports_neither_keyring_nor_httpx() -> None:
    program = (
        "import sys, tunnelui.auth, tunnelui.auth.keyring_store, tunnelui.auth.file_store, tunnelui.config\n"
        "bad = {'keyring', 'httpx', 'rich', 'textual', 'tomli_w'} & set(sys.modules)\n"
        "sys.exit(f'{bad}' if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=25, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_stand_in_for_plaintext_has_the_name_of_the_real_one() -> None:
    (python,) = require(KEYRINGS)
    program = "from keyrings.alt.file import PlaintextKeyring as real; print(real.__module__, real.__qualname__)"
    done = subprocess.run([python, "-c", program], capture_output=True, text=True, timeout=25, check=False)
    assert (done.stdout, done.stderr) == ("keyrings.alt.file PlaintextKeyring\n", "")
