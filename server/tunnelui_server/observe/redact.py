"""Secrets never reach a log, whoever writes the line: fields are known by their name, and texts by their form."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["REDACTED", "is_secret_name", "redact"]

REDACTED: Final = "[redacted]"

_NAMES: Final = frozenset(
    {
        "assertion",
        "authorization",
        "client_secret",
        "code",
        "code_verifier",
        "cookie",
        "id_token",
        "idp_client_secret",
        "nonce",
        "access_token",
        "refresh_token",
        "password",
        "password_hash",
        "pomerium_jwt",
        "pomerium_session",
        "pomerium_session_encrypted",
        "pomerium_signature",
        "proxy_authorization",
        "secret",
        "set_cookie",
        "shared_secret",
        "state",
        "token",
        "x_pomerium_authorization",
    }
)
_ANY_NAME: Final = "|".join(sorted(name.replace("_", "[_-]") for name in _NAMES))
# In a query or a form, perhaps encoded once more: what stands behind a secret name, up to the next parameter.
_PARAMETER: Final = re.compile(rf"(?i)(?:(?<![a-z0-9_])|(?<=%[0-9a-f][0-9a-f]))({_ANY_NAME})(=|%3D)[^\s&\"';,]+")
# In JSON or the like, and in a head.
_QUOTED: Final = re.compile(rf"(?i)([\"'](?:{_ANY_NAME})[\"']\s*:\s*)(\"[^\"]*\"?|'[^']*'?|[^\s,}}]+)")
_HEADER: Final = re.compile(r"(?i)\b((?:proxy-|x-pomerium-)?authorization|(?:set-)?cookie)(: *)[^\r\n]+")
_SCHEME: Final = re.compile(r"(?i)\b(Basic|Bearer|Pomerium) +[A-Za-z0-9._~+/=-]{8,}")
# A JWT wherever it stands: two or three base64url parts, the first a JSON object.
_JWT: Final = re.compile(r"\beyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?")
_ARGON2: Final = re.compile(r"\$argon2[a-z]*\$\S+")
# Addresses, numbers and words without what every pattern needs: a sign, a quotation mark, a space or a header's name.
_HARMLESS: Final = re.compile(r"[0-9a-fA-F.:\[\]-]*|[A-Za-z0-9._/-]*")


def is_secret_name(name: str) -> bool:
    """Whether a field of this name is never to be shown."""
    return name.lower().replace("-", "_") in _NAMES


def redact(text: str) -> str:
    """Return *text* without the tokens, codes and passwords that it may carry.

    A pattern is tried only where a part that all its matches have is there: most texts are short and have none. So a
    line with a field more takes hardly longer, and the time of an answer does not tell which fields its line has.
    """
    if _HARMLESS.fullmatch(text) and "eyJ" not in text:
        return text
    folded = text.casefold()
    if "eyJ" in text:
        text = _JWT.sub(REDACTED, text)
    if "$argon2" in text:
        text = _ARGON2.sub(REDACTED, text)
    if "=" in folded or "%3d" in folded:
        text = _PARAMETER.sub(rf"\1\2{REDACTED}", text)
    if "'" in folded or '"' in folded:
        text = _QUOTED.sub(rf"\1{REDACTED}", text)
    if "authorization" in folded or "cookie" in folded:
        text = _HEADER.sub(rf"\1\2{REDACTED}", text)
    if "basic " in folded or "bearer " in folded or "pomerium " in folded:
        text = _SCHEME.sub(rf"\1 {REDACTED}", text)
    return text
