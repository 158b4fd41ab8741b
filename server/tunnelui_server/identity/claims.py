"""From what a provider says to a `Person`: which claims count, and in which form."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from tunnelui_server.identity.person import Person, normalise_email
from tunnelui_server.identity.provider import SignInRefused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["flatten_claims", "person_from_claims"]

# About the token or the protocol, not about the person. The address is added back when it is verified.
_PROTOCOL: Final = frozenset(
    {"iss", "aud", "exp", "iat", "nbf", "jti", "azp", "nonce", "at_hash", "c_hash", "s_hash", "auth_time", "acr", "amr"}
    | {"sid", "sub_jwk", "email", "email_verified"}
)
_MAX_VALUES: Final = 2000
_MAX_VALUE: Final = 512
_MAX_DEPTH: Final = 4
_MAX_SUBJECT: Final = 255


def person_from_claims(id_token: Mapping[str, Any], userinfo: Mapping[str, Any], groups_claim: str) -> Person:
    """Make a person of the claims of a checked ID token and, where there is one, the userinfo answer.

    Userinfo is the newer of the two and wins claim by claim, but an address counts only with the ``email_verified``
    that stood beside it. Groups are the values of *groups_claim*; ``a/b`` reaches into nested claims.

    :raises SignInRefused: there is no sound ``sub``, or userinfo is about somebody else.
    """
    subject = id_token.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _MAX_SUBJECT or not subject.isprintable():
        raise SignInRefused("The identity provider did not say who you are.", code="claims", detail="no sub")
    if userinfo and userinfo.get("sub") != subject:
        raise SignInRefused(
            "The identity provider's answers contradict each other.", code="response", detail="userinfo: another sub"
        )
    email = _verified_email(userinfo) if "email" in userinfo else _verified_email(id_token)
    claims = flatten_claims({**id_token, **userinfo})
    if email:
        claims["email"] = (email,)
    groups = claims.get(groups_claim) or claims.get(groups_claim.replace("/", "."), ())
    name = userinfo.get("name", id_token.get("name"))
    return Person(
        user_id=subject,
        email=email,
        name=name[:_MAX_VALUE] if isinstance(name, str) else "",
        groups=frozenset(groups),
        claims=MappingProxyType(claims),
    )


def flatten_claims(claims: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Each claim as a tuple of strings; a nested object's members become ``outer.inner``.

    Numbers and booleans are written as in JSON. Null, values longer than 512 characters, what is nested deeper than
    four levels and what comes after 2,000 values is left out: policy can then only refuse.
    """
    gathered: dict[str, list[str]] = {}
    for count, (path, value) in enumerate(_walk(claims, "", 0)):
        if count >= _MAX_VALUES:
            break
        gathered.setdefault(path, []).append(value)
    return {path: tuple(values) for path, values in gathered.items()}


def _walk(claims: Mapping[str, Any], prefix: str, depth: int) -> Iterator[tuple[str, str]]:
    for name, value in claims.items():
        if not prefix and name in _PROTOCOL:
            continue
        path = f"{prefix}{name}"
        if isinstance(value, dict):
            if depth + 1 < _MAX_DEPTH:
                yield from _walk(value, f"{path}.", depth + 1)
            continue
        for item in value if isinstance(value, list) else [value]:
            text = _text(item)
            if text is not None and len(text) <= _MAX_VALUE:
                yield path, text


def _text(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return value if isinstance(value, str) else None


def _verified_email(claims: Mapping[str, Any]) -> str:
    email, verified = claims.get("email"), claims.get("email_verified")
    # Some providers write the boolean as a string.
    if not isinstance(email, str) or (verified is not True and verified != "true"):
        return ""
    return normalise_email(email)
