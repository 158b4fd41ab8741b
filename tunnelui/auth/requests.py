"""One request to the proxy's own pages, for programs."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final

import anyio
from anyio import to_thread

from tunnelui.errors import ProxyError
from tunnelui.text import clean
from tunnelui.transport.failures import outgoing_failure, proxy_failure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx

    from tunnelui.auth.tokens import Token
    from tunnelui.wire.destination import ProxyOrigin

__all__ = ["ask", "not_http", "odd_answer"]

_TIMEOUT: Final = 15.0
_LARGEST: Final = 16 * 1024 * 1024


async def ask(
    method: str,
    path: str,
    proxy: ProxyOrigin,
    ssl_context: Callable[[], ssl.SSLContext],
    *,
    token: Token | None = None,
    form: Mapping[str, str] | None = None,
) -> tuple[int, bytes]:
    """Return status and body. *token* and *form* go to *proxy* and nowhere else: redirects are not followed.

    Proxies of the environment are honoured, but never for the loopback.

    :param ssl_context: makes the TLS settings; called in a worker thread.
    :raises ProxyError: there is no answer, or one that is too long.
    """
    import httpx

    headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "tunnelui"}
    if token is not None:
        headers["Authorization"] = f"Bearer Pomerium-{token.value}"
    # Without TLS the context is not used, and reading every authority of the system is saved.
    context = (
        await to_thread.run_sync(ssl_context) if proxy.scheme == "https" else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    )
    url, body = f"{proxy.url}{path}", b""
    try:
        with anyio.fail_after(_TIMEOUT):
            async with (
                httpx.AsyncClient(verify=context, trust_env=not proxy.address.is_loopback, timeout=_TIMEOUT) as client,
                client.stream(method, url, headers=headers, data=form) as response,
            ):
                async for piece in response.aiter_raw():
                    body += piece
                    if len(body) > _LARGEST:
                        raise odd_answer(proxy, f"its answer is longer than {_LARGEST} bytes")
                return response.status_code, body
    except (TimeoutError, httpx.TimeoutException):
        raise ProxyError("timeout", address=str(proxy.address), stage="connect") from None
    except httpx.ProxyError as error:
        raise outgoing_failure(error, str(proxy.address)) from None
    except httpx.RemoteProtocolError as error:
        raise odd_answer(proxy, not_http(error)) from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:  # OpenSSL's own, after the handshake, is an OSError
        raise proxy_failure(error, str(proxy.address)) from None


def not_http(error: httpx.RemoteProtocolError) -> str:
    """What a peer has done that broke HTTP, in words."""
    text = clean(str(error))
    return "it closed the connection without an answer" if "disconnected" in text else f"it speaks no HTTP: {text}"


def odd_answer(proxy: ProxyOrigin, detail: str, hint: str = "Check the proxy URL (--proxy-url).") -> ProxyError:
    """The error for an answer that makes no sense."""
    return ProxyError("answer", address=str(proxy.address), stage="connect", detail=detail, hint=hint)
