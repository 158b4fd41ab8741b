"""Small, bounded requests to an identity provider.

It may be slow, broken or hostile: https only (plain http on the loopback, for tests and demos), no redirect is
followed, an answer is read up to 256 KiB and 5 seconds in all, and is JSON or nothing.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import anyio
import httpx

from tunnelui.wire.address import AddressError, HostPort, parse_host
from tunnelui_server.identity.provider import ProviderUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Fetcher", "is_allowed_url"]

MAX_ANSWER: Final = 256 * 1024
TIMEOUT: Final = 5.0


def is_allowed_url(url: object) -> bool:
    """Whether *url* may be asked: https with a host, or http on the loopback; no userinfo, no fragment."""
    if not isinstance(url, str) or len(url) > 2048 or not url.isascii() or not url.isprintable() or "\\" in url:
        return False
    try:
        parts = urlsplit(url)
        host, port = parse_host(parts.hostname or ""), parts.port
    except (ValueError, AddressError):
        return False
    if parts.username is not None or parts.password is not None or "#" in url or " " in url:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and HostPort(host, port or 80).is_loopback)


class Fetcher:
    """One HTTP client for one provider."""

    def __init__(self, *, timeout: float = TIMEOUT, client: httpx.AsyncClient | None = None) -> None:
        self._timeout = timeout
        self._client = client or httpx.AsyncClient(
            timeout=timeout,
            follow_redirects=False,
            limits=httpx.Limits(max_connections=16),
            # Compressed answers could unfold beyond any bound within one read.
            headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "tunnelui-server"},
        )

    async def get_json(self, url: str, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The JSON object at *url*.

        :raises ProviderUnavailable: no answer in time, another status than 200, or no JSON object.
        """
        status, body = await self._ask("GET", url, headers=headers or {})
        if status != 200 or body is None:
            raise ProviderUnavailable(f"{_place(url)} answered {status}")
        return body

    async def post_form(
        self, url: str, form: Mapping[str, str], headers: Mapping[str, str]
    ) -> tuple[int, dict[str, Any]]:
        """The status and JSON object of the answer; the object is empty where there is none.

        :raises ProviderUnavailable: no answer in time, or one that breaks a bound.
        """
        status, body = await self._ask("POST", url, headers=headers, data=dict(form))
        return status, body or {}

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _ask(
        self, method: str, url: str, *, headers: Mapping[str, str], data: dict[str, str] | None = None
    ) -> tuple[int, dict[str, Any] | None]:
        if not is_allowed_url(url):
            raise ProviderUnavailable("the provider names an address that is not https")
        try:
            with anyio.fail_after(self._timeout):
                async with self._client.stream(method, url, headers=dict(headers), data=data) as answer:
                    body = await _read(answer, url)
        except TimeoutError:
            raise ProviderUnavailable(f"{_place(url)} did not answer within {self._timeout:g} s") from None
        except httpx.HTTPError as error:
            # The text of httpx's errors holds addresses and reasons, never header fields or bodies.
            raise ProviderUnavailable(f"{_place(url)}: {type(error).__name__}") from None
        return answer.status_code, _parse(body)


async def _read(answer: httpx.Response, url: str) -> bytes:
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise ProviderUnavailable(f"{_place(url)} compressed its answer")
    body = bytearray()
    async for piece in answer.aiter_raw():
        body += piece
        if len(body) > MAX_ANSWER:
            raise ProviderUnavailable(f"{_place(url)} sent more than {MAX_ANSWER // 1024} KiB")
    return bytes(body)


def _parse(body: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _place(url: str) -> str:
    """The address without its query, for logs."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"
