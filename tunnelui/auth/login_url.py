"""Asking the proxy for its sign-in address: ``GET /.pomerium/api/v1/login``."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

import anyio
from anyio import to_thread

from tunnelui.auth.requests import not_http
from tunnelui.errors import SignInFailed
from tunnelui.text import clean
from tunnelui.transport.failures import outgoing_failure, proxy_failure
from tunnelui.wire.address import AddressError, HostPort, parse_host

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from tunnelui.wire.destination import ProxyOrigin

__all__ = ["LOGIN_PATH", "check_login_url", "fetch_login_url"]

LOGIN_PATH: Final = "/.pomerium/api/v1/login"
_TIMEOUT: Final = 10.0
_LARGEST: Final = 16 * 1024
_LONGEST_URL: Final = 8 * 1024
_MOST_REDIRECTS: Final = 3
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_TROUBLE: Final = "The proxy has trouble of its own. Try again; if it goes on, ask its administrator."
_HINT: Final = "Is this an identity-aware proxy? Check the proxy URL (--proxy-url)."


async def fetch_login_url(
    proxy: ProxyOrigin,
    redirect_uri: str,
    *,
    ssl_context: Callable[[], ssl.SSLContext] | None = None,
    timeout: float = _TIMEOUT,
) -> str:
    """Return the address that a person opens to sign in.

    Proxies named in the environment are honoured, but never for the loopback. Redirects are followed within the origin
    and not beyond it.

    :param redirect_uri: where the browser shall end, with the token.
    :param ssl_context: makes the TLS settings of the tunnel; the system's by default. Called in a worker thread.
    :param timeout: seconds for all of it.
    :raises SignInFailed: no answer, or none that holds such an address; codes ``login_unreachable``,
            ``login_trouble`` (a status of 500 or more), ``login_answer``.
    """
    import httpx

    url = f"{proxy.url}{LOGIN_PATH}?pomerium_redirect_uri={quote(redirect_uri, safe='')}"
    try:
        with anyio.fail_after(timeout):
            context = await _context(proxy, ssl_context)
            async with httpx.AsyncClient(
                verify=context, trust_env=not proxy.address.is_loopback, timeout=timeout, follow_redirects=False
            ) as client:
                text = await _fetch(client, httpx.URL(url), proxy)
    except TimeoutError:
        raise _unreachable(proxy, f"no answer within {timeout:g} s") from None
    except httpx.TimeoutException:
        raise _unreachable(proxy, "it did not answer in time") from None
    except httpx.RemoteProtocolError as error:
        raise _bad_answer(proxy, not_http(error)) from error
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:  # OpenSSL's own, after the handshake, is an OSError
        tell = outgoing_failure if isinstance(error, httpx.ProxyError) else proxy_failure
        failure = tell(error, str(proxy.address))
        raise SignInFailed(f"no sign-in can start: {failure}", code="login_unreachable", hint=failure.hint) from error
    except (ImportError, ValueError) as error:
        # A proxy of the environment that httpx can't use: an odd URL, or SOCKS without its package.
        raise _unreachable(proxy, f"the proxy in the environment is unusable: {clean(str(error))}") from error
    return check_login_url(text, proxy)


async def _context(proxy: ProxyOrigin, make: Callable[[], ssl.SSLContext] | None) -> ssl.SSLContext:
    if proxy.scheme == "http":
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # not used; saves reading every authority of the system
    return await to_thread.run_sync(make or ssl.create_default_context)


async def _fetch(client: httpx.AsyncClient, url: httpx.URL, proxy: ProxyOrigin) -> str:
    """Follow redirects within the origin."""
    origin = (url.scheme, url.host, url.port)
    # No compression: a small body could become a large one.
    headers = {"Accept": "text/plain", "Accept-Encoding": "identity", "User-Agent": "tunnelui"}
    for _ in range(_MOST_REDIRECTS + 1):
        async with client.stream("GET", url, headers=headers) as response:
            if response.status_code not in _REDIRECTS:
                return await _read(response, proxy)
            url = url.join(response.headers.get("location", ""))
        if (url.scheme, url.host, url.port) != origin:
            raise _bad_answer(proxy, f"it redirects to another place, {clean(url.host or '?', 80)}")
    raise _bad_answer(proxy, "it redirects in circles")


async def _read(response: httpx.Response, proxy: ProxyOrigin) -> str:
    if not response.is_success:
        words = f"it answered {response.status_code} to the sign-in request"
        if response.is_server_error:
            raise SignInFailed(f"{proxy} can't start a sign-in: {words}", code="login_trouble", hint=_TROUBLE)
        raise _bad_answer(proxy, words)
    if response.headers.get("content-encoding", "identity") != "identity":
        raise _bad_answer(proxy, "its answer is compressed, which was not asked for")
    body = b""
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > _LARGEST:
            raise _bad_answer(proxy, f"its answer is longer than {_LARGEST} bytes")
    return body.decode("utf-8", "replace").strip()


def check_login_url(text: str, proxy: ProxyOrigin) -> str:
    """Return *text* when it is an address that may be given to a browser.

    :raises SignInFailed: it is no absolute ``https`` address (``http`` only for the loopback or behind an ``http``
        proxy), has a user name, a backslash, or a character outside printable ASCII.
    """
    shown = f"“{clean(text.partition('?')[0], 80)}”"
    if not text:
        raise _bad_answer(proxy, "its answer to the sign-in request is empty")
    if len(text) > _LONGEST_URL or not all("!" <= character <= "~" for character in text) or "\\" in text:
        raise _bad_answer(proxy, f"it gave no sign-in address but {shown}")
    try:
        parts = urlsplit(text)
        host = HostPort(parse_host(parts.hostname or ""), parts.port or 0)
    except (ValueError, AddressError):
        raise _bad_answer(proxy, f"it gave no sign-in address but {shown}") from None
    if parts.scheme not in ("https", "http") or parts.username is not None or parts.password is not None:
        raise _bad_answer(proxy, f"it gave no sign-in address but {shown}")
    if parts.scheme == "http" and proxy.scheme == "https" and not host.is_loopback:
        raise _bad_answer(proxy, f"it gave a sign-in address without TLS, {shown}")
    return text


def _bad_answer(proxy: ProxyOrigin, detail: str) -> SignInFailed:
    return SignInFailed(f"{proxy} can't start a sign-in: {detail}", code="login_answer", hint=_HINT)


def _unreachable(proxy: ProxyOrigin, detail: str) -> SignInFailed:
    return SignInFailed(
        f"{proxy} can't start a sign-in: {detail}",
        code="login_unreachable",
        hint="Check the network connection, VPN and firewall, then try again.",
    )
