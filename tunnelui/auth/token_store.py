"""What a token store is; `tunnelui.auth.stores` chooses one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from tunnelui.errors import LocalError
from tunnelui.frozen import frozen

if TYPE_CHECKING:
    from tunnelui.auth.tokens import Token
    from tunnelui.wire.destination import ProxyOrigin

__all__ = ["FILE_STORE_HINT", "StoreError", "TokenKey", "TokenStore"]

FILE_STORE_HINT: Final = (
    "To keep it in a private file instead: --token-store file (or TUNNELUI_TOKEN_STORE=file; for good: "
    'token_store = "file" in config.toml).'
)


class StoreError(LocalError):
    """The store can't be used now; the token stays in memory. The sentence fits on one line."""

    default_code = "token_store"


@frozen
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
