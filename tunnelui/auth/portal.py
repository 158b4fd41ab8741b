"""What a proxy does for whoever is signed in: ``GET /.pomerium/api/v1/routes`` lists the routes, and with the bundled
server ``POST /.pomerium/api/v1/sign_out`` ends the session.
"""

from __future__ import annotations

import json
import ssl
from typing import TYPE_CHECKING, Any, Final

import anyio
from anyio import to_thread

from tunnelui.errors import ProxyError, SignInNeeded
from tunnelui.text import clean
from tunnelui.transport.resumption import name_expected

if TYPE_CHECKING:
    from collections.abc import Callable

    from tunnelui.auth.tokens import Token
    from tunnelui.wire.destination import ProxyOrigin

__all__ = ["end_session", "fetch_portal"]

ROUTES_PATH: Final = "/.pomerium/api/v1/routes"
SIGN_OUT_PATH: Final = "/.pomerium/api/v1/sign_out"
_TIMEOUT: Final = 15.0
_LARGEST: Final = 16 * 1024 * 1024


async def fetch_portal(proxy: ProxyOrigin, token: Token, *, ssl_context: Callable[[], ssl.SSLContext]) -> Any:
    """Return the JSON of the list.

    :param ssl_context: makes the TLS settings; called in a worker thread.
    :raises AuthError: the token does not count any more.
    :raises ProxyError: there is no answer, or another one.
    """
    status, body = await _ask("GET", ROUTES_PATH, proxy, token, ssl_context)
    if status == 401 or 300 <= status < 400:
        raise SignInNeeded(f"{proxy} asks for a sign-in", hint=f"Run: tunnelui login {proxy}")
    if status != 200:
        raise _odd(proxy, f"it answered {status} to {ROUTES_PATH}")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise _odd(proxy, "its list of routes is no JSON") from None


async def end_session(proxy: ProxyOrigin, token: Token, *, ssl_context: Callable[[], ssl.SSLContext]) -> bool:
    """End the session of *token* at the proxy; false where the proxy has no way to do that, or the session is over.

    The bundled server has one; Pomerium ends sessions in a browser only.

    :param ssl_context: makes the TLS settings; called in a worker thread.
    :raises ProxyError: there is no answer.
    """
    status, _ = await _ask("POST", SIGN_OUT_PATH, proxy, token, ssl_context)
    return status == 200


async def _ask(
    method: str, path: str, proxy: ProxyOrigin, token: Token, ssl_context: Callable[[], ssl.SSLContext]
) -> tuple[int, bytes]:
    """Return status and body. The token goes to *proxy* and nowhere else: redirects are not followed.

    Proxies of the environment are honoured, but never for the loopback.
    """
    import httpx

    headers = {
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "Authorization": f"Bearer Pomerium-{token.value}",
        "User-Agent": "tunnelui",
    }
    # Without TLS the context is not used, and reading every authority of the system is saved.
    context = (
        await to_thread.run_sync(ssl_context) if proxy.scheme == "https" else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    )
    extensions = {"sni_hostname": name_expected(context, proxy.host)}
    body = b""
    try:
        with anyio.fail_after(_TIMEOUT):
            async with (
                httpx.AsyncClient(verify=context, trust_env=not proxy.address.is_loopback, timeout=_TIMEOUT) as client,
                client.stream(method, f"{proxy.url}{path}", headers=headers, extensions=extensions) as response,
            ):
                async for piece in response.aiter_raw():
                    body += piece
                    if len(body) > _LARGEST:
                        raise _odd(proxy, f"its answer is longer than {_LARGEST} bytes")
                return response.status_code, body
    except (TimeoutError, httpx.TimeoutException):
        raise ProxyError("timeout", address=str(proxy.address), stage="connect") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        words = clean(str(error)) or type(error).__name__
        raise ProxyError("unreachable", address=str(proxy.address), stage="connect", detail=words) from None


def _odd(proxy: ProxyOrigin, detail: str) -> ProxyError:
    hint = "Check that the proxy offers a list of routes (the portal of Pomerium)."
    return ProxyError("answer", address=str(proxy.address), stage="connect", detail=detail, hint=hint)
