"""One token in its store: operations in order, and failures as a note instead of an error."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeVar

from tunnelui.errors import TunnelError
from tunnelui.text import clean

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tunnelui.auth.token_store import TokenKey, TokenStore
    from tunnelui.auth.tokens import Token

__all__ = ["Vault"]

T = TypeVar("T")
_LAST_WORDS: Final = 2.0  # seconds to finish saving when everything is being cancelled


class Vault:
    """Keeps the token of *key* in *store*. ``problem`` is why the last operation failed, or ``None``.

    :param on_change: called when `kind` or `note` is another. It must not raise.
    """

    def __init__(self, key: TokenKey, store: TokenStore, on_change: Callable[[], None] = lambda: None) -> None:
        self._key = key
        self._store = store
        self._on_change = on_change
        self._lock = asyncio.Lock()
        self.problem: TunnelError | None = None

    @property
    def kind(self) -> str:
        """Where the token is: the kind of the store, or ``memory`` while that fails."""
        return "memory" if self.problem is not None else self._store.kind

    @property
    def note(self) -> str:
        """One line of trouble and the way out, or empty."""
        return clean(f"{self.problem} {self.problem.hint}".strip(), 300) if self.problem is not None else ""

    async def load(self) -> Token | None:
        """Return the token; ``None`` when there is none, or the store fails."""
        async with self._lock:
            return await self._guard(self._store.load(self._key))

    async def replace_refused(self, refused: Token | None) -> Token | None:
        """Delete *refused* where it is still the one in the store; return any other that is there instead."""
        async with self._lock:
            token = await self._guard(self._store.load(self._key))
            if token is None or token != refused:
                return token
            await self._guard(self._store.delete(self._key))
            return None

    async def save(self, token: Token, is_wanted: Callable[[], bool]) -> None:
        """Keep *token*, unless *is_wanted* says when its turn comes that it was replaced meanwhile.

        Cancelled, it takes a moment more: Ctrl-C right after a sign-in shall not cost another one.
        """
        try:
            await self._save(token, is_wanted)
        except asyncio.CancelledError:
            import anyio  # here: for nothing else, and a token is seldom saved

            with anyio.move_on_after(_LAST_WORDS, shield=True):
                await self._save(token, is_wanted)
            raise

    async def delete(self) -> None:
        """Forget the token.

        :raises TunnelError: the store still has it.
        """
        async with self._lock:
            await self._guard(self._store.delete(self._key))
            if self.problem is not None:
                raise self.problem

    async def _save(self, token: Token, is_wanted: Callable[[], bool]) -> None:
        async with self._lock:
            if is_wanted():
                await self._guard(self._store.save(self._key, token))

    async def _guard(self, operation: Awaitable[T]) -> T | None:
        try:
            result = await operation
        except TunnelError as error:
            self._now(error)
            return None
        self._now(None)
        return result

    def _now(self, problem: TunnelError | None) -> None:
        before, self.problem = self.note, problem
        if self.note != before:
            self._on_change()
