"""The control plane as an ASGI app."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from tunnelui_server.control.account import SIGN_OUT, AccountPages
from tunnelui_server.control.device import DEVICE_ANSWER, DEVICE_CODE, DEVICE_POLL, DevicePages
from tunnelui_server.control.guard import Guard
from tunnelui_server.control.pages import ICON, STYLE, error_page
from tunnelui_server.control.sign_in import CALLBACK, CONFIRM, DEVICE, HOME, OIDC_CALLBACK, SIGN_IN, SignInPages
from tunnelui_server.sessions import StoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from tunnelui_server.control.services import Services

    Handler = Callable[[Request], Awaitable[Response]]

__all__ = ["make_app"]

_LOG = logging.getLogger(__name__)
_KEPT: Final = {"cache-control": "public, max-age=3600"}
_SENTENCES: Final = {
    400: "The request is not one that this server understands.",
    404: "There is nothing at this address.",
    405: "This address does not take such requests.",
    415: "This address takes forms only.",
}


def make_app(services: Services) -> ASGIApp:
    """Put handlers, error pages and the guard together."""
    sign_in, account, device = SignInPages(services), AccountPages(services), DevicePages(services)
    routes = [
        _get("/.pomerium/api/v1/login", sign_in.login),
        _get("/.pomerium/api/v1/routes", account.routes),
        _post("/.pomerium/api/v1/sign_out", account.program_signed_out),
        _post(DEVICE_CODE, device.begin),
        _post(DEVICE_POLL, device.token),
        _get(DEVICE, device.enter),
        _post(DEVICE, device.entered),
        _post(DEVICE_ANSWER, device.answered),
        _get(SIGN_IN, sign_in.sign_in),
        _post(SIGN_IN, sign_in.password),
        _get(OIDC_CALLBACK, sign_in.oidc_callback),
        _get(CONFIRM, sign_in.confirm),
        _post(CONFIRM, sign_in.confirmed),
        _get(CALLBACK, sign_in.callback),
        _get(SIGN_OUT, account.sign_out),
        _post(SIGN_OUT, account.signed_out),
        _get("/.pomerium/user", account.user),
        _get(HOME, account.home),
        _get("/", _to_home),
        _get("/.pomerium", _to_home),
        _get("/.pomerium/routes", _to_home),
        *(_get(path, _ok, head=True) for path in ("/healthz", "/ping")),
        _get("/robots.txt", _robots, head=True),
        _get("/.pomerium/style.css", _style, head=True),
        _get("/.pomerium/icon.svg", _icon, head=True),
    ]
    handlers: dict[Any, Any] = {
        HTTPException: _http_error,
        StoreError: _store_error,
        Exception: _unexpected_error,
    }
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False
    return Guard(app, services)


def _get(path: str, handler: Handler, *, head: bool = False) -> Route:
    route = Route(path, handler, methods=["GET"])
    if not head and route.methods is not None:
        # Starlette adds HEAD to GET, but a HEAD must not use up a code or begin a sign-in.
        route.methods.discard("HEAD")
    return route


def _post(path: str, handler: Handler) -> Route:
    return Route(path, handler, methods=["POST"])


async def _to_home(request: Request) -> Response:
    return RedirectResponse(HOME, 302)


async def _ok(request: Request) -> Response:
    return PlainTextResponse("OK\n")


async def _robots(request: Request) -> Response:
    return PlainTextResponse("User-agent: *\nDisallow: /\n")


async def _style(request: Request) -> Response:
    return Response(STYLE, media_type="text/css", headers=_KEPT)


async def _icon(request: Request) -> Response:
    return Response(ICON, media_type="image/svg+xml", headers=_KEPT)


async def _http_error(request: Request, error: HTTPException) -> Response:
    title = HTTPStatus(error.status_code).phrase.capitalize()
    sentence = _SENTENCES.get(error.status_code, "The request was refused.")
    response = error_page(request, error.status_code, title, sentence)
    if allowed := (error.headers or {}).get("Allow"):
        response.headers["allow"] = allowed
    return response


async def _store_error(request: Request, error: StoreError) -> Response:
    _LOG.error("%s", error)
    return error_page(request, 503, "Not now", "The server can't look up sessions just now.", retry_after="2")


async def _unexpected_error(request: Request, error: Exception) -> Response:
    return error_page(request, 500, "Something went wrong here", "The server's log says more under this request id.")
