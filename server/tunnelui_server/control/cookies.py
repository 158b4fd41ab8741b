"""Our cookies: sealed, HttpOnly, SameSite=Lax, and on TLS bound to this very host by the ``__Host-`` prefix."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tunnelui_server.identity.provider import Challenge

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from tunnelui_server.control.seal import Sealer

__all__ = ["Cookies", "Flow"]

FLOW_SECONDS: Final = 600.0
BROWSER_SECONDS: Final = 86_400.0
_MAX_FLOWS: Final = 4
_BROWSER_ID: Final = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Flow:
    """A browser that was sent to a provider: the secrets to compare with, and the login request that it began with."""

    challenge: Challenge
    request: str


class Cookies:
    """Reads and writes the cookies of one origin.

    :param secure: whether browsers reach us by TLS. Without (the loopback only), browsers refuse prefix and ``Secure``.
    """

    def __init__(self, sealer: Sealer, *, secure: bool) -> None:
        self._sealer = sealer
        self._secure = secure
        prefix = "__Host-" if secure else ""
        self._session, self._browser, self._flow = (f"{prefix}tunnelui{end}" for end in ("", "_browser", "_flow_"))

    def session_id(self, request: Request) -> str:
        """The id of the session that this browser holds; empty when it holds none that we sealed."""
        value = self._sealer.open("session-cookie", request.cookies.get(self._session, ""))
        return str(value["s"]) if value else ""

    def set_session(self, response: Response, session_id: str, lifetime: float) -> None:
        self._set(
            response, self._session, self._sealer.seal("session-cookie", {"s": session_id}, lifetime=lifetime), lifetime
        )

    def drop_session(self, response: Response) -> None:
        self._drop(response, self._session)

    def browser_id(self, request: Request) -> str:
        """A random value that only this browser has, before anybody has signed in; empty when there is none yet."""
        value = request.cookies.get(self._browser, "")
        return value if _BROWSER_ID.fullmatch(value) else ""

    @staticmethod
    def new_browser_id() -> str:
        return secrets.token_urlsafe(16)

    def set_browser_id(self, response: Response, value: str) -> None:
        self._set(response, self._browser, value, BROWSER_SECONDS)

    def set_flow(self, request: Request, response: Response, flow: Flow) -> None:
        """Remember a redirect to the provider. Several tabs may be under way; more than a few are forgotten."""
        others = [name for name in request.cookies if name.startswith(self._flow)]
        for name in others[: max(0, len(others) - _MAX_FLOWS + 1)]:
            self._drop(response, name)
        challenge = flow.challenge
        value = {"s": challenge.state, "n": challenge.nonce, "v": challenge.verifier, "r": flow.request}
        sealed = self._sealer.seal("flow-cookie", value, lifetime=FLOW_SECONDS)
        self._set(response, self._flow_name(challenge.state), sealed, FLOW_SECONDS)

    def flow(self, request: Request, state: str) -> Flow | None:
        """The redirect that went out with *state* from this browser."""
        value: dict[str, Any] | None = self._sealer.open("flow-cookie", request.cookies.get(self._flow_name(state), ""))
        if value is None:
            return None
        return Flow(Challenge(value["s"], value["n"], value["v"]), value["r"])

    def drop_flow(self, response: Response, state: str) -> None:
        self._drop(response, self._flow_name(state))

    def _flow_name(self, state: str) -> str:
        return self._flow + hashlib.sha256(state.encode("utf-8", "replace")).hexdigest()[:12]

    def _set(self, response: Response, name: str, value: str, lifetime: float) -> None:
        response.set_cookie(
            name, value, max_age=max(0, int(lifetime)), path="/", secure=self._secure, httponly=True, samesite="lax"
        )

    def _drop(self, response: Response, name: str) -> None:
        response.delete_cookie(name, path="/", secure=self._secure, httponly=True, samesite="lax")
