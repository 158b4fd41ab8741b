"""Checking an ID token (OpenID Connect Core 3.1.3.7) against a provider's keys."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import TYPE_CHECKING, Any, Final

from joserfc import jws
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from tunnelui_server.identity.provider import SignInRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["ALGORITHMS", "KeySet", "check_id_token", "token_key_id"]

MAX_ID_TOKEN: Final = 8 * 1024
LEEWAY: Final = 60.0
_MAX_AGE: Final = 600.0
_MAX_KEYS: Final = 50
_MIN_RSA_BITS: Final = 2048
_PUBLIC_PARTS: Final = ("kty", "n", "e", "crv", "x", "y")

# Each algorithm with the one kind of key that it may be used with.
ALGORITHMS: Final[Mapping[str, tuple[str, str]]] = {
    "RS256": ("RSA", ""),
    "PS256": ("RSA", ""),
    "ES256": ("EC", "P-256"),
    "EdDSA": ("OKP", "Ed25519"),
}
_KEY_TYPES: Final[Mapping[str, type[RSAKey] | type[ECKey] | type[OKPKey]]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}


class _Registry(jws.JWSRegistry):
    """Exactly the algorithms above. joserfc's own warns of the name “EdDSA”, which RFC 9864 splits by curve; here the
    curve is pinned. Fields that it does not know are no error: ``crit`` was refused before."""

    def get_alg(self, name: str) -> Any:
        if name not in ALGORITHMS:
            raise UnsupportedAlgorithmError(name)
        return self.algorithms[name]


_REGISTRY: Final = _Registry(strict_check_header=False)


class KeySet:
    """The public signature keys of a JWKS document; everything else in it is left out."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        listed = document.get("keys")
        self._keys = [key for item in (listed if isinstance(listed, list) else [])[:_MAX_KEYS] if (key := _load(item))]

    def find(self, key_id: str | None, algorithm: str) -> Sequence[Key]:
        """The keys that may have made a signature with *algorithm*; ``kid`` only chooses among them."""
        kind, curve = ALGORITHMS[algorithm]
        return [
            key
            for key, data in self._keys
            if data["kty"] == kind
            and (not curve or data.get("crv") == curve)
            and data.get("alg", algorithm) == algorithm
            and (key_id is None or data.get("kid") == key_id)
        ]

    def __len__(self) -> int:
        return len(self._keys)


def _load(data: object) -> tuple[Key, dict[str, Any]] | None:
    if not isinstance(data, dict) or str(data.get("kty")) not in _KEY_TYPES or data.get("use", "sig") != "sig":
        return None
    # Only these members are read: no x5u is fetched, no private part is kept.
    public: dict[str, str | list[str]] = {name: str(data[name]) for name in _PUBLIC_PARTS if name in data}
    if data["kty"] == "RSA" and _bits(data.get("n")) < _MIN_RSA_BITS:
        return None
    try:
        return _KEY_TYPES[str(data["kty"])].import_key(public), data
    except (JoseError, ValueError, TypeError, KeyError):
        return None


def _bits(number: object) -> int:
    """How long a number of a key is; 0 where it is none."""
    try:
        raw = base64.b64decode(_padded(str(number)), altchars=b"-_", validate=True)
    except ValueError:
        return 0
    return int.from_bytes(raw).bit_length()


def token_key_id(token: str) -> tuple[str | None, str]:
    """The ``kid`` (or None) and ``alg`` of a token that is not yet trusted.

    :raises SignInRefused: it has no sound header, or an algorithm that is not taken.
    """
    if len(token) > MAX_ID_TOKEN or token.count(".") != 2:
        raise _refusal("the ID token is no JWT, or too long")
    try:
        header = json.loads(base64.b64decode(_padded(token.partition(".")[0]), altchars=b"-_", validate=True))
    except (ValueError, RecursionError):
        raise _refusal("the ID token's header can't be read") from None
    if not isinstance(header, dict) or not isinstance(header.get("alg"), str) or header["alg"] not in ALGORITHMS:
        raise _refusal("the ID token's algorithm is not taken")
    if "crit" in header or str(header.get("typ", "JWT")).upper() != "JWT":
        raise _refusal("the ID token is of another kind")
    key_id = header.get("kid")
    if key_id is not None and not isinstance(key_id, str):
        raise _refusal("the ID token's kid is no string")
    return key_id, header["alg"]


def check_id_token(
    token: str,
    keys: KeySet,
    *,
    issuer: str,
    client_id: str,
    nonce: str,
    access_token: str = "",
    clock: Callable[[], float] = time.time,
) -> Mapping[str, Any]:
    """Return the claims of a token that *issuer* made for us, now, for this sign-in.

    :raises SignInRefused: anything is amiss; ``detail`` says what.
    """
    key_id, algorithm = token_key_id(token)
    claims = _verify(token, keys.find(key_id, algorithm), algorithm)
    if claims.get("iss") != issuer:
        raise _refusal("iss is another")
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if client_id not in audiences:
        raise _refusal("aud is another")
    if claims.get("azp", client_id) != client_id or (len(audiences) > 1 and "azp" not in claims):
        raise _refusal("azp is another")
    found = claims.get("nonce")
    if not isinstance(found, str) or not hmac.compare_digest(found.encode(), nonce.encode()):
        raise _refusal("nonce is another or missing")
    now = clock()
    if now >= _number(claims, "exp") + LEEWAY:
        raise _refusal("exp has passed")
    if not now - _MAX_AGE - LEEWAY <= _number(claims, "iat") <= now + LEEWAY:
        raise _refusal("iat is not now")
    if "nbf" in claims and now < _number(claims, "nbf") - LEEWAY:
        raise _refusal("nbf has not come")
    if "at_hash" in claims and claims["at_hash"] != _access_token_hash(access_token, algorithm):
        raise _refusal("at_hash is another")
    return claims


def _verify(token: str, keys: Sequence[Key], algorithm: str) -> Mapping[str, Any]:
    for key in keys:
        try:
            payload = jws.deserialize_compact(token, key, registry=_REGISTRY).payload
            claims = json.loads(payload)
        except (JoseError, ValueError, TypeError, RecursionError):
            continue
        if isinstance(claims, dict):
            return claims
    raise _refusal("no key of the provider made the ID token's signature")


def _number(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 2.0**53:
        raise _refusal(f"{name} is no time")
    return float(value)


def _access_token_hash(access_token: str, algorithm: str) -> str:
    # SHA-512 goes with Ed25519 (as signers do it), SHA-256 with the rest.
    digest = hashlib.new("sha512" if algorithm == "EdDSA" else "sha256", access_token.encode()).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()


def _padded(part: str) -> str:
    return part + "=" * (-len(part) % 4)


def _refusal(detail: str) -> SignInRefused:
    return SignInRefused("The identity provider's answer can't be trusted.", code="response", detail=detail)
