"""Signing in with a short code that is entered in another machine's browser: RFC 8628, as the bundled server has it."""

from __future__ import annotations

import json
import math
import re
import time
from dataclasses import field
from typing import TYPE_CHECKING, Any, Final

import anyio

from tunnelui.auth.login_url import check_login_url
from tunnelui.auth.requests import ask
from tunnelui.auth.tokens import Token
from tunnelui.errors import ProxyError, SignInFailed
from tunnelui.frozen import frozen

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from tunnelui.wire.destination import ProxyOrigin

__all__ = ["DeviceCode", "request_device_code", "wait_for_token"]

_CODE_PATH: Final = "/.pomerium/api/v1/device"
_POLL_PATH: Final = "/.pomerium/api/v1/device/token"
_USER_CODE: Final = re.compile(r"[A-Z0-9-]{4,20}", re.ASCII)
_INTERVALS: Final = (1.0, 60.0)
_LONGEST: Final = 1800.0
_AGAIN: Final = "Run it again for another code."


@frozen
class DeviceCode:
    """What the proxy gave.

    :param user_code: what the person enters at *url*.
    :param interval: seconds between two questions for the token.
    :param expires_at: monotonic time.
    """

    user_code: str
    url: str
    interval: float
    expires_at: float
    secret: str = field(repr=False)


async def request_device_code(proxy: ProxyOrigin, ssl_context: Callable[[], ssl.SSLContext]) -> DeviceCode:
    """Ask *proxy* for the codes.

    :raises SignInFailed: it has no such sign-in (code ``no_device``), has given too many codes (``slow_down``), or its
        answer makes no sense (``login_answer``).
    :raises ProxyError: there is no answer.
    """
    status, body = await ask("POST", _CODE_PATH, proxy, ssl_context, form={})
    if status == 429:
        raise SignInFailed(f"{proxy} has given too many codes", code="slow_down", hint="Wait a minute, then try again.")
    answer = _parse(body) if status == 200 else {}
    secret, code = answer.get("device_code"), answer.get("user_code")
    if status != 200 or not isinstance(secret, str) or not secret:
        raise SignInFailed(
            f"{proxy} gives no codes for other machines",
            code="no_device",
            hint="Run: tunnelui login --paste, and open the address that it prints on any machine with a browser.",
        )
    if not isinstance(code, str) or not _USER_CODE.fullmatch(code):
        raise SignInFailed(f"{proxy} gave a code that is none", code="login_answer", hint=_AGAIN)
    url = check_login_url(str(answer.get("verification_uri", "")), proxy)
    lifetime = min(_LONGEST, _number(answer.get("expires_in"), _LONGEST))
    interval = min(max(_number(answer.get("interval"), 5.0), _INTERVALS[0]), _INTERVALS[1])
    return DeviceCode(code, url, interval, time.monotonic() + lifetime, secret)


async def wait_for_token(proxy: ProxyOrigin, code: DeviceCode, ssl_context: Callable[[], ssl.SSLContext]) -> Token:
    """Ask again and again until the person has answered. A network that is away for a while ends nothing.

    :raises SignInFailed: they said no (code ``denied``), or nobody answered in time (``timeout``).
    """
    interval = code.interval
    while time.monotonic() < code.expires_at:
        await anyio.sleep(interval)
        try:
            status, body = await ask("POST", _POLL_PATH, proxy, ssl_context, form={"device_code": code.secret})
        except ProxyError:
            interval = min(interval + 5.0, _INTERVALS[1])  # RFC 8628, 3.5: slower after a time-out
            continue
        answer = _parse(body)
        if status == 200:
            return Token.parse(str(answer.get("access_token", "")))
        match answer.get("error"):
            case "slow_down":
                interval = min(interval + 5.0, _INTERVALS[1])
            case "access_denied":
                raise SignInFailed("the sign-in was refused in the browser", code="denied", hint=_AGAIN)
            case "expired_token":
                break
    raise SignInFailed("nobody entered the code in time", code="timeout", hint=_AGAIN)


def _parse(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _number(value: object, default: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
        return default
    return float(value)
