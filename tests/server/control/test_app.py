"""What every answer has in common, and the pages and API of a person."""

from __future__ import annotations

import logging
import re
import ssl
from typing import TYPE_CHECKING

import httpx
import pytest
import trustme

from tests.server.control.harness import (
    CLIENT_ADDRESS,
    PASSWORD,
    SECRET,
    Control,
    confirm,
    enter_password,
    get_token,
    hidden,
    login_url,
    oidc_identity,
    run_control,
)
from tests.server.identity.idp import CLIENT_SECRET, IdentityProvider
from tunnelui_server.control.app import make_app
from tunnelui_server.sessions import StoreError

if TYPE_CHECKING:
    from pathlib import Path


GETS = [
    "/",
    "/.pomerium",
    "/.pomerium/",
    "/.pomerium/user",
    "/.pomerium/routes",
    "/.pomerium/sign_in",
    "/.pomerium/sign_out",
    "/.pomerium/confirm",
    "/.pomerium/callback/",
    "/.pomerium/style.css",
    "/.pomerium/icon.svg",
    "/.pomerium/api/v1/login",
    "/.pomerium/api/v1/login?pomerium_redirect_uri=http://127.0.0.1:2000",
    "/.pomerium/api/v1/login?pomerium_redirect_uri=https://evil.example",
    "/.pomerium/api/v1/routes",
    "/oauth2/callback",
    "/healthz",
    "/ping",
    "/robots.txt",
    "/nothing/here",
    "/.pomerium/admin",
    "/metrics",
    "/%2e%2e/%2e%2e/etc/passwd",
]
SECURITY = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


def check_headers(answer: httpx.Response, *, tls: bool = False) -> None:
    for name, value in SECURITY.items():
        assert answer.headers.get_list(name) == [value], f"{answer.request.url}: {name}"
    (policy,) = answer.headers.get_list("content-security-policy")
    directives = dict(part.strip().partition(" ")[::2] for part in policy.split(";"))
    assert directives["default-src"] == "'none'" and directives["frame-ancestors"] == "'none'"
    assert directives["base-uri"] == "'none'" and directives["form-action"].startswith("'self'")
    assert "unsafe" not in policy and "*" not in policy and "script" not in policy and "data:" not in policy
    assert answer.headers["referrer-policy"] in ("same-origin", "no-referrer")
    assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["x-request-id"])
    assert answer.headers["cache-control"] == "no-store" or answer.url.path in (
        "/.pomerium/style.css",
        "/.pomerium/icon.svg",
    )
    assert ("strict-transport-security" in answer.headers) is tls
    assert "server" not in answer.headers and "x-powered-by" not in answer.headers
    for cookie in answer.headers.get_list("set-cookie"):
        assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Path=/" in cookie and "Domain" not in cookie
        assert ("Secure" in cookie and cookie.startswith("__Host-")) is tls


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
async def test_every_answer_has_the_security_headers(control: Control, accept: str) -> None:
    async with control.client(Accept=accept) as browser:
        for signed_in in (False, True):
            for path in GETS:
                for method in ("GET", "HEAD", "POST", "DELETE", "OPTIONS"):
                    answer = await browser.request(method, path)
                    check_headers(answer)
                    assert answer.status_code < 500, f"{method} {path}: {answer.status_code}"
                    assert "Traceback" not in answer.text
            if not signed_in:
                check_headers(await enter_password(browser))


async def test_the_whole_way_has_the_security_headers(control: Control) -> None:
    async with control.browser() as browser:
        answer = await enter_password(browser, await login_url(browser))
        check_headers(answer)
        check_headers(await browser.get(answer.headers["location"]))
        check_headers(await confirm(browser, answer.headers["location"]))


async def test_on_tls_cookies_are_bound_to_the_host_and_hsts_is_set(tmp_path: Path) -> None:
    authority = trustme.CA()
    server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(server_tls)
    client_tls = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    running = run_control(tmp_path, server_tls=server_tls, client_tls=client_tls)
    async with running as control, control.browser() as browser:
        url = await login_url(browser)
        assert url.startswith("https://localhost:")
        for path in GETS:
            check_headers(await browser.get(path), tls=True)
        answer = await enter_password(browser, url)
        check_headers(answer, tls=True)
        assert "__Host-tunnelui=" in answer.headers["set-cookie"]
        done = await confirm(browser, answer.headers["location"])
        check_headers(done, tls=True)
        assert done.headers["location"].startswith("http://127.0.0.1:45123/nonce?pomerium_jwt=")


async def test_a_page_has_no_script_and_nothing_from_elsewhere(control: Control) -> None:
    async with control.browser() as browser:
        pages = [await browser.get("/.pomerium/sign_in"), await browser.get("/.pomerium/"), await browser.get("/x")]
        answer = await enter_password(browser, await login_url(browser))
        pages += [
            await browser.get(path) for path in (answer.headers["location"], "/.pomerium/", "/.pomerium/sign_out")
        ]
    for page in pages:
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert not re.search(
            r"(?i)<script|<iframe|<object|<embed|<base|javascript:|\son[a-z]+=|\sstyle=|<style", page.text
        )
        for address in re.findall(r'(?:href|src|action)="([^"]*)"', page.text):
            assert address.startswith("/.pomerium/"), address
        assert page.text.count("<h1>") == 1 and '<meta name="viewport"' in page.text and '<html lang="en">' in page.text


async def test_the_confirm_page_alone_may_lead_to_the_program(control: Control) -> None:
    async with control.browser() as browser:
        await enter_password(browser)
        for redirect, allowed in (
            ("http://127.0.0.1:2000/n", "http://127.0.0.1:2000"),
            ("http://localhost:2000/n", "http://localhost:2000"),
            ("http://[::1]:2000/n", "http:"),
        ):
            page = await browser.get(await login_url(browser, redirect), follow_redirects=True)
            assert f"form-action 'self' {allowed};" in page.headers["content-security-policy"]
        page = await browser.get("/.pomerium/sign_out")
        assert "form-action 'self';" in page.headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/healthz", "/ping"])
async def test_health(control: Control, path: str) -> None:
    async with control.client() as client:
        answer = await client.get(path)
        assert (answer.status_code, answer.text) == (200, "OK\n")
        head = await client.head(path)
        assert (head.status_code, head.text) == (200, "")
        assert (await client.post(path)).status_code == 405


async def test_small_things(control: Control) -> None:
    async with control.client() as client:
        assert "Disallow: /" in (await client.get("/robots.txt")).text
        style = await client.get("/.pomerium/style.css")
        assert style.headers["content-type"].startswith("text/css") and "prefers-color-scheme: dark" in style.text
        assert "max-age" in style.headers["cache-control"] and "url(" not in style.text and "@import" not in style.text
        home = await client.get("/")
        assert home.status_code == 302 and home.headers["location"] == "/.pomerium/"


@pytest.mark.parametrize("host", ["", "a b", "evil.example/x", "[::1", "a:b:c", "a@b", "x:99999", "-x"])
async def test_a_host_that_is_none_is_refused(control: Control, host: str) -> None:
    """The strict head stops these as well; the guard does not rely on it."""
    async with control.client() as client:
        assert (await client.get("/.pomerium/", headers={"Host": host})).status_code == 400
    direct = httpx.ASGITransport(make_app(control.services))
    async with httpx.AsyncClient(transport=direct, base_url="http://a") as client:
        answer = await client.get("/healthz", headers={"Host": host})
    assert answer.status_code == 400 and "evil" not in answer.text


async def test_errors_come_in_the_form_that_was_asked_for(control: Control) -> None:
    async with control.client() as client:
        html = await client.get("/nothing", headers={"Accept": "text/html"})
        assert (
            html.status_code == 404 and html.headers["x-request-id"] in html.text and "<h1>Not found</h1>" in html.text
        )
        data = await client.get("/nothing", headers={"Accept": "application/json"})
        assert data.json() == {
            "error": "There is nothing at this address.",
            "request_id": data.headers["x-request-id"],
        }
        text = await client.get("/nothing")
        assert text.headers["content-type"].startswith("text/plain") and text.headers["x-request-id"] in text.text
        assert (await client.post("/.pomerium/user")).headers["allow"] == "GET"


async def test_errors_repeat_nothing_of_the_request(control: Control) -> None:
    canary = "REFLECTED-9f3"
    async with control.client(Accept="text/html", Authorization=f"Pomerium {canary}", Referer=canary) as client:
        client.headers["User-Agent"] = canary
        client.cookies.set("x", canary, domain="127.0.0.1")
        for path in GETS:
            for method in ("GET", "POST", "DELETE"):
                joint = "&" if "?" in path else "?"
                answer = await client.request(method, f"{path}{joint}{canary}={canary}", headers={"X-Other": canary})
                assert canary not in answer.text and canary not in str(answer.headers), path
        assert canary not in (await client.get(f"/{canary}")).text


async def test_store_trouble_is_a_503(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise StoreError("the disk is on fire")

    async with control.client() as client:
        token = await get_token(client)
        monkeypatch.setattr(type(control.store), "get", broken)
        answer = await client.get("/.pomerium/api/v1/routes", headers={"Authorization": f"Pomerium {token}"})
        assert answer.status_code == 503 and "fire" not in answer.text and answer.headers["retry-after"] == "2"
        check_headers(answer)


async def test_a_fault_of_ours_is_a_500_with_headers_and_nothing_else(
    control: Control, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def faulty(*_: object) -> None:
        raise RuntimeError("internal detail")

    async with control.browser() as client:
        await enter_password(client)
        monkeypatch.setattr(type(control.store), "get", faulty)
        answer = await client.get("/.pomerium/")
    assert answer.status_code == 500 and "internal detail" not in answer.text
    check_headers(answer)
    logged = [record for record in caplog.records if record.exc_info]
    assert len(logged) == 1 and answer.headers["x-request-id"] in logged[0].getMessage()


FORMS: list[tuple[str, str]] = [
    ("Authorization", "Pomerium {}"),
    ("Authorization", "Bearer Pomerium-{}"),
    ("X-Pomerium-Authorization", "{}"),
]


@pytest.mark.parametrize(("name", "form"), FORMS)
async def test_a_program_asks_for_routes_with_its_token(control: Control, name: str, form: str) -> None:
    async with control.client() as browser, control.client() as program:
        headers = {name: form.format(await get_token(browser))}
        answer = await program.get("/.pomerium/api/v1/routes", headers=headers)
        assert answer.status_code == 200 and answer.headers["content-type"] == "application/json"
        redis, db = answer.json()["routes"]
        assert redis | {"id": ""} == {
            "id": "",
            "name": "redis",
            "type": "tcp",
            "from": "tcp+https://redis.corp.example.com:6379",
            "description": "The <i>cache</i>",
            "connect_command": "tunnelui tcp redis.corp.example.com:6379",
            "logo_url": "",
        }
        assert re.fullmatch(r"[0-9a-f]{16}", redis["id"])
        assert db["connect_command"] == "tunnelui tcp tcp+https://proxy.example.com:8443/db.internal:5432"
        assert "secret" not in answer.text
        person = (await program.get("/.pomerium/user", headers=headers)).json()
        assert person["email"] == "alice@example.com" and person["groups"] == ["eng"]


async def test_a_browser_asks_with_its_cookie(control: Control) -> None:
    async with control.browser() as browser:
        await enter_password(browser, user="bob", password="builder")
        assert (await browser.get("/.pomerium/api/v1/routes")).json() == {"routes": []}
        assert (await browser.get("/.pomerium/user")).json()["sub"] == "bob"


@pytest.mark.parametrize("path", ["/.pomerium/api/v1/routes", "/.pomerium/user"])
async def test_without_a_sign_in_programs_get_401_and_browsers_are_sent_to_sign_in(control: Control, path: str) -> None:
    async with control.client() as client:
        token = await get_token(client)
        client.cookies.clear()
        for headers in (
            {},
            {"Accept": "application/json"},
            {"Authorization": "Pomerium nonsense"},
            {"Authorization": "Pomerium nonsense", "Accept": "text/html"},
            {"Authorization": f"pomerium {token}"},
            {"Authorization": f"Bearer {token}"},
            {"Authorization": f"Basic {token}"},
            {"Authorization": f"Pomerium {token}x"},
            {"Authorization": f"Pomerium {token}", "X-Pomerium-Authorization": "another"},
        ):
            answer = await client.get(path, headers=headers)
            assert answer.status_code == 401, headers
            assert answer.headers["www-authenticate"] == "Pomerium"
        answer = await client.get(path, headers={"Accept": "application/json"})
        assert set(answer.json()) == {"error", "request_id"}
        answer = await client.get(path, headers={"Accept": "text/html"})
        assert answer.status_code == 302 and answer.headers["location"] == f"{control.origin}/.pomerium/sign_in"


async def test_a_bad_token_is_not_made_up_for_by_a_good_cookie(control: Control) -> None:
    async with control.client() as client:
        await enter_password(client)
        headers = {"Authorization": "Pomerium nonsense"}
        assert (await client.get("/.pomerium/api/v1/routes", headers=headers)).status_code == 401


async def test_revoking_ends_cookie_and_token_at_once(control: Control) -> None:
    async with control.client() as client, control.client() as program:
        headers = {"Authorization": f"Pomerium {await get_token(client)}"}
        assert (await program.get("/.pomerium/user", headers=headers)).status_code == 200
        (session,) = await control.store.list()
        await control.store.revoke(session.id)
        assert (await program.get("/.pomerium/user", headers=headers)).status_code == 401
        assert (await client.get("/.pomerium/user")).status_code == 401


async def test_signing_out_is_asked_for_and_ends_everything(control: Control) -> None:
    async with control.browser() as browser, control.client() as program:
        headers = {"Authorization": f"Pomerium {await get_token(browser)}"}
        page = await browser.get("/.pomerium/sign_out")
        assert "Sign out?" in page.text
        assert len(await control.store.list()) == 1, "a GET signed somebody out"
        done = await browser.post("/.pomerium/sign_out", data={"csrf": hidden(page.text, "csrf")})
        assert done.status_code == 200 and "You are signed out" in done.text
        assert 'tunnelui="";' in done.headers["set-cookie"] and "Max-Age=0" in done.headers["set-cookie"]
        assert not await control.store.list()
        assert (await program.get("/.pomerium/user", headers=headers)).status_code == 401
        assert "You are signed out" in (await browser.get("/.pomerium/sign_out")).text


async def test_the_home_page_shows_the_person_and_their_routes_escaped(control: Control) -> None:
    async with control.browser() as browser:
        assert "Sign in" in (await browser.get("/.pomerium/")).text
        await enter_password(browser)
        page = (await browser.get("/.pomerium/")).text
        assert "Alice &lt;b&gt;Example&lt;/b&gt;" in page and "The &lt;i&gt;cache&lt;/i&gt;" in page
        assert "tunnelui tcp redis.corp.example.com:6379" in page and "secret.corp" not in page


async def test_foreign_text_is_cleaned_before_it_is_shown(tmp_path: Path, idp: IdentityProvider) -> None:
    idp.userinfo = {"sub": "user-1", "name": "Al\u202eice\x1b[31m", "groups": ["e\u0007ng"]}
    async with run_control(tmp_path, identity=oidc_identity(idp.issuer)) as control, control.browser() as browser:
        away = await browser.get("/.pomerium/sign_in")
        await browser.get("/oauth2/callback", params=idp.follow(away.headers["location"]))
        page = (await browser.get("/.pomerium/")).text
        assert "Al\ufffdice" in page and not set("\u202e\x1b\x07") & set(page)


async def test_user_gives_claims_but_never_a_token_of_the_provider(
    oidc_control: Control, idp: IdentityProvider
) -> None:
    idp.userinfo = {"sub": "user-1", "department": ["x"], "sid": "theirs", "exp": 1}
    async with oidc_control.browser() as browser:
        away = await browser.get("/.pomerium/sign_in")
        await browser.get("/oauth2/callback", params=idp.follow(away.headers["location"]))
        answer = await browser.get("/.pomerium/user")
        (session,) = await oidc_control.store.list()
        assert answer.json() == {
            "department": ["x"],
            "sub": "user-1",
            "user": "user-1",
            "email": "",
            "name": "",
            "groups": [],
            "sid": session.id,
            "exp": int(session.expires_at),
        }
        assert "canary" not in answer.text and "eyJ" not in answer.text


async def test_no_secret_in_any_log_or_page(
    control: Control, oidc_control: Control, idp: IdentityProvider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secrets = {PASSWORD, SECRET, CLIENT_SECRET, "code-canary", idp.access_token}
    seen: list[str] = []

    async def note(answer: httpx.Response) -> None:
        await answer.aread()
        seen.append(answer.text)

    async with control.browser() as browser, oidc_control.browser() as other:
        browser.event_hooks["response"] = other.event_hooks["response"] = [note]
        await enter_password(browser, password="wrong-canary")
        token = await get_token(browser)
        secrets |= {"wrong-canary", token, *browser.cookies.values()}
        away = await other.get("/.pomerium/sign_in")
        secrets |= set(other.cookies.values())
        parameters = idp.follow(away.headers["location"])
        secrets |= {idp.nonce, parameters["state"]}
        await other.get("/oauth2/callback", params=parameters)
        await other.get("/oauth2/callback", params=parameters)
        idp.answers["/token"] = (500, {}, idp.access_token.encode())
        for _ in range(2):
            away = await other.get("/.pomerium/sign_in")
            await other.get("/.pomerium/user")
        page = await browser.get("/.pomerium/sign_out")
        await browser.post("/.pomerium/sign_out", data={"csrf": hidden(page.text, "csrf")})
    # The provider's and the HTTP client's own loggers stand for nothing that the server writes at its levels.
    ours = [record for record in caplog.records if not record.name.startswith(("httpcore", "httpx", "asyncio"))]
    logged = "\n".join(
        f"{record.getMessage()} {record.__dict__.get('audit')} {record.__dict__.get('fields')} {record.exc_text}"
        for record in ours
    )
    assert "token handed over" in logged
    for secret in secrets:
        assert secret not in logged, secret
        assert secret not in "\n".join(seen), secret


async def test_what_is_audited(control: Control, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="tunnelui_server.audit")
    async with control.browser() as browser:
        await enter_password(browser, password="wrong")
        await get_token(browser)
        (session,) = await control.store.list()
        page = await browser.get("/.pomerium/sign_out")
        await browser.post("/.pomerium/sign_out", data={"csrf": hidden(page.text, "csrf")})
    lines = [(record.getMessage(), record.__dict__["audit"]) for record in caplog.records if "audit" in record.__dict__]
    assert [event for event, _ in lines] == ["sign-in refused", "signed in", "token handed over", "signed out"]
    for _, fields in lines:
        assert fields["client"] == CLIENT_ADDRESS and len(fields["request_id"]) == 16
    assert lines[0][1]["reason"] == "password" and "user" not in lines[0][1]
    for _, fields in lines[1:]:
        assert fields["user"] == "alice@example.com" and fields["session"] == session.id[:12]
    assert lines[2][1]["place"] == "127.0.0.1:45123"
