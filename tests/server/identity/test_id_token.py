"""Which ID tokens are believed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OctKey, RSAKey

from tests.server.identity.idp import make_key, sign
from tunnelui_server.identity.id_token import KeySet, check_id_token
from tunnelui_server.identity.provider import SignInRefused

NOW = 1_800_000_000
ISSUER, CLIENT, NONCE = "https://id.example.com", "client-1", "nonce-1"
KEYS = {
    "RS256": make_key("RSA", "r"),
    "PS256": make_key("RSA", "p"),
    "ES256": make_key("EC", "e"),
    "EdDSA": make_key("OKP", "o"),
}
OTHER = make_key("RSA", "r")


def key_set(*extra: dict[str, Any]) -> KeySet:
    return KeySet({"keys": [*(key.as_dict(private=False) for key in KEYS.values()), *extra]})


def claims(**changes: Any) -> dict[str, Any]:
    values = {"iss": ISSUER, "sub": "u", "aud": CLIENT, "exp": NOW + 300, "iat": NOW, "nonce": NONCE} | changes
    return {name: value for name, value in values.items() if value is not ...}


def check(token: str, keys: KeySet | None = None, access_token: str = "") -> dict[str, Any]:
    found = check_id_token(
        token,
        keys or key_set(),
        issuer=ISSUER,
        client_id=CLIENT,
        nonce=NONCE,
        access_token=access_token,
        clock=lambda: NOW,
    )
    return dict(found)


def refused(token: str, keys: KeySet | None = None, access_token: str = "") -> str:
    with pytest.raises(SignInRefused) as error:
        check(token, keys, access_token)
    assert error.value.code == "response"
    return error.value.detail


@pytest.mark.parametrize("algorithm", KEYS)
def test_each_algorithm_with_its_own_key_is_believed(algorithm: str) -> None:
    assert check(sign(claims(), KEYS[algorithm], algorithm)) == claims()


def test_a_token_without_kid_is_believed_when_a_key_fits() -> None:
    assert check(sign(claims(), KEYS["ES256"], "ES256", kid=None))["sub"] == "u"


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": [CLIENT]},
        {"aud": [CLIENT, "x"], "azp": CLIENT},
        {"azp": CLIENT},
        {"exp": NOW - 59},
        {"iat": NOW + 59},
        {"iat": NOW - 600},
        {"nbf": NOW + 59},
        {"exp": NOW + 0.5},
    ],
)
def test_claims_within_the_rules_are_believed(changes: dict[str, Any]) -> None:
    assert check(sign(claims(**changes), KEYS["RS256"], "RS256"))


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"iss": ...}, "iss"),
        ({"iss": ISSUER + "/"}, "iss"),
        ({"iss": "https://evil.example"}, "iss"),
        ({"iss": [ISSUER]}, "iss"),
        ({"aud": ...}, "aud"),
        ({"aud": "other"}, "aud"),
        ({"aud": []}, "aud"),
        ({"aud": CLIENT + " "}, "aud"),
        ({"aud": {CLIENT: 1}}, "aud"),
        ({"aud": [CLIENT, "x"]}, "azp"),
        ({"azp": "other"}, "azp"),
        ({"azp": None}, "azp"),
        ({"nonce": ...}, "nonce"),
        ({"nonce": "nonce-2"}, "nonce"),
        ({"nonce": ""}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"nonce": [NONCE]}, "nonce"),
        ({"nonce": "ñ"}, "nonce"),
        ({"exp": ...}, "exp"),
        ({"exp": NOW - 61}, "exp"),
        ({"exp": "9999999999"}, "exp"),
        ({"exp": True}, "exp"),
        ({"exp": float("inf")}, "exp"),
        ({"exp": float("nan")}, "exp"),
        ({"iat": ...}, "iat"),
        ({"iat": NOW + 61}, "iat"),
        ({"iat": NOW - 661}, "iat"),
        ({"nbf": NOW + 61}, "nbf"),
        ({"nbf": "x"}, "nbf"),
        ({"at_hash": "x"}, "at_hash"),
    ],
)
def test_claims_beyond_the_rules_are_refused(changes: dict[str, Any], detail: str) -> None:
    assert detail in refused(sign(claims(**changes), KEYS["RS256"], "RS256"))


@pytest.mark.parametrize(("algorithm", "digest"), [("RS256", "sha256"), ("ES256", "sha256"), ("EdDSA", "sha512")])
def test_the_access_token_must_fit_its_hash(algorithm: str, digest: str) -> None:
    whole = hashlib.new(digest, b"access").digest()
    half = base64.urlsafe_b64encode(whole[: len(whole) // 2]).rstrip(b"=").decode()
    token = sign(claims(at_hash=half), KEYS[algorithm], algorithm)
    assert check(token, access_token="access")
    assert "at_hash" in refused(token, access_token="another")


def b64(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def by_hand(header: object, key: bytes | None = None) -> str:
    signed = f"{b64(header)}.{b64(claims())}"
    return f"{signed}.{b64(hmac.digest(key, signed.encode(), 'sha256')) if key is not None else ''}"


RSA_KEY = KEYS["RS256"]
assert isinstance(RSA_KEY, RSAKey)
RSA_PRIVATE = RSA_KEY.private_key
RSA_PEM = RSA_KEY.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
OWN_JWK = OTHER.as_dict(private=False)


def rightly_signed(**header: object) -> str:
    """A token that is good but for what *header* adds; no library would make it."""
    assert RSA_PRIVATE is not None
    signed = f"{b64({'alg': 'RS256', 'kid': 'r', **header})}.{b64(claims())}"
    return f"{signed}.{b64(RSA_PRIVATE.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def test_the_hand_made_token_of_this_test_is_a_good_one() -> None:
    assert check(rightly_signed()) == check(rightly_signed(more=1)) == claims()


FORGED = {
    "none": by_hand({"alg": "none"}),
    "None": by_hand({"alg": "None", "kid": "r"}),
    "no alg": by_hand({"kid": "r"}),
    "alg null": by_hand({"alg": None}),
    "alg list": by_hand({"alg": ["RS256"]}),
    "HS256 with the public PEM": by_hand({"alg": "HS256", "kid": "r"}, RSA_PEM),
    "HS256 with the modulus": by_hand({"alg": "HS256", "kid": "r"}, str(RSA_KEY.as_dict(private=False)["n"]).encode()),
    "HS256 with nothing": by_hand({"alg": "HS256", "kid": "r"}, b""),
    "RS256 signed by HMAC": by_hand({"alg": "RS256", "kid": "r"}, RSA_PEM),
    "RS512": sign(claims(), RSA_KEY, "RS512"),
    "another's key, same kid": sign(claims(), OTHER, "RS256"),
    "another's key, no kid": sign(claims(), OTHER, "RS256", kid=None),
    "own key in jwk": sign(claims(), OTHER, "RS256", jwk=OWN_JWK),
    "jku": sign(claims(), OTHER, "RS256", jku="http://127.0.0.1:1/jwks"),
    "x5u": sign(claims(), OTHER, "RS256", x5u="http://127.0.0.1:1/cert"),
    "kid unknown": sign(claims(), RSA_KEY, "RS256", kid="unknown"),
    "kid path": sign(claims(), RSA_KEY, "RS256", kid="../../../dev/null"),
    "kid of the EC key": sign(claims(), RSA_KEY, "RS256", kid="e"),
    "RSA token, alg says ES256": by_hand({"alg": "ES256", "kid": "e"}, RSA_PEM),
    "kid number": rightly_signed(kid=7),
    "kid list": rightly_signed(kid=["r"]),
    "crit unknown": rightly_signed(crit=["x"], x=1),
    "crit b64": rightly_signed(crit=["b64"], b64=True),
    "crit known": rightly_signed(crit=["kid"]),
    "crit empty": rightly_signed(crit=[]),
    "crit null": rightly_signed(crit=None),
    "typ at+jwt": sign(claims(), RSA_KEY, "RS256", typ="at+jwt"),
    "typ logout+jwt": sign(claims(), RSA_KEY, "RS256", typ="logout+jwt"),
    "typ of our session tokens": sign(claims(), RSA_KEY, "RS256", typ="tunnelui-session+jwt"),
    "no signature": sign(claims(), RSA_KEY, "RS256").rpartition(".")[0] + ".",
    "two parts": sign(claims(), RSA_KEY, "RS256").rpartition(".")[0],
    "JWE": "a.b.c.d.e",
    "empty": "",
    "header no JSON": "!!!!.e30.e30",
    "header deep": b64(b"[" * 3000) + ".e30.e30",
    "header list": b64([]) + ".e30.e30",
    "claims no object": "",
    "too long": sign(claims(pad="x" * 9000), RSA_KEY, "RS256"),
}
FORGED["claims no object"] = sign(["x"], RSA_KEY, "RS256")


@pytest.mark.parametrize("token", FORGED.values(), ids=FORGED.keys())
def test_a_forged_token_is_refused(token: str) -> None:
    assert refused(token)


def test_the_shared_kind_of_key_does_not_cross_algorithms() -> None:
    """A key that says it is for RS256 is not taken for PS256."""
    pinned = RSA_KEY.as_dict(private=False) | {"alg": "RS256"}
    assert refused(sign(claims(), RSA_KEY, "PS256"), KeySet({"keys": [pinned]}))
    assert check(sign(claims(), RSA_KEY, "RS256"), KeySet({"keys": [pinned]}))


def test_only_public_signature_keys_of_fit_kinds_are_kept() -> None:
    weak = [rsa.generate_private_key(public_exponent=65537, key_size=size) for size in (1024, 2044)]
    moduli = [key.public_key().public_numbers().n for key in weak]
    bad: list[Any] = [
        OctKey.generate_key(256, {"kid": "oct"}).as_dict(private=True),
        RSA_KEY.as_dict(private=False) | {"use": "enc"},
        *({"kty": "RSA", "kid": "weak", "n": b64(n.to_bytes((n.bit_length() + 7) // 8)), "e": "AQAB"} for n in moduli),
        {"kty": "RSA"},
        {"kty": "RSA", "n": 7, "e": None},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "what"},
        {"kty": ["RSA"]},
        {},
        "key",
        None,
    ]
    assert len(KeySet({"keys": bad})) == 0
    assert len(KeySet({"keys": "x"})) == len(KeySet({})) == 0
    assert len(KeySet({"keys": [RSA_KEY.as_dict(private=False)] * 500})) == 50


def test_another_curve_is_not_taken_for_es256() -> None:
    other = ECKey.generate_key("secp256k1", {"kid": "e"}, private=True).as_dict(private=False)
    assert KeySet({"keys": [other]}).find("e", "ES256") == []


@pytest.mark.parametrize("algorithm", KEYS)
def test_an_algorithm_finds_keys_of_its_own_kind_alone(algorithm: str) -> None:
    kind = KEYS[algorithm].key_type
    assert {key.key_type for key in key_set().find(None, algorithm)} == {kind}


@given(st.text(max_size=200) | st.builds(".".join, st.lists(st.text(max_size=40), min_size=3, max_size=3)))
def test_no_text_raises_anything_but_a_refusal(text: str) -> None:
    assert refused(text)
