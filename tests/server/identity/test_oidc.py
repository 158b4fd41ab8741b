"""The flow against a provider that is well, slow, broken or hostile."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import anyio
import pytest

from tests.server.identity.idp import CLIENT_ID, CLIENT_SECRET, IdentityProvider, json_answer, make_key, run_idp
from tunnelui.errors import ConfigError, TunnelError
from tunnelui_server.identity.fetch import Fetcher, is_allowed_url
from tunnelui_server.identity.oidc import OIDCProvider
from tunnelui_server.identity.provider import (
    Challenge,
    PasswordProvider,
    ProviderUnavailable,
    RedirectProvider,
    SignInRefused,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from tunnelui_server.identity import Person

CALLBACK = "https://proxy.example.com/oauth2/callback"
DISCOVERY = "/.well-known/openid-configuration"


@pytest.fixture
async def idp() -> AsyncIterator[IdentityProvider]:
    async with run_idp() as provider:
        yield provider


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def make_client(idp: IdentityProvider, **options: Any) -> OIDCProvider:
    values: dict[str, Any] = {"issuer": idp.issuer, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    values["fetcher"] = Fetcher(timeout=60.0)
    return OIDCProvider(**(values | options))


async def sign_in(
    idp: IdentityProvider, client: OIDCProvider | None = None, answer: Mapping[str, str | None] | None = None
) -> Person:
    """Walk the whole flow; *answer* changes what the browser comes back with."""
    client = client or make_client(idp)
    try:
        challenge = Challenge.new()
        parameters: dict[str, str | None] = dict(idp.follow(await client.sign_in_url(challenge, CALLBACK)))
        parameters |= answer or {}
        kept = {name: value for name, value in parameters.items() if value is not None}
        return await client.finish(kept, challenge, CALLBACK)
    finally:
        await client.aclose()


async def refusal(idp: IdentityProvider, **answer: str | None) -> SignInRefused:
    with pytest.raises(SignInRefused) as refused:
        await sign_in(idp, answer=answer)
    return refused.value


async def test_it_is_a_redirect_provider_and_no_other(idp: IdentityProvider) -> None:
    client = make_client(idp)
    provider: object = client
    assert isinstance(provider, RedirectProvider)
    assert not isinstance(provider, PasswordProvider)
    await client.aclose()


async def test_the_whole_flow_gives_the_person(idp: IdentityProvider) -> None:
    idp.claims = {"email": "Alice@example.com", "email_verified": True, "groups": ["old"]}
    idp.userinfo = {"sub": "user-1", "name": "Alice", "groups": ["eng", "ops"], "department": "x"}
    person = await sign_in(idp)
    assert (person.user_id, person.email, person.name) == ("user-1", "alice@example.com", "Alice")
    assert person.groups == {"eng", "ops"} and person.claims["department"] == ("x",)


async def test_what_the_browser_is_sent_away_with(idp: IdentityProvider) -> None:
    client, challenge = make_client(idp, scopes=("email",)), Challenge.new()
    query = dict(parse_qsl(urlsplit(await client.sign_in_url(challenge, CALLBACK)).query))
    await client.aclose()
    assert query["scope"] == "openid email" and query["redirect_uri"] == CALLBACK
    assert query["state"] == challenge.state and query["nonce"] == challenge.nonce
    assert challenge.verifier not in str(query) and query["code_challenge"] == challenge.code_challenge
    assert CLIENT_SECRET not in str(query)


def test_every_challenge_is_new_and_long() -> None:
    made = [Challenge.new() for _ in range(100)]
    assert len({value for each in made for value in (each.state, each.nonce, each.verifier)}) == 300
    assert all(len(each.state) >= 22 and len(each.nonce) >= 22 and len(each.verifier) >= 43 for each in made)
    assert made[0].state not in repr(made[0])


async def test_the_secret_goes_by_basic_auth_unless_only_the_form_is_taken(idp: IdentityProvider) -> None:
    await sign_in(idp)
    _, _, fields, form = idp.seen[1]
    assert base64.b64decode(fields["authorization"].removeprefix("Basic ")).decode() == f"{CLIENT_ID}:{CLIENT_SECRET}"
    assert "client_secret" not in form and form["redirect_uri"] == CALLBACK
    idp.seen.clear()
    idp.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    await sign_in(idp)
    _, _, fields, form = idp.seen[1]
    assert "authorization" not in fields and form["client_secret"] == CLIENT_SECRET
    idp.seen.clear()
    await sign_in(idp, make_client(idp, client_secret=""))
    _, _, fields, form = idp.seen[1]
    assert "authorization" not in fields and "client_secret" not in form and form["client_id"] == CLIENT_ID


@pytest.mark.parametrize(("kind", "algorithm"), [("RSA", "RS256"), ("RSA", "PS256"), ("EC", "ES256"), ("OKP", "EdDSA")])
async def test_each_signature_algorithm(idp: IdentityProvider, kind: str, algorithm: str) -> None:
    idp.keys, idp.algorithm = [make_key(kind, "k")], algorithm
    assert (await sign_in(idp)).user_id == "user-1"


async def test_a_provider_without_userinfo(idp: IdentityProvider) -> None:
    idp.metadata = {"userinfo_endpoint": ...}
    assert (await sign_in(idp)).user_id == "user-1"


@pytest.mark.parametrize("state", ["", "another", None, "ñ"])
async def test_another_state_is_refused_before_the_code_is_used(idp: IdentityProvider, state: str | None) -> None:
    assert (await refusal(idp, state=state)).code == "response"
    assert idp.count("/token") == 0


@pytest.mark.parametrize("nonce", ["", "another", None, ...])
async def test_a_missing_or_wrong_nonce_is_refused(idp: IdentityProvider, nonce: object) -> None:
    idp.claims = {"nonce": nonce}
    assert "nonce" in (await refusal(idp)).detail


async def test_pkce_is_checked_by_the_provider(idp: IdentityProvider) -> None:
    client, challenge = make_client(idp), Challenge.new()
    parameters = idp.follow(await client.sign_in_url(challenge, CALLBACK))
    idp.challenge = Challenge.new().code_challenge
    with pytest.raises(SignInRefused) as refused:
        await client.finish(parameters, challenge, CALLBACK)
    assert "invalid_grant" in refused.value.detail
    await client.aclose()


@pytest.mark.parametrize(
    ("announced", "iss", "good"),
    [
        (False, None, True),
        (True, None, False),
        (True, "right", True),
        (False, "right", True),
        (False, "https://evil.example", False),
        (True, "", False),
        (False, "", False),
    ],
)
async def test_the_issuer_of_the_answer(idp: IdentityProvider, announced: bool, iss: str | None, good: bool) -> None:
    """RFC 9207: when it is there it must be right, and when it was announced it must be there."""
    idp.metadata = {"authorization_response_iss_parameter_supported": announced}
    iss = idp.issuer if iss == "right" else iss
    if good:
        assert (await sign_in(idp, answer={"iss": iss})).user_id == "user-1"
    else:
        assert "iss" in (await refusal(idp, iss=iss)).detail
        assert idp.count("/token") == 0


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"error": "access_denied"}, "denied"),
        ({"error": "login_required"}, "denied"),
        ({"error": "server_error"}, "response"),
        ({"error": "\x1b[31m" + "x" * 5000}, "response"),
        ({"code": None}, "response"),
        ({"code": ""}, "response"),
        ({"code": "x" * 5000}, "response"),
    ],
)
async def test_an_answer_without_a_code(idp: IdentityProvider, answer: dict[str, str | None], code: str) -> None:
    refused = await refusal(idp, **answer)
    assert refused.code == code and "\x1b" not in refused.detail and len(refused.detail) < 100
    assert idp.count("/token") == 0


@pytest.mark.parametrize(
    "tokens",
    [
        {},
        {"id_token": "x"},
        {"access_token": "x"},
        {"id_token": 7, "access_token": "x"},
        {"id_token": "a.b.c", "access_token": "x"},
    ],
)
async def test_a_token_answer_that_lacks_something(idp: IdentityProvider, tokens: dict[str, Any]) -> None:
    idp.answers["/token"] = json_answer(tokens)
    assert (await refusal(idp)).code == "response"


@pytest.mark.parametrize("userinfo", [{}, {"sub": "user-2"}, {"email": "a@example.com"}])
async def test_userinfo_must_be_about_the_same_person(idp: IdentityProvider, userinfo: dict[str, Any]) -> None:
    idp.userinfo = userinfo
    assert (await refusal(idp)).code == "response"


BROKEN: dict[str, dict[str, Any]] = {
    "500": {"answers": (500, {}, b"")},
    "404": {"answers": (404, {}, b"{}")},
    "HTML": {"answers": (200, {}, b"<html>")},
    "a list": {"answers": (200, {}, b"[]")},
    "nothing": {"answers": (200, {}, b"")},
    "deep": {"answers": (200, {}, b"[" * 100_000)},
    "not UTF-8": {"answers": (200, {}, b'{"issuer": "\xff"}')},
    "300 KiB": {"answers": (200, {}, json.dumps({"x": "y" * 300_000}).encode())},
    "compressed": {"answers": (200, {"Content-Encoding": "gzip"}, b"\x1f\x8b")},
    "redirect": {"answers": (302, {"Location": "http://127.0.0.1:1/"}, b"")},
    "redirect to itself": {"answers": (307, {"Location": "/elsewhere"}, b"{}")},
    "slow": {"delay": 2.0},
}
BOUNDS = {
    "300 KiB": "sent more than 256 KiB",
    "compressed": "compressed its answer",
    "redirect": "answered 302",
    "redirect to itself": "answered 307",
    "slow": "did not answer within 0.5 s",
}
"""What is said where it is not the content that is wrong."""


@pytest.mark.parametrize("path", [DISCOVERY, "/jwks", "/userinfo", "/token"])
@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_or_hostile_provider_ends_in_a_known_error(idp: IdentityProvider, path: str, name: str) -> None:
    for attribute, value in BROKEN[name].items():
        getattr(idp, attribute)[path] = value
    said = ""
    client = make_client(idp, fetcher=Fetcher(timeout=0.5 if name == "slow" else 60.0))
    with anyio.fail_after(100):
        try:
            await sign_in(idp, client)
        except (ProviderUnavailable, SignInRefused) as failed:
            said = f"{failed} {failed.detail}"
    assert said and CLIENT_SECRET not in said and "canary" not in said
    assert BOUNDS.get(name, "") in said
    assert not any(seen == "/elsewhere" for _, seen, _, _ in idp.seen)


async def test_the_time_is_for_the_whole_answer_and_not_for_each_byte() -> None:
    gone = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        with contextlib.suppress(OSError):
            while not writer.is_closing():
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.05)
            await writer.wait_closed()
        gone.set()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    fetcher = Fetcher(timeout=0.5)
    with pytest.raises(ProviderUnavailable) as failed:
        await fetcher.get_json(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    assert "did not answer within 0.5 s" in failed.value.detail
    await fetcher.aclose()
    server.close()
    await gone.wait()


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://evil.example"},
        {"issuer": ...},
        {"issuer": 7},
        {"token_endpoint": ...},
        {"token_endpoint": "http://192.0.2.1/token"},
        {"token_endpoint": "file:///etc/passwd"},
        {"jwks_uri": "http://169.254.169.254/latest"},
        {"jwks_uri": None},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "https://user:pass@id.example.com/"},
        {"userinfo_endpoint": "ftp://id.example.com/"},
    ],
)
async def test_a_discovery_document_that_leads_elsewhere_is_refused(
    idp: IdentityProvider, changes: dict[str, Any]
) -> None:
    idp.metadata = changes
    with pytest.raises(ProviderUnavailable):
        await sign_in(idp)
    assert {path for _, path, _, _ in idp.seen} == {DISCOVERY}


async def test_a_trailing_slash_of_the_issuer_is_no_difference(idp: IdentityProvider) -> None:
    idp.metadata = {"issuer": f"{idp.issuer}/"}
    idp.claims = {"iss": f"{idp.issuer}/"}
    assert (await sign_in(idp)).user_id == "user-1"


async def test_discovery_and_keys_are_fetched_once_for_everybody(idp: IdentityProvider) -> None:
    client = make_client(idp)
    idp.delay = {DISCOVERY: 0.2}
    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(client.sign_in_url, Challenge.new(), CALLBACK)
    assert idp.count(DISCOVERY) == 1
    for _ in range(3):
        challenge = Challenge.new()
        await client.finish(idp.follow(await client.sign_in_url(challenge, CALLBACK)), challenge, CALLBACK)
    assert idp.count("/jwks") == 1 and idp.count(DISCOVERY) == 1
    await client.aclose()


async def test_a_provider_that_is_down_is_not_asked_for_every_browser(idp: IdentityProvider) -> None:
    clock = Clock()
    client = make_client(idp, monotonic=clock)
    idp.answers[DISCOVERY] = (500, {}, b"")
    for _ in range(20):
        with pytest.raises(ProviderUnavailable):
            await client.sign_in_url(Challenge.new(), CALLBACK)
    assert idp.count(DISCOVERY) == 1
    del idp.answers[DISCOVERY]
    clock.now += 3
    assert await client.sign_in_url(Challenge.new(), CALLBACK)
    await client.aclose()


async def test_an_unknown_key_is_looked_for_at_most_once_a_minute(idp: IdentityProvider) -> None:
    clock = Clock()
    client = make_client(idp, monotonic=clock)

    async def attempt() -> bool:
        challenge = Challenge.new()
        parameters = idp.follow(await client.sign_in_url(challenge, CALLBACK))
        try:
            await client.finish(parameters, challenge, CALLBACK)
        except SignInRefused:
            return False
        return True

    assert await attempt()
    idp.keys.insert(0, make_key("RSA", "key-2"))
    assert [await attempt() for _ in range(3)] == [False] * 3
    assert idp.count("/jwks") == 1
    clock.now += 61
    assert await attempt()
    assert idp.count("/jwks") == 2
    clock.now += 3601
    assert await attempt()
    assert idp.count("/jwks") == 3
    await client.aclose()


async def test_a_provider_that_cannot_be_reached(idp: IdentityProvider) -> None:
    client = make_client(idp, issuer="http://127.0.0.1:1")
    with pytest.raises(ProviderUnavailable):
        await client.sign_in_url(Challenge.new(), CALLBACK)
    await client.aclose()


@pytest.mark.parametrize(
    "issuer", ["", "http://id.example.com", "https://", "id.example.com", "https://a@id.example.com"]
)
def test_an_issuer_that_is_not_https_is_a_configuration_error(issuer: str) -> None:
    with pytest.raises(ConfigError):
        OIDCProvider(issuer=issuer, client_id="x")


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://id.example.com/x?y", True),
        ("http://127.0.0.1:8080/x", True),
        ("http://[::1]:8080/", True),
        ("http://localhost/", True),
        ("http://id.example.com/", False),
        ("http://127.0.0.1.example.com/", False),
        ("http://localhost.example.com/", False),
        ("http://127.0.0.1@id.example.com/", False),
        ("https://id.example.com/#x", False),
        ("https://id.example.com\\@evil", False),
        ("https://id.example.com/\n", False),
        ("https:///x", False),
        ("https://id.example.com:99999/", False),
        ("HTTPS:id.example.com", False),
        ("", False),
        (None, False),
        (7, False),
    ],
)
def test_which_addresses_are_asked(url: object, allowed: bool) -> None:
    assert is_allowed_url(url) is allowed


def test_errors_are_of_the_one_tree() -> None:
    assert issubclass(ProviderUnavailable, TunnelError) and issubclass(SignInRefused, TunnelError)
