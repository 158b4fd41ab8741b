"""From the login address to the token, with local users, and every way off that path."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.server.control.harness import (
    PASSWORD,
    REDIRECT,
    Control,
    confirm,
    enter_password,
    get_token,
    hidden,
    login_url,
    run_control,
)
from tunnelui_server.identity.throttle import AttemptThrottle

if TYPE_CHECKING:
    from pathlib import Path

OVER = "This sign-in is over"


async def test_a_program_gets_a_token_of_the_person(control: Control) -> None:
    async with control.browser() as browser:
        token = await get_token(browser)
        session = await control.store.get(control.signer.verify(token))
        assert session is not None and session.person.email == "alice@example.com" and session.provider == "local"
        assert len(token) < 1024


async def test_the_token_goes_to_the_address_that_was_asked_for_and_nowhere_else(control: Control) -> None:
    async with control.browser() as browser:
        answer = await enter_password(browser, await login_url(browser, "http://localhost:1024/a/b?x=y"))
        done = await confirm(browser, answer.headers["location"])
        url = httpx.URL(done.headers["location"])
        assert (url.scheme, url.host, url.port, url.path, url.params["x"]) == ("http", "localhost", 1024, "/a/b", "y")
        assert done.headers["cache-control"] == "no-store" and done.headers["referrer-policy"] == "no-referrer"
        assert done.content == b""


async def test_the_sign_in_address_is_absolute_and_of_the_host_that_was_asked(control: Control) -> None:
    async with control.client() as program:
        url = await login_url(program)
        assert url.startswith(f"{control.origin}/.pomerium/sign_in?request=") and len(url) < 400 and url == url.strip()
        answer = await program.get(
            "/.pomerium/api/v1/login",
            params={"pomerium_redirect_uri": REDIRECT},
            headers={"Host": "redis.corp.example.com"},
        )
        assert answer.text.startswith("http://redis.corp.example.com/.pomerium/sign_in?")


async def test_login_wants_get_and_one_good_parameter(control: Control) -> None:
    async with control.client() as program:
        path = "/.pomerium/api/v1/login"
        assert (await program.get(path)).status_code == 404
        for method in ("POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"):
            assert (await program.request(method, path)).status_code == 405
        twice = f"{path}?pomerium_redirect_uri={REDIRECT}&pomerium_redirect_uri={REDIRECT}"
        for url in (f"{path}?pomerium_redirect_uri=", f"{path}?pomerium_redirect_uri=https://evil.example/", twice):
            answer = await program.get(url)
            assert answer.status_code == 400 and "evil" not in answer.text


async def test_who_has_a_session_is_asked_to_confirm_at_once(control: Control) -> None:
    async with control.browser() as browser:
        await enter_password(browser)
        answer = await browser.get(await login_url(browser))
        assert answer.status_code == 303 and answer.headers["location"].startswith("/.pomerium/confirm?")
        page = await browser.get(answer.headers["location"])
        assert "alice@example.com" in page.text and "127.0.0.1:45123" in page.text
        assert "pomerium_jwt" not in page.text


async def test_two_programs_get_tokens_of_one_session(control: Control) -> None:
    async with control.browser() as browser:
        first = await get_token(browser)
        answer = await browser.get(await login_url(browser, "http://127.0.0.1:2000"))
        done = await confirm(browser, answer.headers["location"])
        second = str(httpx.URL(done.headers["location"]).params["pomerium_jwt"])
        assert control.signer.verify(first) == control.signer.verify(second)


@pytest.mark.parametrize(
    ("user", "password"),
    [("alice@example.com", "wrong"), ("nobody", PASSWORD), ("", ""), ("bob", PASSWORD), ("<script>", "<script>")],
)
async def test_a_wrong_password_gives_the_same_page_again(control: Control, user: str, password: str) -> None:
    async with control.browser() as browser:
        answer = await enter_password(browser, user=user, password=password)
        assert answer.status_code == 403 and "is wrong" in answer.text
        assert "<script>" not in answer.text and 'value=""' in answer.text
        assert PASSWORD not in answer.text
        assert not await control.store.list()


async def test_after_a_wrong_password_the_right_one_still_leads_to_the_program(control: Control) -> None:
    async with control.browser() as browser:
        page = await enter_password(browser, await login_url(browser), password="wrong")
        form = {name: hidden(page.text, name) for name in ("csrf", "request")}
        answer = await browser.post(
            "/.pomerium/sign_in", data=form | {"user": "alice@example.com", "password": PASSWORD}
        )
        assert (await confirm(browser, answer.headers["location"])).status_code == 302


async def test_guessing_is_answered_with_429(tmp_path: Path) -> None:
    throttle = AttemptThrottle(per_pair=2, pair_interval=60)
    async with run_control(tmp_path, throttle=throttle) as control, control.browser() as browser:
        for _ in range(2):
            assert (await enter_password(browser, password="wrong")).status_code == 403
        answer = await enter_password(browser)
        assert answer.status_code == 429 and 1 <= int(answer.headers["retry-after"]) <= 60
        assert "too many" in answer.text


async def test_an_address_is_good_for_five_minutes(control: Control) -> None:
    async with control.browser() as browser:
        url = await login_url(browser)
        control.clock.ahead = 299
        assert (await browser.get(url)).status_code == 200
        control.clock.ahead = 301
        late = await browser.get(url)
        assert late.status_code == 400 and OVER in late.text


async def test_the_pages_are_good_for_ten_minutes(control: Control) -> None:
    async with control.browser() as browser:
        page = await browser.get(await login_url(browser))
        form = {name: hidden(page.text, name) for name in ("csrf", "request")}
        control.clock.ahead = 601
        late = await browser.post("/.pomerium/sign_in", data=form | {"user": "alice@example.com", "password": PASSWORD})
        assert late.status_code == 400 and not await control.store.list()


async def test_loading_a_page_again_makes_no_sign_in_live_longer(control: Control) -> None:
    async with control.browser() as browser:
        kept = hidden((await browser.get(await login_url(browser))).text, "request")
        for control.clock.ahead in (200, 400, 590):
            page = await browser.get("/.pomerium/sign_in", params={"request": kept})
            assert page.status_code == 200
            kept = hidden(page.text, "request")
        control.clock.ahead = 601
        assert (await browser.get("/.pomerium/sign_in", params={"request": kept})).status_code == 400


async def test_one_address_gives_one_token(control: Control) -> None:
    async with control.browser() as browser:
        url = await login_url(browser)
        answer = await enter_password(browser, url)
        page = answer.headers["location"]
        assert (await confirm(browser, page)).status_code == 302
        again = await confirm(browser, page)
        assert again.status_code == 400 and "pomerium_jwt" not in str(again.headers)
        once_more = await confirm(browser, (await browser.get(url)).headers["location"])
        assert once_more.status_code == 400


async def get_code(browser: httpx.AsyncClient) -> str:
    answer = await enter_password(browser, await login_url(browser))
    page = await browser.get(answer.headers["location"])
    form = {name: hidden(page.text, name) for name in ("csrf", "request")}
    location = (await browser.post("/.pomerium/confirm", data=form)).headers["location"]
    assert location.startswith("/.pomerium/callback/?code=")
    return str(location)


async def test_a_code_is_good_once(control: Control) -> None:
    async with control.browser() as browser:
        location = await get_code(browser)
        assert (await browser.head(location)).status_code == 405
        assert (await browser.get(location)).status_code == 302
        assert (await browser.get(location)).status_code == 400


async def test_a_code_is_good_for_a_minute(control: Control) -> None:
    async with control.browser() as browser:
        location = await get_code(browser)
        control.clock.ahead = 61
        assert (await browser.get(location)).status_code == 400


async def test_a_code_is_good_in_its_own_browser_alone(control: Control) -> None:
    """An attacker's code must neither sign a victim in nor reach the victim's program."""
    async with control.browser() as attacker, control.browser() as victim, control.browser() as stranger:
        location = await get_code(attacker)
        await enter_password(victim, user="bob", password="builder")
        for other in (victim, stranger):
            answer = await other.get(location)
            assert answer.status_code == 400 and "set-cookie" not in answer.headers
        assert (await attacker.get(location)).status_code == 302


async def test_a_session_that_was_revoked_gets_no_token(control: Control) -> None:
    async with control.browser() as browser:
        location = await get_code(browser)
        (session,) = await control.store.list()
        await control.store.revoke(session.id)
        assert (await browser.get(location)).status_code == 400


async def test_confirming_needs_a_session(control: Control) -> None:
    async with control.browser() as browser, control.browser() as stranger:
        answer = await enter_password(browser, await login_url(browser))
        page = await stranger.get(answer.headers["location"])
        assert page.status_code == 303 and page.headers["location"].startswith("/.pomerium/sign_in?request=")


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"},
    ],
)
@pytest.mark.parametrize("path", ["/.pomerium/sign_in", "/.pomerium/confirm", "/.pomerium/sign_out"])
async def test_a_form_from_another_site_is_refused_even_with_the_right_fields(
    control: Control, headers: dict[str, str], path: str
) -> None:
    async with control.browser() as browser:
        page = await browser.get("/.pomerium/sign_in")
        if path != "/.pomerium/sign_in":
            answer = await enter_password(browser, await login_url(browser))
            page = await browser.get(answer.headers["location"] if path.endswith("confirm") else path)
        form = {"csrf": hidden(page.text, "csrf"), "user": "alice@example.com", "password": PASSWORD}
        form |= {"request": hidden(page.text, "request")} if 'name="request"' in page.text else {}
        refused = await browser.post(path, data=form, headers=headers)
        assert refused.status_code == 403 and "location" not in refused.headers
        good = await browser.post(path, data=form, headers={"Origin": control.origin, "Sec-Fetch-Site": "same-origin"})
        assert good.status_code in (200, 303)


@pytest.mark.parametrize("path", ["/.pomerium/sign_in", "/.pomerium/confirm", "/.pomerium/sign_out"])
async def test_a_form_without_the_token_of_this_browser_is_refused(control: Control, path: str) -> None:
    async with control.browser() as browser, control.browser() as other:
        for each in (browser, other):
            await enter_password(each, await login_url(each))
        pages = {"/.pomerium/confirm": await login_url(other), "/.pomerium/sign_out": path}
        foreign = await other.get(pages.get(path, path), follow_redirects=True)
        stolen = hidden(foreign.text, "csrf") if 'name="csrf"' in foreign.text else "x"
        for csrf in ("", "x", "é", stolen):
            answer = await browser.post(path, data={"csrf": csrf, "user": "alice@example.com", "password": PASSWORD})
            assert answer.status_code == 403
        assert len(await control.store.list()) == 2


async def test_the_token_of_one_form_does_not_open_another(control: Control) -> None:
    async with control.browser() as browser:
        answer = await enter_password(browser, await login_url(browser))
        sign_out = hidden((await browser.get("/.pomerium/sign_out")).text, "csrf")
        page = await browser.get(answer.headers["location"])
        form = {"csrf": sign_out, "request": hidden(page.text, "request")}
        assert (await browser.post("/.pomerium/confirm", data=form)).status_code == 403


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"user=a", "text/plain", 415),
        (b"{}", "application/json", 415),
        (b"user=a", "multipart/form-data; boundary=x", 415),
        (b"", "", 415),
        (b"csrf=a&csrf=b", "application/x-www-form-urlencoded", 400),
        (b"user=%ff", "application/x-www-form-urlencoded", 400),
        (b"user=\xff", "application/x-www-form-urlencoded", 400),
        (b"&".join(b"f%d=1" % n for n in range(50)), "application/x-www-form-urlencoded", 400),
    ],
)
async def test_what_is_no_form_of_ours_is_refused(
    control: Control, content: bytes, content_type: str, status: int
) -> None:
    async with control.browser() as browser:
        answer = await browser.post("/.pomerium/sign_in", content=content, headers={"Content-Type": content_type})
        assert answer.status_code == status


async def test_every_sign_in_gets_a_new_session_whatever_the_browser_brought(control: Control) -> None:
    async with control.browser() as browser:
        browser.cookies.set("tunnelui", "chosen-by-the-attacker", domain="127.0.0.1")
        await enter_password(browser)
        (first,) = await control.store.list()
        assert first.id != "chosen-by-the-attacker" and len(first.id) == 43
        page = await browser.get("/.pomerium/sign_out")
        await browser.post("/.pomerium/sign_out", data={"csrf": hidden(page.text, "csrf")})
        await enter_password(browser)
        (second,) = await control.store.list()
        assert second.id != first.id


async def test_the_id_of_a_session_that_somebody_else_had_is_not_used_again(control: Control) -> None:
    async with control.browser() as attacker, control.browser() as browser:
        await enter_password(attacker, user="bob", password="builder")
        (planted,) = await control.store.list()
        await control.store.revoke(planted.id)
        browser.cookies.set("tunnelui", attacker.cookies["tunnelui"], domain="127.0.0.1")
        await enter_password(browser)
        (own,) = await control.store.list()
        assert own.id != planted.id


async def test_a_cookie_of_one_kind_is_no_good_as_another(control: Control) -> None:
    async with control.browser() as browser:
        url = await login_url(browser)
        sealed = str(httpx.URL(url).params["request"])
        browser.cookies.set("tunnelui", sealed, domain="127.0.0.1")
        assert (await browser.get("/.pomerium/user", headers={"Accept": "*/*"})).status_code == 401
        await enter_password(browser)
        cookie = browser.cookies.get("tunnelui", domain="127.0.0.1", path="/") or ""
        assert (await browser.get("/.pomerium/confirm", params={"request": cookie})).status_code == 400
        assert (await browser.get("/.pomerium/callback/", params={"code": sealed})).status_code == 400
        assert (await browser.get("/.pomerium/callback/", params={"code": cookie})).status_code == 400


@pytest.mark.parametrize("value", ["", "x", "A" * 300, "A" * 9000, "%00", "é"])
async def test_a_request_that_we_did_not_seal_is_refused(control: Control, value: str) -> None:
    async with control.browser() as browser:
        for path in ("/.pomerium/sign_in", "/.pomerium/confirm"):
            answer = await browser.get(path, params={"request": value})
            assert answer.status_code in (400, 414, 431) and "A" * 20 not in answer.text


async def test_every_changed_byte_of_a_sealed_request_is_noticed(control: Control) -> None:
    async with control.browser() as browser:
        sealed = str(httpx.URL(await login_url(browser)).params["request"])
        for at in range(0, len(sealed), 7):
            changed = sealed[:at] + ("A" if sealed[at] != "A" else "B") + sealed[at + 1 :]
            assert control.services.login_requests.accept(changed) is None
        assert control.services.login_requests.accept(sealed) is not None


async def test_without_an_identity_provider_nobody_signs_in(tmp_path: Path) -> None:
    async with run_control(tmp_path, idp_provider=None) as control, control.browser() as browser:
        assert (await browser.get("/.pomerium/sign_in")).status_code == 404
        assert (await browser.post("/.pomerium/sign_in", data={"user": "a"})).status_code == 404
        assert "Nobody needs to sign in" in (await browser.get("/.pomerium/")).text


async def test_a_local_server_has_no_oidc_callback(control: Control) -> None:
    async with control.browser() as browser:
        assert (await browser.get("/oauth2/callback", params={"code": "x", "state": "y"})).status_code == 404


async def test_pages_live_on_the_authenticate_url_alone(tmp_path: Path) -> None:
    authenticate_url = "https://auth.example.com"
    async with run_control(tmp_path, authenticate_url=authenticate_url) as control, control.browser() as browser:
        url = await login_url(browser)
        assert url.startswith("https://auth.example.com/.pomerium/sign_in?request=")
        away = str(httpx.URL(url).copy_with(scheme="http", host="127.0.0.1", port=httpx.URL(control.origin).port))
        moved = await browser.get(away)
        assert moved.status_code == 303 and moved.headers["location"] == url
        for path in ("/.pomerium/", "/.pomerium/sign_out"):
            moved = await browser.get(path)
            assert moved.headers["location"] == f"https://auth.example.com{path}"
        home = {"Host": "auth.example.com"}
        page = await browser.get(away, headers=home)
        assert page.status_code == 200 and "__Host-tunnelui_browser=" in page.headers["set-cookie"]
        # A host that the attacker chose gets pages of the real one, and never a cookie or a code.
        evil = await browser.get("/.pomerium/sign_in", headers={"Host": "evil.example"})
        assert evil.headers["location"] == "https://auth.example.com/.pomerium/sign_in"
        assert "set-cookie" not in evil.headers
