"""The proxy's list of routes for the person who is signed in: ``GET /.pomerium/api/v1/routes``."""

from __future__ import annotations

import json
import ssl
from typing import TYPE_CHECKING, Any, Final

import anyio
from anyio import to_thread

from tunnelui.errors import AuthError, ProxyError, SignInNeeded
from tunnelui.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable

    from tunnelui.auth.tokens import Token
    from tunnelui.wire.destination import ProxyOrigin

__all__ = ["ROUTES_PATH", "fetch_portal"]

ROUTES_PATH: Final = "/.pomerium/api/v1/routes"
_TIMEOUT: Final = 15.0
_LARGEST: Final = 16 * 1024 * 1024


async def fetch_portal(
    proxy: ProxyOrigin, token: Token, *, ssl_context: Callable[[], ssl.SSLContext], timeout: float = _TIMEOUT
) -> Any:
    """Return the JSON of the list.

    The token goes to *proxy* and nowhere else: redirects are not followed. Proxies of the environment are honoured, but
    never for the loopback.

    :param ssl_context: makes the TLS settings; called in a worker thread.
    :raises AuthError: the token does not count any more.
    :raises ProxyError: there is no answer, or another one.
    """
    import httpx

    headers = {
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "Authorization": f"Bearer Pomerium-{token.value}",
        "User-Agent": "tunnelui",
    }
    context: ssl.SSLContext | bool = True
    if proxy.scheme == "https":
        context = await to_thread.run_sync(ssl_context)
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # not used; saves reading every authority of the system
    try:
        with anyio.fail_after(timeout):
            async with (
                httpx.AsyncClient(
                    verify=context, trust_env=not proxy.address.is_loopback, timeout=timeout, follow_redirects=False
                ) as client,
                client.stream("GET", f"{proxy.url}{ROUTES_PATH}", headers=headers) as response,
            ):
                if response.status_code == 401 or response.is_redirect:
                    raise SignInNeeded(f"{proxy} asks for a sign-in", hint=f"Run: tunnelui login {proxy}")
                if response.status_code != 200:
                    raise _odd(proxy, f"it answered {response.status_code} to {ROUTES_PATH}")
                body = b""
                async for piece in response.aiter_raw():
                    body += piece
                    if len(body) > _LARGEST:
                        raise _odd(proxy, f"its list of routes is longer than {_LARGEST} bytes")
        return json.loads(body)
    except AuthError:
        raise
    except TimeoutError:
        raise ProxyError("timeout", address=str(proxy.address), stage="connect") from None
    except httpx.HTTPError as error:
        words = clean(str(error)) or type(error).__name__
        raise ProxyError("unreachable", address=str(proxy.address), stage="connect", detail=words) from None
    except (ValueError, RecursionError):
        raise _odd(proxy, "its list of routes is no JSON") from None


def _odd(proxy: ProxyOrigin, detail: str) -> ProxyError:
    hint = "Check that the proxy offers a list of routes (the portal of Pomerium)."
    return ProxyError("answer", address=str(proxy.address), stage="connect", detail=detail, hint=hint)
