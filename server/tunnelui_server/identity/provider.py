"""What the control plane asks of an identity provider, whichever it is.

A provider either checks a password that was typed into our page, or sends the browser elsewhere and reads the answer
that it comes back with.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from tunnelui.errors import AuthError, TunnelError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tunnelui_server.identity.person import Person

__all__ = [
    "Challenge",
    "PasswordProvider",
    "Provider",
    "ProviderUnavailable",
    "RedirectProvider",
    "SignInRefused",
    "TooManyAttempts",
]


class SignInRefused(AuthError):
    """This sign-in does not end with a person. The sentence is fit for the page and repeats nothing that came in.

    ``code``: ``password`` (wrong user or password, never which), ``throttled``, ``denied`` (the provider said no),
    ``response`` (its answer breaks the protocol, or is an attack), ``claims`` (it says too little about the person).
    ``detail`` is for the log only.
    """

    default_code = "sign_in_refused"

    def __init__(self, message: str, *, code: str, detail: str = "") -> None:
        super().__init__(message, code=code)
        self.detail = detail


class TooManyAttempts(SignInRefused):
    """Wait ``retry_after`` seconds first."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("There were too many attempts. Wait a little, then try again.", code="throttled")
        self.retry_after = retry_after


class ProviderUnavailable(TunnelError):
    """The provider can't be asked just now. ``detail`` is for the log only."""

    default_code = "provider_unavailable"

    def __init__(self, detail: str) -> None:
        super().__init__("The identity provider can't be reached just now. Try again in a moment.")
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Challenge:
    """The secrets of one redirect to a provider. They wait in a cookie of the browser that was sent away.

    ``state`` ties the answer to that browser, ``nonce`` ties the ID token to it, ``verifier`` is PKCE's (RFC 7636).
    """

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)

    @classmethod
    def new(cls) -> Challenge:
        """128 random bits each for state and nonce, 256 for the verifier."""
        return cls(secrets.token_urlsafe(16), secrets.token_urlsafe(16), secrets.token_urlsafe(32))

    @property
    def code_challenge(self) -> str:
        digest = hashlib.sha256(self.verifier.encode("ascii")).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


@runtime_checkable
class PasswordProvider(Protocol):
    """Checks what was typed into our own page."""

    name: str

    async def check_password(self, user: str, password: str, address: str) -> Person:
        """The person whom *user* and *password* name.

        :param address: the client's IP address, for throttling.
        :raises SignInRefused: not these, or not so soon.
        """
        ...

    async def aclose(self) -> None: ...


@runtime_checkable
class RedirectProvider(Protocol):
    """Sends the browser elsewhere."""

    name: str

    async def sign_in_url(self, challenge: Challenge, redirect_uri: str) -> str:
        """Where the browser goes.

        :raises ProviderUnavailable: it can't be found out.
        """
        ...

    async def finish(self, parameters: Mapping[str, str], challenge: Challenge, redirect_uri: str) -> Person:
        """The person, from the query parameters that the browser came back with. The caller has found *challenge* in
        the browser's own cookie and made sure that it is used once.

        :raises SignInRefused: the answer does not prove one.
        :raises ProviderUnavailable: the provider does not answer us.
        """
        ...

    async def aclose(self) -> None: ...


Provider = PasswordProvider | RedirectProvider
