"""One program's wish for a token, from the login address to the moment when the token is handed over.

It travels sealed: five minutes in the address that the program shows, then ten in the pages of the sign-in, then one as
the code that the callback redeems. Its id is good for one token.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tunnelui_server.control.redirects import LoopbackRedirect, RedirectError, parse_redirect

if TYPE_CHECKING:
    from tunnelui_server.control.seal import Purpose, Sealer

__all__ = ["CODE_SECONDS", "LoginRequest", "LoginRequests"]

URL_SECONDS: Final = 300.0
PENDING_SECONDS: Final = 600.0
CODE_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class LoginRequest:
    id: str
    redirect: LoopbackRedirect


class LoginRequests:
    """Seals and opens login requests."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def begin(self, redirect: LoopbackRedirect) -> str:
        """The value of ``request`` in a new sign-in address."""
        return self._seal("login-url", LoginRequest(secrets.token_urlsafe(16), redirect), URL_SECONDS)

    def keep(self, text: str) -> str | None:
        """The value for the pages that follow, once the address was opened in time; None when *text* is not accepted.

        What was kept before stays as it is: loading a page again makes no sign-in live longer.
        """
        request = self._open("login-url", text)
        if request is not None:
            return self._seal("login-pending", request, PENDING_SECONDS)
        return text if self._open("login-pending", text) else None

    def code(self, request: LoginRequest, session_id: str) -> str:
        """The one-time code that the browser of *session_id*, and no other, may redeem."""
        return self._seal("login-code", request, CODE_SECONDS, session_id)

    def accept(self, text: str) -> LoginRequest | None:
        """What `begin` or `keep` sealed; None when it is too old or not ours."""
        return self._open("login-url", text) or self._open("login-pending", text)

    def redeem(self, code: str, session_id: str) -> LoginRequest | None:
        """What `code` sealed for this very session. The caller claims the id, which makes it good for one use."""
        return self._open("login-code", code, session_id)

    def _seal(self, purpose: Purpose, request: LoginRequest, lifetime: float, session_id: str = "") -> str:
        value = {"i": request.id, "r": request.redirect.text, "s": session_id}
        return self._sealer.seal(purpose, value, lifetime=lifetime)

    def _open(self, purpose: Purpose, text: str, session_id: str = "") -> LoginRequest | None:
        value: dict[str, Any] | None = self._sealer.open(purpose, text)
        if value is None or value["s"] != session_id:
            return None
        try:
            # Checked again each time: a rule that became stricter holds for what was sealed before.
            return LoginRequest(value["i"], parse_redirect(value["r"]))
        except RedirectError:
            return None
