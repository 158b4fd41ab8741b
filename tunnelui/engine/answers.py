"""What the proxy's answer to a CONNECT means, and the words for a refusal. Sans-IO.

====================== ==========================================================================================
200                    the tunnel is open
301 302 307 308 401    sign in and try once more; the only answers that take a token away
403                    denied: signed in and not allowed; the token stays
503                    the service or something behind the proxy is down; worth another try
100, 102 to 199        to be skipped (RFC 9110 section 15.2)
anything else          an error with the status, the request id and the next step; the token stays
====================== ==========================================================================================

101 is not skipped: it would switch to a protocol that nobody asked for. Nor is any other 2xx an open tunnel, though
RFC 9110 section 9.3.6 would have it so: no proxy of this kind answers with one, and a captive portal might.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from tunnelui.errors import AccessDenied, ProxyError, TunnelError, UpstreamError
from tunnelui.text import clean

if TYPE_CHECKING:
    from tunnelui.wire.asking import ResponseHead
    from tunnelui.wire.destination import Destination

__all__ = ["Meaning", "half_close", "meaning", "reason", "refusal", "request_id"]

_JSON_KEYS: Final = ("error_description", "message", "reason", "detail", "error", "title")
_SAYS_NOTHING: Final = ("the service behind the proxy is unavailable", "you may not use this destination")
_HIDDEN: Final = b"[token]"


class Meaning(StrEnum):
    """What to do next."""

    OPEN = "open"
    SIGN_IN = "sign in"
    DENIED = "denied"
    UNAVAILABLE = "unavailable"
    SKIP = "skip"
    ODD = "odd"


def meaning(status: int) -> Meaning:
    """Return what *status* says to a CONNECT."""
    if status == 200:
        return Meaning.OPEN
    if status in (301, 302, 307, 308, 401):
        return Meaning.SIGN_IN
    if status == 403:
        return Meaning.DENIED
    if status == 503:
        return Meaning.UNAVAILABLE
    if 100 <= status < 200 and status != 101:
        return Meaning.SKIP
    return Meaning.ODD


def request_id(head: ResponseHead) -> str | None:
    """Return the server's name for this request, fit to be shown, or ``None``."""
    return clean(head.headers.get("x-request-id") or "", 64) or None


def half_close(head: ResponseHead) -> bool:
    """Whether the proxy said that it passes an end on in one direction only (a boolean of RFC 9651)."""
    return head.headers.get("half-close") == "?1"


def reason(head: ResponseHead, body: bytes, *, token: str = "") -> str:
    """Return what a refusal's body says, in one clean line; empty when it is markup, binary or nothing.

    *body* may be cut short. *token* is left out of it: some servers repeat the request in their error pages.
    """
    if head.headers.get("content-encoding") is not None:
        return ""
    if head.headers.get("transfer-encoding") is not None:
        body = _dechunk(body)
    if token:
        body = body.replace(token.encode(), _HIDDEN)
    kind = (head.headers.get("content-type") or "text/plain").partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        return _from_json(body)
    if kind != "text/plain":
        return ""
    text = body.decode("utf-8", "replace").strip()
    return "" if text.startswith("<") else clean(text.partition("\n")[0].strip(), 160)


def refusal(
    head: ResponseHead, body: bytes, destination: Destination, identity: str, *, token: str = ""
) -> TunnelError:
    """Return the error for an answer that is neither an open tunnel nor a call to sign in.

    *identity* is whom the token names; empty when that is not known. *token* is what must not be in its words.
    """
    said = reason(head, body, token=token)
    if said in _SAYS_NOTHING:  # our server says the same in other words; what Envoy says adds something
        said = ""
    proxy = str(destination.proxy.address)
    what = meaning(head.status)
    if what is Meaning.DENIED:
        who = clean(identity, 80) if identity else "this identity"
        return AccessDenied(
            f"{who} may not reach {destination.authority}" + (f": {said}" if said else ""),
            hint=f"Ask the administrator of {destination.proxy.host} for access, or sign in as somebody else.",
            request_id=request_id(head),
        )
    if what is Meaning.UNAVAILABLE:
        return UpstreamError(
            "unavailable",
            address=str(destination.authority),
            stage="connect",
            detail=said,
            hint="The service behind the proxy is down, or the proxy can't reach it. The next connection tries again.",
            status=head.status,
            request_id=request_id(head),
        )
    phrase = head.reason.replace(token, _HIDDEN.decode()) if token else head.reason
    line = f"{head.status} {clean(phrase, 60)}".strip()
    return ProxyError(
        "answer",
        address=proxy,
        stage="connect",
        detail=f"{line} ({said})" if said else line,
        hint=_hint(head.status, destination),
        status=head.status,
        request_id=request_id(head),
    )


def _hint(status: int, destination: Destination) -> str:
    if status == 407:
        return "Something between here and the proxy wants a password of its own; that is not supported."
    if status == 429:
        return "The proxy limits how often it may be asked. Wait a moment, then try again."
    if status == 404:
        return f"Check that the proxy has a route for {destination.authority}, and that --proxy-url is right."
    if status >= 500:
        return "The proxy has trouble of its own. Try again; if it goes on, ask its administrator."
    return "Check that --proxy-url names an identity-aware proxy that takes CONNECT, and not some other web server."


def _from_json(body: bytes) -> str:
    import json  # here: most answers have no body

    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    for key in _JSON_KEYS:
        if isinstance(value, dict) and isinstance(value.get(key), str):
            return clean(value[key].strip(), 160)
    return ""


def _dechunk(body: bytes) -> bytes:
    """Return what is there of a chunked body (RFC 9112 section 7.1); only for display, so leniently."""
    size_line = re.compile(rb"([0-9A-Fa-f]{1,4})[^\r\n]*\r\n")
    out, at = b"", 0
    while match := size_line.match(body, at):
        size = int(match[1], 16)
        out += body[match.end() : match.end() + size]
        at = match.end() + size + 2
        if size == 0:
            break
    return out
