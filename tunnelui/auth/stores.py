"""Where tokens are kept between runs: the interface, the store in memory, and the choice."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from tunnelui.errors import ConfigError, LocalError
from tunnelui.text import clean

if TYPE_CHECKING:
    from pathlib import Path

    from tunnelui.auth.tokens import Token
    from tunnelui.wire.destination import ProxyOrigin

__all__ = ["STORE_KINDS", "MemoryStore", "StoreError", "TokenKey", "TokenStore", "open_store"]

STORE_KINDS: Final = ("keyring", "file", "memory")
STORE_VARIABLE: Final = "TUNNELUI_TOKEN_STORE"
FILE_STORE_HINT: Final = "To keep it in a private file instead: --token-store file (or TUNNELUI_TOKEN_STORE=file)."


class StoreError(LocalError):
    """The store can't be used now; the token stays in memory. The sentence fits on one line."""

    default_code = "token_store"


@dataclass(frozen=True, slots=True)
class TokenKey:
    """What a token belongs to. Two profiles at one proxy have a token each."""

    profile: str
    proxy: ProxyOrigin

    def __str__(self) -> str:
        # An origin has no blank, so this can't be read in two ways.
        return f"{self.proxy} {self.profile}"


class TokenStore(Protocol):
    """Keeps one token per key.

    ``kind`` is ``keyring``, ``file`` or ``memory``; ``description`` says for people where that is. Every operation
    raises `StoreError` when it can't be done, within a bounded time.
    """

    @property
    def kind(self) -> str: ...

    @property
    def description(self) -> str: ...

    async def load(self, key: TokenKey) -> Token | None:
        """Return the token, or ``None`` when there is none."""
        ...

    async def save(self, key: TokenKey, token: Token) -> None:
        """Keep *token* in place of an earlier one."""
        ...

    async def delete(self, key: TokenKey) -> None:
        """Forget the token. No effect when there is none."""
        ...


class MemoryStore:
    """Forgets everything when the process ends."""

    kind = "memory"
    description = "memory, until tunnelui ends"

    def __init__(self) -> None:
        self._tokens: dict[TokenKey, Token] = {}

    async def load(self, key: TokenKey) -> Token | None:
        return self._tokens.get(key)

    async def save(self, key: TokenKey, token: Token) -> None:
        self._tokens[key] = token

    async def delete(self, key: TokenKey) -> None:
        self._tokens.pop(key, None)


async def open_store(
    kind: str | None = None,
    *,
    configured: str | None = None,
    folder: Path | None = None,
    timeout: float = 10.0,
    probe: bool = False,
) -> tuple[TokenStore, str]:
    """Choose a store: *kind* (``--token-store``), else ``TUNNELUI_TOKEN_STORE``, else *configured*, else the keyring.

    The keyring is not touched before the first token is wanted, since that takes time and may show a dialog; trouble
    shows then, in `tunnelui.auth.credentials.CredentialStatus`.

    :param folder: of the ``file`` store; by default ``tokens`` in the state folder.
    :param timeout: seconds that one call to the keyring may take.
    :param probe: open the keyring at once. Where it is unusable the result is a store in memory and a line that says
        so; otherwise that line is empty.
    :raises ConfigError: there is no such kind; ``place`` says who asked for it.
    """
    name, place = _choose(kind, configured)
    if name not in STORE_KINDS:
        raise ConfigError(
            f"“{clean(name, 40)}” is no token store", place=place, hint=f"Choose one of: {', '.join(STORE_KINDS)}."
        )
    if name == "memory":
        return MemoryStore(), ""
    if name == "file":
        from tunnelui.auth.file_store import FileStore, default_folder

        return FileStore(folder or default_folder()), ""
    from tunnelui.auth.keyring_store import KeyringStore

    store = KeyringStore(timeout=timeout)
    if probe:
        try:
            await store.open()
        except StoreError as error:
            return MemoryStore(), f"{error.message} {error.hint}"
    return store, ""


def _choose(kind: str | None, configured: str | None) -> tuple[str, str]:
    for name, place in (
        (kind, "--token-store"),
        (os.environ.get(STORE_VARIABLE), STORE_VARIABLE),
        (configured, "token_store"),
    ):
        if name:
            return name, place
    return "keyring", ""
