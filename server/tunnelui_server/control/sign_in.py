"""From the login address to a token on the person's own machine.

::

    program   GET  /.pomerium/api/v1/login?pomerium_redirect_uri=…   the address to open, good for five minutes
    browser   GET  /.pomerium/sign_in?request=…                      a password page, or off to the provider
              POST /.pomerium/sign_in                                (local)
              GET  /oauth2/callback?code=…&state=…                   (OpenID Connect)
              GET  /.pomerium/confirm?request=…                      who you are, and which program asks
              POST /.pomerium/confirm                                yes
              GET  /.pomerium/callback/?code=…                       the token goes to http://127.0.0.1:PORT/…

Cookies and pages live on one origin alone, so no token, code or session ever crosses from one host to another.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from starlette.responses import PlainTextResponse, RedirectResponse

from tunnelui_server.control.audit import audit, client_address
from tunnelui_server.control.cookies import Flow
from tunnelui_server.control.guard import is_own_form
from tunnelui_server.control.login_request import CODE_SECONDS, PENDING_SECONDS
from tunnelui_server.control.pages import BadForm, error_page, page, read_form, single
from tunnelui_server.control.redirects import RedirectError, parse_redirect
from tunnelui_server.identity.provider import (
    Challenge,
    PasswordProvider,
    ProviderUnavailable,
    RedirectProvider,
    SignInRefused,
    TooManyAttempts,
)
from tunnelui_server.sessions import Session, new_session_id

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from tunnelui_server.control.login_request import LoginRequest
    from tunnelui_server.control.services import Services
    from tunnelui_server.identity import Person

__all__ = ["DEVICE", "HOME", "SIGN_IN", "SIGN_IN_FOR_DEVICE", "SignInPages", "foreign_form", "see_other"]

HOME: Final = "/.pomerium/"
SIGN_IN: Final = "/.pomerium/sign_in"
DEVICE: Final = "/.pomerium/device"
_FOR_DEVICE: Final = "device"  # instead of a login request: back to the page for codes
SIGN_IN_FOR_DEVICE: Final = f"{SIGN_IN}?request={_FOR_DEVICE}"
CONFIRM: Final = "/.pomerium/confirm"
CALLBACK: Final = "/.pomerium/callback/"
OIDC_CALLBACK: Final = "/oauth2/callback"
_CLAIM_SECONDS: Final = 2 * PENDING_SECONDS + CODE_SECONDS


class SignInPages:
    """The handlers, in the order of the drawing above."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def login(self, request: Request) -> Response:
        """Programs ask here for the address to open. Needs no sign-in; gives nothing but that address."""
        text = single(request, "pomerium_redirect_uri")
        if text is None:
            return error_page(request, 404, "Not found", "The parameter pomerium_redirect_uri is missing.")
        try:
            redirect = parse_redirect(text)
        except RedirectError:
            return error_page(request, 400, "Bad request", "invalid redirect uri")
        query = urlencode({"request": self._services.login_requests.begin(redirect)})
        return PlainTextResponse(f"{self._services.origin(request)}{SIGN_IN}?{query}")

    async def sign_in(self, request: Request) -> Response:
        """Begin, or go on where the browser has a session already."""
        services = self._services
        if not services.is_home(request):
            return see_other(f"{services.origin(request)}{SIGN_IN}{_query(request)}")
        wanted = single(request, "request")
        kept = wanted or "" if wanted in (None, _FOR_DEVICE) else services.login_requests.keep(wanted)
        if kept is None:
            return _too_late(request)
        if await services.browser_session(request):
            return see_other(_after_sign_in(kept))
        match services.provider:
            case RedirectProvider() as provider:
                challenge = Challenge.new()
                try:
                    url = await provider.sign_in_url(challenge, self._oidc_callback_url(request))
                except ProviderUnavailable as error:
                    return self._provider_down(request, error)
                response = see_other(url)
                services.cookies.set_flow(request, response, Flow(challenge, kept))
                return response
            case PasswordProvider():
                return self._password_page(request, kept)
            case None:
                return error_page(request, 404, "Nobody signs in here", "This server has no identity provider.")

    async def password(self, request: Request) -> Response:
        """The password page was sent in."""
        services = self._services
        provider = services.provider
        if not isinstance(provider, PasswordProvider):
            raise BadForm(404)
        form = await read_form(request)
        browser_id = services.cookies.browser_id(request)
        sound = services.sealer.check_form_token(form.get("csrf", ""), "sign-in", browser_id)
        if not sound or not services.is_home(request) or not is_own_form(request, services.origin(request)):
            return foreign_form(request)
        kept = form.get("request", "")
        if kept not in ("", _FOR_DEVICE) and services.login_requests.accept(kept) is None:
            return _too_late(request)
        try:
            person = await provider.check_password(
                form.get("user", ""), form.get("password", ""), client_address(request)
            )
        except SignInRefused as refusal:
            audit(request, "sign-in refused", provider=provider.name, reason=refusal.code)
            return self._password_page(request, kept, refusal)
        return await self._signed_in(request, person, provider.name, kept)

    async def oidc_callback(self, request: Request) -> Response:
        """The browser comes back from the provider."""
        services = self._services
        provider = services.provider
        if not isinstance(provider, RedirectProvider) or not services.is_home(request):
            raise BadForm(404)
        names = ("state", "code", "iss", "error")
        parameters = {name: value for name in names if (value := single(request, name)) is not None}
        state = parameters.get("state", "")
        flow = services.cookies.flow(request, state) if state else None
        until = services.clock() + _CLAIM_SECONDS
        if flow is None or not await services.store.claim(f"state/{flow.challenge.state}", until):
            audit(request, "sign-in refused", provider=provider.name, reason="state")
            return _too_late(request)
        try:
            person = await provider.finish(parameters, flow.challenge, self._oidc_callback_url(request))
        except SignInRefused as refusal:
            audit(request, "sign-in refused", provider=provider.name, reason=refusal.code, detail=refusal.detail)
            status = 403 if refusal.code == "denied" else 400
            response = error_page(request, status, "Not signed in", refusal.message)
        except ProviderUnavailable as error:
            response = self._provider_down(request, error)
        else:
            response = await self._signed_in(request, person, provider.name, flow.request)
        services.cookies.drop_flow(response, state)
        return response

    async def confirm(self, request: Request) -> Response:
        """Show who is about to let which program in."""
        services = self._services
        wanted = single(request, "request") or ""
        login_request = services.login_requests.accept(wanted)
        if login_request is None or not services.is_home(request):
            return _too_late(request)
        session = await services.browser_session(request)
        if session is None:
            return see_other(f"{SIGN_IN}?{urlencode({'request': wanted})}")
        return page(
            "confirm.html",
            form_action=login_request.redirect.form_action,
            person=session.person,
            place=login_request.redirect.place,
            request=wanted,
            csrf=services.sealer.form_token("confirm", session.id),
        )

    async def confirmed(self, request: Request) -> Response:
        """The person said yes."""
        services = self._services
        form = await read_form(request)
        session = await services.browser_session(request)
        sound = session is not None and services.sealer.check_form_token(form.get("csrf", ""), "confirm", session.id)
        if session is None or not sound or not is_own_form(request, services.origin(request)):
            return foreign_form(request)
        login_request = services.login_requests.accept(form.get("request", ""))
        if login_request is None:
            return _too_late(request)
        code = services.login_requests.code(login_request, session.id)
        return see_other(f"{CALLBACK}?{urlencode({'code': code})}")

    async def callback(self, request: Request) -> Response:
        """Hand the token over. The code is good once, soon, and for the browser that confirmed."""
        services = self._services
        session = await services.browser_session(request)
        code = single(request, "code") or ""
        login_request = services.login_requests.redeem(code, session.id) if session else None
        if session is None or login_request is None or not await self._claim(login_request):
            return _too_late(request)
        audit(request, "token handed over", session, place=login_request.redirect.place)
        response = RedirectResponse(login_request.redirect.with_token(services.signer.issue(session)), 302)
        response.headers["referrer-policy"] = "no-referrer"
        return response

    async def _claim(self, login_request: LoginRequest) -> bool:
        until = self._services.clock() + _CLAIM_SECONDS
        return await self._services.store.claim(f"login/{login_request.id}", until)

    async def _signed_in(self, request: Request, person: Person, provider: str, kept: str) -> Response:
        """A new session, whatever the browser had before: an id that somebody planted is worth nothing."""
        services = self._services
        now = services.clock()
        lifetime = services.config.cookie_expire
        session = Session(new_session_id(), person, now, now + lifetime, provider)
        await services.store.create(session)
        audit(request, "signed in", session)
        response = see_other(_after_sign_in(kept))
        services.cookies.set_session(response, session.id, lifetime)
        return response

    def _password_page(self, request: Request, kept: str, refusal: SignInRefused | None = None) -> Response:
        services = self._services
        browser_id = services.cookies.browser_id(request) or services.cookies.new_browser_id()
        response = page(
            "sign_in.html",
            status=200 if refusal is None else 429 if isinstance(refusal, TooManyAttempts) else 403,
            problem=refusal.message if refusal else "",
            request=kept,
            csrf=services.sealer.form_token("sign-in", browser_id),
        )
        services.cookies.set_browser_id(response, browser_id)
        if isinstance(refusal, TooManyAttempts):
            response.headers["retry-after"] = str(math.ceil(refusal.retry_after))
        return response

    def _provider_down(self, request: Request, error: ProviderUnavailable) -> Response:
        audit(request, "identity provider unavailable", detail=error.detail)
        return error_page(request, 503, "Not now", error.message, retry_after="5")

    def _oidc_callback_url(self, request: Request) -> str:
        return f"{self._services.origin(request)}{OIDC_CALLBACK}"


def _after_sign_in(kept: str) -> str:
    if kept == _FOR_DEVICE:
        return DEVICE
    return f"{CONFIRM}?{urlencode({'request': kept})}" if kept else HOME


def see_other(url: str) -> RedirectResponse:
    return RedirectResponse(url, 303)


def _query(request: Request) -> str:
    return f"?{request.url.query}" if request.url.query else ""


def _too_late(request: Request) -> Response:
    return error_page(
        request,
        400,
        "This sign-in is over",
        "It took too long, was used before, or began in another browser. Start again from your program.",
    )


def foreign_form(request: Request) -> Response:
    return error_page(
        request, 403, "That did not come from this page", "Go back, load the page again, and send the form once more."
    )
