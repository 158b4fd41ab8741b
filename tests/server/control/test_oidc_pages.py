"""The browser's way to a provider and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.server.control.harness import REDIRECT, Control, confirm, login_url

if TYPE_CHECKING:
    from tests.server.identity.idp import IdentityProvider

CALLBACK = "/oauth2/callback"


async def go_away(browser: httpx.AsyncClient, idp: IdentityProvider, url: str = "/.pomerium/sign_in") -> dict[str, str]:
    """Be sent to the provider; return what the browser would come back with."""
    away = await browser.get(url)
    assert away.status_code == 303
    return idp.follow(away.headers["location"])


async def test_the_whole_way(oidc_control: Control, idp: IdentityProvider) -> None:
    idp.claims = {"email": "alice@example.com", "email_verified": True, "groups": ["eng"]}
    async with oidc_control.browser() as browser:
        parameters = await go_away(browser, idp, await login_url(browser))
        back = await browser.get(CALLBACK, params=parameters)
        assert back.status_code == 303
        done = await confirm(browser, back.headers["location"])
        assert done.headers["location"].startswith(REDIRECT + "?pomerium_jwt=")
        token = str(httpx.URL(done.headers["location"]).params["pomerium_jwt"])
        session = await oidc_control.store.get(oidc_control.signer.verify(token))
        assert session is not None and session.provider == "oidc" and session.person.groups == {"eng"}


async def test_the_provider_is_told_our_callback(oidc_control: Control, idp: IdentityProvider) -> None:
    async with oidc_control.browser() as browser:
        away = await browser.get("/.pomerium/sign_in")
        url = httpx.URL(away.headers["location"])
        assert url.params["redirect_uri"] == f"{oidc_control.origin}{CALLBACK}"
        cookie = away.headers["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Max-Age=600" in cookie
        assert url.params["state"] not in cookie and url.params["nonce"] not in cookie


async def test_a_state_is_good_once(oidc_control: Control, idp: IdentityProvider) -> None:
    async with oidc_control.browser() as browser:
        parameters = await go_away(browser, idp)
        kept = dict(browser.cookies)
        assert (await browser.get(CALLBACK, params=parameters)).status_code == 303
        again = await browser.get(CALLBACK, params=parameters)
        assert again.status_code == 400 and "set-cookie" not in again.headers
        # Even with the cookie that the server took away.
        for name, value in kept.items():
            browser.cookies.set(name, value, domain="127.0.0.1")
        assert (await browser.get(CALLBACK, params=parameters)).status_code == 400
        assert idp.count("/token") == 1 and len(await oidc_control.store.list()) == 1


async def test_two_browsers_swapped(oidc_control: Control, idp: IdentityProvider) -> None:
    """An answer that another browser earned signs nobody in here (login CSRF)."""
    async with oidc_control.browser() as attacker, oidc_control.browser() as victim:
        stolen = await go_away(attacker, idp)
        await go_away(victim, idp)
        answer = await victim.get(CALLBACK, params=stolen)
        assert answer.status_code == 400 and "set-cookie" not in answer.headers
        assert idp.count("/token") == 0 and not await oidc_control.store.list()


async def test_a_state_is_good_for_ten_minutes(oidc_control: Control, idp: IdentityProvider) -> None:
    async with oidc_control.browser() as browser:
        parameters = await go_away(browser, idp)
        oidc_control.clock.ahead = 601
        assert (await browser.get(CALLBACK, params=parameters)).status_code == 400
        assert idp.count("/token") == 0


@pytest.mark.parametrize("state", ["", "x", "é", "a" * 3000, None])
async def test_an_unknown_state(oidc_control: Control, idp: IdentityProvider, state: str | None) -> None:
    async with oidc_control.browser() as browser:
        parameters = await go_away(browser, idp)
        parameters |= {"state": state} if state is not None else {}
        if state is None:
            del parameters["state"]
        assert (await browser.get(CALLBACK, params=parameters)).status_code == 400
        assert idp.count("/token") == 0


@pytest.mark.parametrize("nonce", ["", "wrong", ...])
async def test_a_missing_or_wrong_nonce(oidc_control: Control, idp: IdentityProvider, nonce: object) -> None:
    idp.claims = {"nonce": nonce}
    async with oidc_control.browser() as browser:
        answer = await browser.get(CALLBACK, params=await go_away(browser, idp))
        assert answer.status_code == 400 and "can&#39;t be trusted" in answer.text
        assert not await oidc_control.store.list()


async def test_a_parameter_that_stands_twice(oidc_control: Control, idp: IdentityProvider) -> None:
    async with oidc_control.browser() as browser:
        parameters = await go_away(browser, idp)
        query = str(httpx.QueryParams(parameters))
        assert (await browser.get(f"{CALLBACK}?{query}&code=other")).status_code == 400
        assert (await browser.get(f"{CALLBACK}?{query}&state={parameters['state']}")).status_code == 400
        assert idp.count("/token") == 0


async def test_the_provider_said_no(oidc_control: Control, idp: IdentityProvider) -> None:
    async with oidc_control.browser() as browser:
        parameters = await go_away(browser, idp)
        answer = await browser.get(CALLBACK, params={"state": parameters["state"], "error": "access_denied"})
        assert answer.status_code == 403 and "did not sign you in" in answer.text


async def test_an_error_text_of_the_provider_is_not_shown(oidc_control: Control, idp: IdentityProvider) -> None:
    async with oidc_control.browser() as browser:
        parameters = await go_away(browser, idp)
        query = {"state": parameters["state"], "error": "<script>", "error_description": "<b>call 0800-FRAUD</b>"}
        answer = await browser.get(CALLBACK, params=query)
        assert answer.status_code == 400 and "FRAUD" not in answer.text and "script" not in answer.text


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/token", "/jwks", "/userinfo"])
async def test_a_provider_that_is_down(oidc_control: Control, idp: IdentityProvider, path: str) -> None:
    async with oidc_control.browser() as browser:
        if path.endswith("configuration"):
            idp.answers[path] = (503, {}, b"")
            answer = await browser.get("/.pomerium/sign_in")
        else:
            parameters = await go_away(browser, idp)
            idp.answers[path] = (503, {}, b"")
            answer = await browser.get(CALLBACK, params=parameters)
        assert answer.status_code == 503 and answer.headers["retry-after"]
        assert "identity provider" in answer.text and idp.issuer not in answer.text


async def test_several_tabs_may_be_under_way_and_cookies_stay_few(oidc_control: Control, idp: IdentityProvider) -> None:
    async with oidc_control.browser() as browser:
        first = await go_away(browser, idp)
        nonce, challenge = idp.nonce, idp.challenge
        await go_away(browser, idp)
        idp.nonce, idp.challenge = nonce, challenge
        assert (await browser.get(CALLBACK, params=first)).status_code == 303
    async with oidc_control.browser() as browser:
        for _ in range(12):
            await go_away(browser, idp)
        assert len([name for name in browser.cookies if name.startswith("tunnelui_flow_")]) <= 4


async def test_a_password_form_has_no_business_here(oidc_control: Control) -> None:
    async with oidc_control.browser() as browser:
        answer = await browser.post("/.pomerium/sign_in", data={"user": "a", "password": "b"})
        assert answer.status_code == 404


async def test_head_begins_no_sign_in(oidc_control: Control, idp: IdentityProvider) -> None:
    async with oidc_control.browser() as browser:
        parameters = await go_away(browser, idp)
        assert (await browser.head(CALLBACK, params=parameters)).status_code == 405
        assert (await browser.get(CALLBACK, params=parameters)).status_code == 303
