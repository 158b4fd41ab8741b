"""The token: a secret that hides itself, and what can be read from it without trusting it.

The proxy alone decides whether a token counts. What stands in its claims is shown to the person and never acted upon.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from typing import TYPE_CHECKING, Any, Final, NoReturn, final
from urllib.parse import unquote, urlsplit

from tunnelui.errors import SignInFailed
from tunnelui.text import clean

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["EXPIRY_LEEWAY", "JWT_PARAMETER", "MAX_TOKEN", "Token", "token_in_query"]

MAX_TOKEN: Final = 8 * 1024
"""The longest token, in characters."""

EXPIRY_LEEWAY: Final = 60.0
"""Clocks differ: seconds after ``exp`` before a token is called expired."""

JWT_PARAMETER: Final = "pomerium_jwt"
"""The query parameter that carries a token back from the browser."""

# token68 of RFC 9110 section 11.2, which covers every JWT: nothing of it can end a header line or start another field.
_TOKEN68: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*", re.ASCII)
_MAX_PASTE: Final = 4 * MAX_TOKEN
_LATEST: Final = 253402300799.0  # the end of the year 9999; what is above can't be shown as a date
_QUOTES: Final = "\"'`<>“”‘’«»"
_WRAP: Final = re.compile(r"[ \t]*[\r\n]+[ \t]*")
_HINT: Final = (
    "Paste the whole address that the browser ended on (http://127.0.0.1:…?pomerium_jwt=…), or the token itself."
)


@final
class Token:
    """A bearer token. Only `value` reveals it: printing, formatting, copying into a dict or pickling do not.

    Not a dataclass on purpose, since `dataclasses.asdict` would spell it out in some log.
    """

    __slots__ = ("_claims", "_value")

    def __init__(self, value: str) -> None:
        """
        :raises SignInFailed: *value* is empty, longer than `MAX_TOKEN`, or has a character that no token has.
        """
        if len(value) > MAX_TOKEN:
            raise _no_token(f"it is longer than {MAX_TOKEN} characters")
        if not _TOKEN68.fullmatch(value):
            raise _no_token("it has characters that no token has" if value else "it is empty")
        self._value = value
        self._claims: Mapping[str, Any] | None = None

    @classmethod
    def parse(cls, text: str) -> Token:
        """Read what a person pasted: a token, or an address that carries one as ``pomerium_jwt``.

        Blanks, line breaks and quotes around it are dropped, and so are line breaks within: terminals wrap.

        :raises SignInFailed: there is no token in it. The text itself is never part of the message.
        """
        if len(text) > _MAX_PASTE:
            raise _no_token(f"it is longer than {_MAX_PASTE} characters")
        text = _WRAP.sub("", text.strip()).strip(_QUOTES).strip()
        if not text:
            raise _no_token("it is empty")
        if f"{JWT_PARAMETER}=" in text:
            return cls._from_address(text)
        if "://" in text:
            raise _no_token(f"the address has no {JWT_PARAMETER}")
        return cls(text)

    @classmethod
    def _from_address(cls, text: str) -> Token:
        try:
            parts = urlsplit(text)
        except ValueError:
            raise _no_token("it is no address") from None
        tokens = set()
        for query in (parts.query, parts.fragment.lstrip("?"), "" if parts.query or parts.fragment else parts.path):
            tokens |= token_in_query(query)
        if len(tokens) != 1:
            raise _no_token("it has several tokens" if tokens else f"its {JWT_PARAMETER} is not where it belongs")
        return cls(tokens.pop())

    @property
    def value(self) -> str:
        """The secret itself."""
        return self._value

    @property
    def claims(self) -> Mapping[str, Any]:
        """What a JWT says of itself, **not verified**; empty when it is opaque."""
        if self._claims is None:
            self._claims = _decode_claims(self._value)
        return self._claims

    @property
    def name(self) -> str:
        """The person's e-mail address or subject, clean; empty when the token does not tell."""
        for claim in ("email", "sub"):
            value = self.claims.get(claim)
            if isinstance(value, str) and value.strip():
                return clean(value.strip(), 100)
        return ""

    @property
    def expires_at(self) -> float | None:
        """Unix time of ``exp``; ``None`` when the token does not tell (current Pomerium servers never do)."""
        value = self.claims.get("exp")
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return None
        try:
            moment = float(value)
        except OverflowError:
            return None
        return moment if math.isfinite(moment) and 0 < moment <= _LATEST else None

    def is_expired(self, now: float) -> bool:
        """Whether ``exp`` lies more than `EXPIRY_LEEWAY` before *now* (Unix time)."""
        expires_at = self.expires_at
        return expires_at is not None and now > expires_at + EXPIRY_LEEWAY

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Token) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return "Token(***)"

    def __format__(self, specification: str) -> str:
        return format(repr(self), specification)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a token is not pickled")

    def __copy__(self) -> Token:
        return self

    def __deepcopy__(self, memo: object) -> Token:
        return self


def token_in_query(query: str) -> set[str]:
    """Return the different values of ``pomerium_jwt`` in a query; they are unchecked text."""
    # A plus stays a plus: no token has a blank, and some have a plus.
    pairs = (part.partition("=") for part in query.split("&"))
    return {unquote(value) for name, _, value in pairs if name.removeprefix("?") == JWT_PARAMETER}


def _decode_claims(value: str) -> Mapping[str, Any]:
    parts = value.split(".")
    if len(parts) != 3:
        return {}
    import json  # here: a run without a token reads none

    try:
        payload = base64.b64decode(parts[1] + "=" * (-len(parts[1]) % 4), altchars=b"-_", validate=True)
        claims = json.loads(payload)
    except (ValueError, binascii.Error, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _no_token(reason: str) -> SignInFailed:
    return SignInFailed(f"this is no token: {reason}", code="no_token", hint=_HINT)
