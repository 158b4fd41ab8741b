"""What every handler needs, made once."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tunnelui.errors import ProtocolError
from tunnelui_server.control.cookies import Cookies
from tunnelui_server.control.login_request import LoginRequests
from tunnelui_server.control.seal import Sealer
from tunnelui_server.sessions import InvalidToken, TokenSigner, find_token, token_issuer

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from tunnelui_server.config import ServerConfig
    from tunnelui_server.identity.provider import Provider
    from tunnelui_server.sessions import Session, SessionStore

__all__ = ["Services", "bearer_token"]


@dataclass(frozen=True)
class Services:
    """The parts of one control plane.

    :param provider: None when the configuration has public routes alone: then nobody signs in.
    :param clock: Unix time.
    """

    config: ServerConfig
    store: SessionStore
    provider: Provider | None
    clock: Callable[[], float] = time.time
    sealer: Sealer = field(init=False)
    signer: TokenSigner = field(init=False)
    cookies: Cookies = field(init=False)
    login_requests: LoginRequests = field(init=False)

    def __post_init__(self) -> None:
        secret = self.config.shared_secret_bytes
        issuer = token_issuer(self.config.authenticate_url)
        # The dataclass is frozen for everybody but its own making.
        object.__setattr__(self, "sealer", Sealer(secret, clock=self.clock))
        object.__setattr__(self, "signer", TokenSigner(secret, issuer, clock=self.clock))
        object.__setattr__(self, "cookies", Cookies(self.sealer, secure=self.is_secure))
        object.__setattr__(self, "login_requests", LoginRequests(self.sealer))

    @property
    def is_secure(self) -> bool:
        """Whether browsers reach the pages by TLS: it may end here or, with ``authenticate_url``, in front of us."""
        url = self.config.authenticate_url
        return url.startswith("https://") if url else not self.config.insecure_server

    def origin(self, request: Request) -> str:
        """The origin of all pages: ``authenticate_url``, or else the host that the client named."""
        if self.config.authenticate_url:
            return self.config.authenticate_url
        return f"{'https' if self.is_secure else 'http'}://{request.headers['host']}"

    def is_home(self, request: Request) -> bool:
        """Whether the request came to the host of the pages. Cookies live there and nowhere else."""
        if not self.config.authenticate_url:
            return True
        return request.headers["host"].lower() == urlsplit(self.config.authenticate_url).netloc.lower()

    async def browser_session(self, request: Request) -> Session | None:
        """The live session of the browser's cookie."""
        session_id = self.cookies.session_id(request)
        return await self.store.get(session_id) if session_id else None

    async def token_session(self, token: str) -> Session | None:
        """The live session that a token names; None for a token that is no good."""
        try:
            session_id = self.signer.verify(token)
        except InvalidToken:
            return None
        return await self.store.get(session_id)


def bearer_token(request: Request) -> str | None:
    """The token in a request's fields; None when there is none.

    Two that differ give an empty one, which names no session: the gateway takes neither too.
    """
    try:
        return find_token(request.headers.getlist)
    except ProtocolError:
        return ""
