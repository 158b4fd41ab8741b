"""A sign-in under way, which everybody who needs a token shares. Loaded when one begins: most runs have a token."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Final

import anyio

from tunnelui.errors import SignInFailed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tunnelui.auth.sign_in import SignIn
    from tunnelui.auth.token_store import TokenKey
    from tunnelui.auth.tokens import Token
    from tunnelui.errors import AuthError

__all__ = ["Flight"]

_CANCELLED: Final = "cancelled"
_KEEPING: Final = 10.0
"""Seconds in which a store keeps a token, at most."""


class Flight:
    """What is known of it, and how it ended.

    :param sign_in: ``None`` when only the store is asked.
    """

    def __init__(self, sign_in: SignIn | None, rejected: Token | None) -> None:
        self.sign_in = sign_in
        self.rejected = rejected
        self.known: Token | None = None  # what was in the store when it began
        self.scope = anyio.CancelScope()
        self.ended = anyio.Event()
        self.landed = anyio.Event()  # its task is over: the browser has its last page
        self.saved = anyio.Event()  # only after a token
        self.token: Token | None = None
        self.error: AuthError | None = None
        self.routes: list[str] = []

    async def lead(
        self,
        key: TokenKey | None,
        land: Callable[[Token], None],
        look: Callable[[], Awaitable[Token | None]],
        *,
        asked: bool,
        often: bool,
    ) -> None:
        """Carry the sign-in out. A browser opens for who was *asked* for it; else only while no other process has one
        open for the same sign-in.

        :param key: whose token it is; ``None`` where no other process can have it.
        :param land: takes the token.
        :param look: returns one that another process has saved; asked again and again with *often*.
        """
        if self.sign_in is None:
            return
        from tunnelui.auth.turn import Turn

        turns = self.sign_in.turns() if key is not None else None
        turn = Turn(turns, key) if turns is not None and key is not None else None
        if asked and turn is not None:
            turn.take()
        try:
            await self.sign_in.run(land, look, often=often, turn=None if asked else turn)
        finally:
            self.landed.set()
            if turn is not None:
                if self.token is not None:  # kept before another process looks
                    with anyio.move_on_after(_KEEPING, shield=True):
                        await self.saved.wait()
                turn.release()

    def result(self) -> Token:
        """Return the token once it has ended; raise what it failed with."""
        if self.token is not None:
            return self.token
        # A copy for each: one exception raised in many tasks would gather all their tracebacks.
        raise copy.copy(self.error) if self.error is not None else self.cancellation()

    @staticmethod
    def cancellation() -> SignInFailed:
        """Return the error of one that was cancelled."""
        return SignInFailed("the sign-in was cancelled", code=_CANCELLED, hint="Connect again to start another one.")

    @property
    def was_cancelled(self) -> bool:
        return self.error is not None and self.error.code == _CANCELLED
