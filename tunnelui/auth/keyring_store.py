"""Tokens in the system's keyring.

Every call blocks, may show a dialog of the desktop, and may hang; `tunnelui.auth.blocking` bounds it. keyring chooses
a backend by itself and, where no real one works, takes one that keeps passwords in plain text or not at all. Those
are refused by name.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

from tunnelui.auth.blocking import BlockingCalls
from tunnelui.auth.token_store import FILE_STORE_HINT, StoreError, TokenKey
from tunnelui.auth.tokens import Token
from tunnelui.errors import SignInFailed
from tunnelui.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from keyring.backend import KeyringBackend

    T = TypeVar("T")

__all__ = ["KeyringStore", "delete_entry", "find_backend", "refusal_of"]

_SERVICE: Final = "tunnelui"
_STAYS: Final = "the token stays in memory."


class KeyringStore:
    """The keyring of this desktop, opened when it is first needed.

    :param timeout: seconds that one call may take.
    """

    kind = "keyring"

    def __init__(self, *, timeout: float = 10.0) -> None:
        self._timeout = timeout
        self._calls = BlockingCalls("keyring")
        self._backend: KeyringBackend | None = None
        self._refused: StoreError | None = None

    @property
    def description(self) -> str:
        """``keyring``, and which one when it is open."""
        return f"keyring: {_name(self._backend)}" if self._backend is not None else "keyring"

    async def open(self) -> None:
        """Find the backend, once.

        :raises StoreError: there is none that keeps secrets, or it does not answer.
        """
        if self._refused is not None:
            raise StoreError(self._refused.message, code=self._refused.code, hint=self._refused.hint)
        if self._backend is None:
            backend = await self._call(find_backend)
            if isinstance(backend, str):
                self._refused = StoreError(f"{backend}; {_STAYS}", code="keyring_refused", hint=FILE_STORE_HINT)
                raise self._refused
            self._backend = backend

    async def load(self, key: TokenKey) -> Token | None:
        backend = await self._opened()
        value = await self._call(functools.partial(backend.get_password, _SERVICE, str(key)))
        if not value:
            return None
        try:
            return Token(value)
        except SignInFailed:
            return None  # somebody else's entry, or a damaged one: as good as none

    async def save(self, key: TokenKey, token: Token) -> None:
        backend = await self._opened()
        await self._call(functools.partial(backend.set_password, _SERVICE, str(key), token.value))

    async def delete(self, key: TokenKey) -> None:
        backend = await self._opened()
        await self._call(functools.partial(delete_entry, backend, _SERVICE, str(key)))

    async def _opened(self) -> KeyringBackend:
        await self.open()
        if self._backend is None:
            raise AssertionError("open() either sets the backend or raises")
        return self._backend

    async def _call(self, function: Callable[[], T]) -> T:
        try:
            return await self._calls.run(function, timeout=self._timeout)
        except TimeoutError:
            raise StoreError(
                f"the keyring did not answer within {self._timeout:g} s (is it locked?); {_STAYS}",
                code="keyring_timeout",
                hint=FILE_STORE_HINT,
            ) from None
        except Exception as error:  # backends raise what they like: D-Bus errors, RuntimeError, OSError
            raise StoreError(
                f"the keyring failed ({_reason(error)}); {_STAYS}", code="keyring_failed", hint=FILE_STORE_HINT
            ) from error


def refusal_of(backend: KeyringBackend) -> str:
    """Return why *backend* is not used, as part of a sentence; empty when it may be."""
    module, name = type(backend).__module__, type(backend).__qualname__
    if module == "keyring.backends.fail":
        return "this machine has no usable keyring"
    if module == "keyring.backends.null":
        return "keyring is switched off here (keyring.backends.null)"
    # The rest of keyrings.alt is no better: it asks for passwords on the terminal, or only disguises the text.
    if module.split(".")[:2] == ["keyrings", "alt"] or "plaintext" in name.lower():
        return f"the keyring in use, {clean(module, 60)}.{clean(name, 60)}, keeps passwords readable"
    return ""


def find_backend() -> KeyringBackend | str:
    """Return the backend to use, or why there is none. Blocks: imports keyring (100 ms), and D-Bus calls."""
    import keyring
    from keyring.backends.chainer import ChainerBackend

    backend = keyring.get_keyring()
    if not isinstance(backend, ChainerBackend):
        return refusal_of(backend) or backend
    # A chain hands the secret to any of its links, so the best good one is taken alone.
    links: list[KeyringBackend] = list(backend.backends)
    for link in links:
        if not refusal_of(link):
            return link
    return refusal_of(links[0]) if links else "this machine has no usable keyring"


def delete_entry(backend: KeyringBackend, service: str, user: str) -> None:
    """Delete an entry; none is as good. Blocks, and raises what the backend raises."""
    from keyring.errors import PasswordDeleteError

    try:
        backend.delete_password(service, user)
    except PasswordDeleteError:
        # Backends say this for a missing entry, and some for any failure.
        if backend.get_password(service, user) is not None:
            raise


def _name(backend: KeyringBackend) -> str:
    try:
        return clean(str(backend.name), 60)
    except Exception:  # a property of somebody else's class
        return type(backend).__name__


def _reason(error: Exception) -> str:
    text = clean(str(error), 120).strip()
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
