"""What a proxy does for whoever is signed in: ``GET /.pomerium/api/v1/routes`` lists the routes, and with the bundled
server ``POST /.pomerium/api/v1/sign_out`` ends the session.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from tunnelui.auth.requests import ask, odd_answer
from tunnelui.errors import SignInNeeded

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from tunnelui.auth.tokens import Token
    from tunnelui.errors import ProxyError
    from tunnelui.wire.destination import ProxyOrigin

__all__ = ["end_session", "fetch_portal"]

ROUTES_PATH: Final = "/.pomerium/api/v1/routes"
SIGN_OUT_PATH: Final = "/.pomerium/api/v1/sign_out"


async def fetch_portal(proxy: ProxyOrigin, token: Token, *, ssl_context: Callable[[], ssl.SSLContext]) -> Any:
    """Return the JSON of the list.

    :param ssl_context: makes the TLS settings; called in a worker thread.
    :raises AuthError: the token does not count any more.
    :raises ProxyError: there is no answer, or another one.
    """
    status, body = await ask("GET", ROUTES_PATH, proxy, ssl_context, token=token)
    if status == 401 or 300 <= status < 400:
        raise SignInNeeded(f"{proxy} asks for a sign-in", hint=f"Run: tunnelui login {proxy}")
    if status != 200:
        raise _no_portal(proxy, f"it answered {status} to {ROUTES_PATH}")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise _no_portal(proxy, "its list of routes is no JSON") from None


async def end_session(proxy: ProxyOrigin, token: Token, *, ssl_context: Callable[[], ssl.SSLContext]) -> bool:
    """End the session of *token* at the proxy; false where the proxy has no way to do that, or the session is over.

    The bundled server has one; Pomerium ends sessions in a browser only.

    :param ssl_context: makes the TLS settings; called in a worker thread.
    :raises ProxyError: there is no answer.
    """
    status, _ = await ask("POST", SIGN_OUT_PATH, proxy, ssl_context, token=token)
    return status == 200


def _no_portal(proxy: ProxyOrigin, detail: str) -> ProxyError:
    return odd_answer(proxy, detail, "Check that the proxy offers a list of routes (the portal of Pomerium).")
