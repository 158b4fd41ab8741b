"""Where tokens are kept between runs: the store in memory, and the choice."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from tunnelui.auth.token_store import StoreError
from tunnelui.errors import ConfigError
from tunnelui.text import clean

if TYPE_CHECKING:
    from pathlib import Path

    from tunnelui.auth.token_store import TokenKey, TokenStore
    from tunnelui.auth.tokens import Token

__all__ = ["STORE_KINDS", "MemoryStore", "open_store"]

STORE_KINDS: Final = ("keyring", "file", "memory")
STORE_VARIABLE: Final = "TUNNELUI_TOKEN_STORE"


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
    shows then, in `tunnelui.auth.credential_status.CredentialStatus`.

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
