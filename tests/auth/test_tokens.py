from __future__ import annotations

import copy
import json
import pickle
import time
from dataclasses import asdict, dataclass

import pytest

from tests.auth.jwt import jwt
from tunnelui.auth.tokens import MAX_TOKEN, Token
from tunnelui.errors import SignInFailed

TOKEN = jwt(sub="u1", email="alice@example.com")


@pytest.mark.parametrize(
    "text",
    [
        TOKEN,
        f"  {TOKEN}\n",
        f'"{TOKEN}"',
        f"'{TOKEN}'\r\n",
        f"“{TOKEN}”",
        f"<{TOKEN}>",
        f"\t{TOKEN[:20]}\r\n  {TOKEN[20:60]}\n{TOKEN[60:]}",
        f"http://127.0.0.1:4711/nonce?pomerium_jwt={TOKEN}",
        f"<http://127.0.0.1:4711/nonce?a=b&pomerium_jwt={TOKEN}&c=d>",
        f"http://127.0.0.1:4711/?pomerium_jwt={TOKEN}#",
        f"http://127.0.0.1:4711/nonce#pomerium_jwt={TOKEN}",
        f"http://localhost:4711/nonce#?pomerium_jwt={TOKEN}",
        f"http://127.0.0.1/n?pomerium_jwt={TOKEN}&pomerium_jwt={TOKEN}",
        f"?pomerium_jwt={TOKEN}",
        f"pomerium_jwt={TOKEN}",
        f"http://127.0.0.1:4711/n?pomerium_jwt={TOKEN[:40]}\n{TOKEN[40:]}",
    ],
)
def test_a_pasted_text_gives_the_token_in_it(text: str) -> None:
    assert Token.parse(text).value == TOKEN


@pytest.mark.parametrize("text", ["opaque", "a+b/c==", "~x_-.1"])
def test_an_opaque_token_is_taken_as_it_is(text: str) -> None:
    assert Token.parse(text).value == text


def test_escapes_in_the_address_are_undone_and_a_plus_stays_a_plus() -> None:
    assert Token.parse("http://127.0.0.1/n?pomerium_jwt=a%2Bb+c%3D").value == "a+b+c="


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  \n",
        '""',
        "two words",
        "a\x00b",
        "a\x1b[31m",
        "tökén",
        "a;b",
        "=",
        "a=b",
        "a,b",
        'a"b',
        "http://127.0.0.1:4711/nonce",
        "http://127.0.0.1:4711/nonce?code=abc",
        "https://example.com/?pomerium_jwt=",
        "http://127.0.0.1/n?pomerium_jwt=one&pomerium_jwt=two",
        "http://127.0.0.1/n?pomerium_jwt=one#pomerium_jwt=two",
        "http://127.0.0.1/n?pomerium_jwt=a%0d%0aX-Evil:%201",
        "http://127.0.0.1/n?pomerium_jwt=a%20b",
        "http://127.0.0.1/pomerium_jwt=abc?x=1",
        "http://[::1?pomerium_jwt=abc",
        "a" * (MAX_TOKEN + 1),
        "x" * 200_000,
        f"http://127.0.0.1/n?pomerium_jwt={'a' * (MAX_TOKEN + 1)}",
    ],
)
def test_what_holds_no_token_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(SignInFailed) as caught:
        Token.parse(text)
    assert caught.value.code == "no_token"
    assert caught.value.hint
    for secret in ("abc", "one", "Evil", "words"):
        assert secret not in f"{caught.value} {caught.value.args}"


@pytest.mark.parametrize("value", ["", "a b", "a\r\nX: 1", "a\n", "\n", "a" * (MAX_TOKEN + 1), "é"])
def test_no_token_can_be_made_that_would_break_out_of_a_header(value: str) -> None:
    with pytest.raises(SignInFailed):
        Token(value)


def test_the_longest_token_is_taken() -> None:
    assert len(Token.parse("a" * MAX_TOKEN).value) == MAX_TOKEN


def test_nothing_but_value_reveals_the_secret() -> None:
    token = Token(TOKEN)

    @dataclass
    class Holder:
        token: Token

    shown = [
        repr(token),
        str(token),
        f"{token}",
        f"{token!r:>40}",
        f"{token:>40}",
        "%s" % token,  # noqa: UP031 - logging formats this way
        str(asdict(Holder(token))),
        repr(Holder(token)),
        str(vars(type(token))),
        str({token: token}),
    ]
    assert not any(TOKEN in text or TOKEN.split(".")[1] in text for text in shown)
    with pytest.raises(TypeError):
        pickle.dumps(token)
    with pytest.raises(TypeError):
        json.dumps(token)
    assert not hasattr(token, "__dict__")
    assert copy.copy(token) is token
    assert copy.deepcopy(token) is token


def test_tokens_are_equal_by_value() -> None:
    assert Token("a") == Token("a")
    assert hash(Token("a")) == hash(Token("a"))
    assert Token("a") != Token("b")
    assert Token("a") != "a"


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"email": "alice@example.com", "sub": "u1"}, "alice@example.com"),
        ({"sub": "u1"}, "u1"),
        ({"email": "  ", "sub": "u1"}, "u1"),
        ({"email": 7, "sub": ["x"]}, ""),
        ({}, ""),
        ({"email": "a\x1b]0;pwn\x07b"}, "a�]0;pwn�b"),
        ({"sub": "x" * 500}, "x" * 99 + "…"),
    ],
)
def test_the_name_is_shown_clean(claims: dict[str, object], name: str) -> None:
    assert Token(jwt(**claims)).name == name


@pytest.mark.parametrize(
    ("exp", "moment"),
    [
        (1_800_000_000, 1_800_000_000.0),
        (1.5, 1.5),
        (True, None),
        ("1800000000", None),
        (None, None),
        (-1, None),
        (0, None),
        (10**400, None),
        (1e300, None),
        (float("nan"), None),
        (float("inf"), None),
    ],
)
def test_only_a_sensible_expiry_counts(exp: object, moment: float | None) -> None:
    assert Token(jwt(exp=exp)).expires_at == moment


@pytest.mark.parametrize(
    "value",
    [
        "opaque",
        "a.b.c",
        "a..c",
        "..",
        "a.!!!!.c".replace("!", "~"),
        "a.WzFd.c",  # a list
        "a.bnVsbA.c",  # null
        "a._w.c",  # no UTF-8
        "a." + "W1tb" * 1500 + ".c",  # nested deep
        "one.two",
    ],
)
def test_what_is_no_readable_jwt_has_no_claims(value: str) -> None:
    token = Token(value)
    assert token.claims == {}
    assert token.claims == {}
    assert token.name == ""
    assert token.expires_at is None
    assert not token.is_expired(time.time())


@pytest.mark.parametrize(("age", "expired"), [(-10, False), (59, False), (61, True)])
def test_a_token_is_expired_after_a_minute_of_grace(age: float, expired: bool) -> None:
    now = 1_800_000_000.0
    assert Token(jwt(exp=now - age)).is_expired(now) is expired
