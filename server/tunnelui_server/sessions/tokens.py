"""The token: a small signed JWT that names a session.

It is signed with HS256, not EdDSA: both planes of one server make and check tokens and hold the same secret, so a
public key would protect nothing. The key is derived for this purpose alone; nothing else that the shared secret signs
can pass for a token. The token proves only which session it names: whether that session still lives is the store's
answer.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import time
from typing import TYPE_CHECKING, Any, Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from tunnelui.errors import AuthError
from tunnelui_server.sessions.keys import derive_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from tunnelui_server.sessions.model import Session

__all__ = ["MAX_TOKEN", "InvalidToken", "TokenSigner", "token_issuer"]

MAX_TOKEN: Final = 8 * 1024
"""No token longer than this is even decoded."""

LEEWAY: Final = 60.0
"""Seconds by which clocks may differ."""

_ALGORITHM: Final = "HS256"
_MAX_TIME: Final = 2.0**53  # Unix seconds; NaN and infinities fail the comparison as well
_TYPE: Final = "tunnelui-session+jwt"
_HEADER: Final = {"alg": _ALGORITHM, "typ": _TYPE}


class InvalidToken(AuthError):
    """The token was not made here, or not for this, or not any more. ``code`` says which: ``malformed``, ``signature``,
    ``claims`` or ``expired``. The sentence never contains any of the token."""

    default_code = "invalid_token"


def token_issuer(authenticate_url: str | None) -> str:
    """The issuer and audience that both planes of one deployment put into tokens and demand."""
    return authenticate_url.rstrip("/") if authenticate_url else "tunnelui-server"


class TokenSigner:
    """Makes and checks tokens.

    :param shared_secret: the deployment's secret, at least 16 bytes.
    :param issuer: see `token_issuer`; it is the audience as well, because only this deployment reads its tokens.
    :param clock: Unix time.
    """

    def __init__(self, shared_secret: bytes, issuer: str, *, clock: Callable[[], float] = time.time) -> None:
        self._key = OctKey.import_key(derive_key(shared_secret, "session-token"))
        self._issuer = issuer
        self._clock = clock

    def issue(self, session: Session) -> str:
        """Return a token for *session*, below 1 KiB. It expires with the session."""
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "aud": [self._issuer],
            "sub": session.person.user_id[:255],
            "jti": session.id,
            "iat": int(session.issued_at),
            "exp": math.ceil(session.expires_at),
        }
        if session.person.email:
            claims["email"] = session.person.email  # so that a client can show whose token it holds
        return jwt.encode(dict(_HEADER), claims, self._key, algorithms=[_ALGORITHM])

    def verify(self, token: str) -> str:
        """Return the id of the session that *token* names.

        :raises InvalidToken: anything about it is not as `issue` makes it.
        """
        if len(token) > MAX_TOKEN:
            raise InvalidToken("the token is too long", code="malformed")
        _check_form(token)
        try:
            decoded = jwt.decode(token, self._key, algorithms=[_ALGORITHM])
        except (JoseError, ValueError, TypeError, RecursionError):
            raise InvalidToken("the token's signature is wrong", code="signature") from None
        return self._check_claims(decoded.claims)

    def _check_claims(self, claims: dict[str, Any]) -> str:
        if claims.get("iss") != self._issuer or claims.get("aud") != [self._issuer]:
            raise InvalidToken("the token is for another server", code="claims")
        session_id = claims.get("jti")
        if not isinstance(session_id, str) or not session_id or not isinstance(claims.get("sub"), str):
            raise InvalidToken("the token names no session", code="claims")
        now = self._clock()
        if now >= _number(claims, "exp") + LEEWAY:
            raise InvalidToken("the token has expired", code="expired")
        if now < _number(claims, "iat") - LEEWAY or ("nbf" in claims and now < _number(claims, "nbf") - LEEWAY):
            raise InvalidToken("the token is from the future", code="claims")
        return session_id


def _check_form(token: str) -> None:
    """Refuse every header but our own before any library sees it.

    So there is no other algorithm or type, no ``crit``, and no ``kid``, ``jku``, ``jwk`` or ``x5u`` that could point at
    another key."""
    parts = token.split(".")
    if len(parts) != 3:
        raise InvalidToken("the token has not three parts", code="malformed")
    try:
        header = json.loads(_decode_part(parts[0]))
        _decode_part(parts[1])
        _decode_part(parts[2])
    except (ValueError, RecursionError):
        raise InvalidToken("the token can't be decoded", code="malformed") from None
    if header != _HEADER:
        raise InvalidToken("the token has another header than this server writes", code="malformed")


def _decode_part(part: str) -> bytes:
    """Strict base64url without padding: one value has one spelling."""
    try:
        raw = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("not base64url") from None
    if base64.urlsafe_b64encode(raw).rstrip(b"=") != part.encode("ascii"):
        raise ValueError("not canonical base64url")
    return raw


def _number(claims: dict[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _MAX_TIME:
        raise InvalidToken("the token has no times", code="claims")
    return float(value)
