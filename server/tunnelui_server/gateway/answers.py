"""What the gateway says when it opens a tunnel, and when it does not.

A refusal tells nothing that the client sent or an upstream said, and reads the same for every destination.
The connection is closed after it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tunnelui.wire.answering import render_response

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tunnelui.wire.head import Headers

__all__ = ["Refusal", "opened", "prefers_json"]

_SENTENCES: Final = {
    "bad_request": "the request is not acceptable",
    "sign_in_needed": "sign in first",
    "denied": "you may not use this destination",
    "no_tunnels": "this address takes no tunnels",
    "timeout": "the request did not come in time",
    "busy": "too many connections; try again soon",
    "upstream_unavailable": "the service behind the proxy is unavailable",
    "unavailable": "the proxy can't answer just now; try again soon",
}
_OPENED: Final = render_response(200, [("Half-Close", "?1")]).removesuffix(b"\r\n")
_TEXTS: Final = ("text/plain", "text/html", "text/*", "*/*")


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is no. ``code`` is for programs; ``retry_after`` is seconds; ``location`` is where to sign in."""

    status: int
    code: str
    retry_after: int | None = None
    location: str | None = None

    def render(self, request_id: str, headers: Headers | None = None) -> bytes:
        """The bytes of the answer: JSON for clients that prefer it, one line of text for all others."""
        sentence = _SENTENCES[self.code]
        fields: list[tuple[str, str]] = [("Connection", "close"), ("Cache-Control", "no-store")]
        fields.append(("X-Request-Id", request_id))
        if self.location is not None:
            fields.append(("Location", self.location))
        if self.retry_after is not None:
            fields.append(("Retry-After", str(self.retry_after)))
        if headers is not None and prefers_json(headers.get_all("accept")):
            body = json.dumps({"error": self.code, "message": sentence, "request_id": request_id})
            fields.append(("Content-Type", "application/json"))
        else:
            body = f"{sentence} (request {request_id})"
            fields.append(("Content-Type", "text/plain; charset=utf-8"))
        return render_response(self.status, fields, f"{body}\n".encode())


def opened(request_id: str) -> bytes:
    """The answer that opens a tunnel; ``Half-Close`` says that the end of one direction is passed on as such.

    :param request_id: our own; it is not looked at.
    """
    return b"%sX-Request-Id: %s\r\n\r\n" % (_OPENED, request_id.encode("ascii"))


def prefers_json(accept: Sequence[str]) -> bool:
    """Whether ``Accept`` (RFC 9110, section 12.5.1) puts JSON before text; what it does not name counts for nothing."""
    quality: dict[str, float] = {}
    for part in ",".join(accept).split(","):
        kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = next((parameter[2:] for parameter in parameters if parameter.startswith("q=")), "1")
        try:
            quality[kind] = float(weight)
        except ValueError:
            quality[kind] = 0.0
    return quality.get("application/json", 0.0) > max((quality.get(kind, 0.0) for kind in _TEXTS[:3]), default=0.0)
