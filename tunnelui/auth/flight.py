"""A sign-in under way, which everybody who needs a token shares. Loaded when one begins: most runs have a token."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Final

import anyio

from tunnelui.errors import SignInFailed

if TYPE_CHECKING:
    from tunnelui.auth.sign_in import SignIn
    from tunnelui.auth.tokens import Token
    from tunnelui.errors import AuthError

__all__ = ["Flight"]

_CANCELLED: Final = "cancelled"


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
