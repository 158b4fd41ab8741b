"""Where a token may be sent: a program that listens on this person's own machine, and nowhere else.

The login address is reachable without a sign-in and a token travels in what it is given, so an open redirect here gives
tokens away. The grammar is therefore a list of what is allowed, matched against the whole text; no URL library
normalises anything first, and browsers read what passes in only one way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

from tunnelui.errors import ProtocolError

__all__ = ["LoopbackRedirect", "RedirectError", "parse_redirect"]

MAX_REDIRECT: Final = 512
_LOWEST_PORT: Final = 1024
_TOKEN_PARAMETER: Final = "pomerium_jwt"  # noqa: S105 - the name of a parameter, not a secret

# RFC 3986: pchar and "/", then query. Escapes of controls (%00-%1F, %7F) and of the backslash (%5C) stay out.
_ESCAPE: Final = r"%(?:[2-4689A-Fa-f][0-9A-Fa-f]|5[0-9ABDEFabdef]|7[0-9A-Ea-e])"
_PATH: Final = rf"(?:/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|{_ESCAPE})*)?"
_QUERY: Final = rf"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|{_ESCAPE})*"
_REDIRECT: Final = re.compile(
    rf"http://(?P<host>127\.0\.0\.1|\[::1\]|localhost):(?P<port>[1-9][0-9]{{3,4}})(?P<path>{_PATH})(?:\?(?P<query>{_QUERY}))?",
    re.ASCII,
)


class RedirectError(ProtocolError):
    """The address is not one that a token may be sent to. The sentence repeats nothing of it."""

    default_code = "redirect"


@dataclass(frozen=True, slots=True)
class LoopbackRedirect:
    """``http://HOST:PORT/PATH?QUERY`` of a program on the person's own machine."""

    text: str
    host: str
    port: int
    path: str
    query: str

    @property
    def place(self) -> str:
        """``HOST:PORT``, for people."""
        return f"{self.host}:{self.port}"

    @property
    def form_action(self) -> str:
        """What a Content-Security-Policy has to name for a form that ends there. Its grammar knows no IPv6 literals."""
        return "http:" if self.host == "[::1]" else f"http://{self.place}"

    def with_token(self, token: str) -> str:
        """The address with *token* in its query."""
        joint = f"{self.query}&" if self.query else ""
        return f"http://{self.place}{self.path or '/'}?{joint}{_TOKEN_PARAMETER}={quote(token, safe='')}"


def parse_redirect(text: str) -> LoopbackRedirect:
    """Read a redirect URI.

    :raises RedirectError: it is not exactly ``http``, a loopback host, a port from 1024 to 65535, and a plain path.
    """
    match = _REDIRECT.fullmatch(text) if len(text) <= MAX_REDIRECT else None
    if match is None or not _LOWEST_PORT <= int(match["port"]) <= 65535:
        raise RedirectError("the redirect address is not a loopback address with a port")
    query = match["query"] or ""
    if any(unquote(part.partition("=")[0]) == _TOKEN_PARAMETER for part in query.split("&")):
        raise RedirectError("the redirect address has a token already")
    return LoopbackRedirect(text, match["host"], int(match["port"]), match["path"], query)
