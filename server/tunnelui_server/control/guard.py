"""Around the whole app: request ids, security headers on every answer, a sound Host, and an end to every error."""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse

from tunnelui.wire.address import AddressError, parse_host_port

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from tunnelui_server.control.services import Services

__all__ = ["Guard", "content_policy", "is_own_form"]

_LOG = logging.getLogger(__name__)


def content_policy(form_action: str = "") -> str:
    """The Content-Security-Policy of a page. No script, no frame, nothing from elsewhere.

    :param form_action: where a form on this page may lead besides ourselves, redirects included.
    """
    forms = f"'self' {form_action}".rstrip()
    return (
        f"default-src 'none'; style-src 'self'; img-src 'self'; form-action {forms}; "
        "frame-ancestors 'none'; base-uri 'none'"
    )


_HEADERS: Final = {
    "content-security-policy": content_policy(),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # Not no-referrer: with it, browsers send "Origin: null" with our own forms.
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
_HSTS: Final = "max-age=31536000"


class Guard:
    """ASGI middleware that wraps the app, its error handling included."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app = app
        self._secure = services.is_secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"the control plane serves no {scope['type']}")
        identifier = secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = identifier
        started = False

        async def send_guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(raw=message.setdefault("headers", []))
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers["x-request-id"] = identifier
                if self._secure:
                    headers["strict-transport-security"] = _HSTS
            await send(message)

        try:
            if _has_sound_host(scope):
                await self._app(scope, receive, send_guarded)
            else:
                await PlainTextResponse("The Host field is wrong.\n", 400)(scope, receive, send_guarded)
        except Exception:
            # Starlette has answered 500 and raised the error again. Its traceback holds code, no values.
            _LOG.exception("request %s failed", identifier)
            if not started:
                await PlainTextResponse("Something went wrong here.\n", 500)(scope, receive, send_guarded)


def _has_sound_host(scope: Scope) -> bool:
    hosts = Headers(scope=scope).getlist("host")
    if len(hosts) != 1:
        return False
    try:
        parse_host_port(hosts[0], default_port=443)
    except AddressError:
        return False
    return hosts[0].isascii()


def is_own_form(request: Request, origin: str) -> bool:
    """Whether a POST may come from one of our own pages, by what browsers say of it.

    Each browser of today sends ``Sec-Fetch-Site`` or ``Origin`` with a form; a program may send neither, and is held by
    the form token alone.
    """
    site, sent_origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None and site != "same-origin":
        return False
    if sent_origin == "null":
        return site is not None
    return sent_origin is None or sent_origin.lower() == origin.lower()
