"""What a token is, and everything that is none."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from tunnelui_server.identity import Person
from tunnelui_server.sessions import InvalidToken, Session, TokenSigner, new_session_id, token_issuer
from tunnelui_server.sessions.keys import derive_key

SECRET = bytes(range(32))
ISSUER = "https://auth.example.com"
NOW = 1_800_000_000.0
TYPE = "tunnelui-session+jwt"


def session(**changes: Any) -> Session:
    values: dict[str, Any] = {
        "id": new_session_id(),
        "person": Person("user-1", email="alice@example.com"),
        "issued_at": NOW,
        "expires_at": NOW + 3600,
        "provider": "oidc",
    }
    return Session(**(values | changes))


def signer(at: float = NOW, *, secret: bytes = SECRET, issuer: str = ISSUER) -> TokenSigner:
    return TokenSigner(secret, issuer, clock=lambda: at)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forge(
    header: object = None,
    claims: object = None,
    *,
    key: bytes | None = None,
    digest: str = "sha256",
    raw_claims: bytes | None = None,
) -> str:
    """A token by hand, with the right key unless another is given."""
    header = {"alg": "HS256", "typ": TYPE} if header is None else header
    body = json.dumps(good_claims() if claims is None else claims).encode() if raw_claims is None else raw_claims
    signed = f"{b64(json.dumps(header).encode())}.{b64(body)}"
    key = derive_key(SECRET, "session-token") if key is None else key
    return f"{signed}.{b64(hmac.digest(key, signed.encode(), digest))}"


def good_claims(**changes: Any) -> dict[str, Any]:
    claims = {"iss": ISSUER, "aud": [ISSUER], "sub": "user-1", "jti": "sid", "iat": int(NOW), "exp": int(NOW) + 3600}
    claims |= changes
    return {key: value for key, value in claims.items() if value is not ...}


def test_an_issued_token_names_its_session_and_is_small() -> None:
    made = session(person=Person("u" * 400, email="a" * 60 + "@" + "b" * 60 + ".example.com"))
    token = signer().issue(made)
    assert signer().verify(token) == made.id
    assert len(token) < 1024


def test_the_hand_made_token_of_this_test_is_a_good_one() -> None:
    assert signer().verify(forge()) == "sid"


def test_a_token_carries_no_claim_that_a_client_does_not_need() -> None:
    body = signer().issue(session()).split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    assert set(claims) == {"iss", "aud", "sub", "jti", "iat", "exp", "email"}


RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
RSA_PEM = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

BAD: dict[str, str] = {
    "empty": "",
    "one part": "abc",
    "two parts": "a.b",
    "four parts": forge() + ".x",
    "five parts (JWE)": "a.b.c.d.e",
    "no signature": forge().rpartition(".")[0] + ".",
    "other key": forge(key=b"k" * 32),
    "empty key": forge(key=b""),
    "the shared secret itself as key": forge(key=SECRET),
    "the key of the session rows": forge(key=derive_key(SECRET, "session-row")),
    "public key as secret": forge(key=RSA_PEM),
    "alg none": forge({"alg": "none", "typ": TYPE}).rpartition(".")[0] + ".",
    "alg none, signed": forge({"alg": "none", "typ": TYPE}),
    "alg None": forge({"alg": "None", "typ": TYPE}),
    "alg nOnE": forge({"alg": "nOnE", "typ": TYPE}),
    "alg missing": forge({"typ": TYPE}),
    "alg null": forge({"alg": None, "typ": TYPE}),
    "alg list": forge({"alg": ["HS256"], "typ": TYPE}),
    "alg hs256": forge({"alg": "hs256", "typ": TYPE}),
    "alg HS512": forge({"alg": "HS512", "typ": TYPE}, digest="sha512"),
    "alg RS256": forge({"alg": "RS256", "typ": TYPE}),
    "alg EdDSA": forge({"alg": "EdDSA", "typ": TYPE}),
    "alg ES256": forge({"alg": "ES256", "typ": TYPE}),
    "typ JWT": forge({"alg": "HS256", "typ": "JWT"}),
    "typ missing": forge({"alg": "HS256"}),
    "typ of a service token": forge({"alg": "HS256", "typ": "tunnelui-service+jwt"}),
    "typ in capitals": forge({"alg": "HS256", "typ": TYPE.upper()}),
    "crit unknown": forge({"alg": "HS256", "typ": TYPE, "crit": ["x"], "x": 1}),
    "crit exp": forge({"alg": "HS256", "typ": TYPE, "crit": ["exp"], "exp": 1}),
    "crit b64": forge({"alg": "HS256", "typ": TYPE, "crit": ["b64"], "b64": True}),
    "crit empty": forge({"alg": "HS256", "typ": TYPE, "crit": []}),
    "crit null": forge({"alg": "HS256", "typ": TYPE, "crit": None}),
    "kid path": forge({"alg": "HS256", "typ": TYPE, "kid": "../../dev/null"}),
    "kid SQL": forge({"alg": "HS256", "typ": TYPE, "kid": "' UNION SELECT 'k"}),
    "jku": forge({"alg": "HS256", "typ": TYPE, "jku": "http://127.0.0.1/keys"}),
    "x5u": forge({"alg": "HS256", "typ": TYPE, "x5u": "http://127.0.0.1/cert"}),
    "jwk": forge({"alg": "HS256", "typ": TYPE, "jwk": {"kty": "oct", "k": b64(b"k" * 32)}}, key=b"k" * 32),
    "zip": forge({"alg": "HS256", "typ": TYPE, "zip": "DEF"}),
    "header is a list": forge([]),
    "header is a string": forge("x"),
    "header is deep": b64(b"[" * 5000) + ".e30.e30",
    "padding": forge() + "=",
    "white space": " " + forge(),
    "line break": forge() + "\n",
    "standard base64": forge().replace("-", "+").replace("_", "/") + "/",
    "not ASCII": forge() + "é",
    "NUL": forge() + "\0",
    "claims are a list": forge(claims=[]),
    "claims are no JSON": forge(raw_claims=b"\xff\xfe{"),
    "claims are deep": forge(raw_claims=b"[" * 3000),
    "iss missing": forge(claims=good_claims(iss=...)),
    "iss other": forge(claims=good_claims(iss="https://evil.example.com")),
    "iss longer": forge(claims=good_claims(iss=ISSUER + "/")),
    "iss list": forge(claims=good_claims(iss=[ISSUER])),
    "aud missing": forge(claims=good_claims(aud=...)),
    "aud other": forge(claims=good_claims(aud=["https://other.example.com"])),
    "aud empty": forge(claims=good_claims(aud=[])),
    "aud two": forge(claims=good_claims(aud=[ISSUER, "x"])),
    "sub missing": forge(claims=good_claims(sub=...)),
    "sub number": forge(claims=good_claims(sub=7)),
    "jti missing": forge(claims=good_claims(jti=...)),
    "jti empty": forge(claims=good_claims(jti="")),
    "jti list": forge(claims=good_claims(jti=["sid"])),
    "jti null": forge(claims=good_claims(jti=None)),
    "exp missing": forge(claims=good_claims(exp=...)),
    "exp string": forge(claims=good_claims(exp="9999999999")),
    "exp true": forge(claims=good_claims(exp=True)),
    "exp null": forge(claims=good_claims(exp=None)),
    "exp NaN": forge(claims=good_claims(exp=float("nan"))),
    "exp infinite": forge(claims=good_claims(exp=float("inf"))),
    "exp has 400 digits": forge(claims=good_claims(exp=10**400)),
    "exp -infinite": forge(claims=good_claims(exp=float("-inf"))),
    "exp past": forge(claims=good_claims(exp=int(NOW) - 61)),
    "iat missing": forge(claims=good_claims(iat=...)),
    "iat future": forge(claims=good_claims(iat=int(NOW) + 61)),
    "nbf future": forge(claims=good_claims(nbf=int(NOW) + 61)),
    "nbf string": forge(claims=good_claims(nbf="x")),
    "too long": forge(claims=good_claims(pad="x" * 8192)),
    "a megabyte": "A" * 1_000_000 + ".A.A",
}


@pytest.mark.parametrize("token", BAD.values(), ids=BAD.keys())
def test_a_bad_token_is_refused(token: str) -> None:
    with pytest.raises(InvalidToken) as refused:
        signer().verify(token)
    assert "eyJ" not in str(refused.value)


def test_every_single_changed_character_is_noticed() -> None:
    token = signer().issue(session())
    for at, character in enumerate(token):
        other = "A" if character != "A" else "B"
        with pytest.raises(InvalidToken):
            signer().verify(token[:at] + other + token[at + 1 :])


def test_the_last_character_has_one_spelling() -> None:
    """A SHA-256 leaves two bits of the last character unused; they must be zero."""
    token = signer().issue(session())
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    good = 0
    for character in alphabet:
        try:
            signer().verify(token[:-1] + character)
        except InvalidToken:
            continue
        good += 1
    assert good == 1


@pytest.mark.parametrize(("skew", "valid"), [(-61, False), (-59, True), (0, True), (3659, True), (3661, False)])
def test_clocks_may_differ_by_a_minute(skew: float, valid: bool) -> None:
    token = signer().issue(session())
    if valid:
        signer(NOW + skew).verify(token)
    else:
        with pytest.raises(InvalidToken):
            signer(NOW + skew).verify(token)


def test_another_secret_or_another_deployment_is_refused() -> None:
    token = signer().issue(session())
    for other in (signer(secret=b"x" * 32), signer(issuer="https://auth.example.org")):
        with pytest.raises(InvalidToken):
            other.verify(token)


@given(st.text(max_size=300) | st.builds(".".join, st.lists(st.text(max_size=60), min_size=3, max_size=3)))
def test_no_text_raises_anything_but_invalid_token(text: str) -> None:
    with pytest.raises(InvalidToken):
        signer().verify(text)


@given(st.dictionaries(st.text(max_size=8), st.recursive(st.none() | st.integers() | st.text(), st.lists), max_size=6))
def test_no_signed_claims_raise_anything_but_invalid_token(claims: dict[str, Any]) -> None:
    with pytest.raises(InvalidToken):
        signer().verify(forge(claims=claims))


def test_keys_of_two_purposes_have_nothing_in_common() -> None:
    assert derive_key(SECRET, "session-token") != derive_key(SECRET, "session-row")
    # RFC 5869 by hand: extract with an empty salt, expand one block.
    extracted = hmac.digest(b"\0" * 32, SECRET, hashlib.sha256)
    assert derive_key(SECRET, "x") == hmac.digest(extracted, b"tunnelui-server/1/x\x01", hashlib.sha256)


def test_the_issuer_is_the_authenticate_url_or_a_fixed_word() -> None:
    assert token_issuer("https://auth.example.com/") == "https://auth.example.com"
    assert token_issuer(None) == "tunnelui-server"
