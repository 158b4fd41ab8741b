"""What a client says and hears: a CONNECT, and the head of the answer. `tunnelui.wire.head` has the grammar."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Final

from tunnelui.frozen import frozen
from tunnelui.wire.head import HeadError, Headers, HeadParser, read_authority, render_fields

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tunnelui.wire.address import HostPort

__all__ = ["ResponseHead", "ResponseParser", "connect_request"]

_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: ([\t -~\x80-\xff]*))?")
_STATUS_START: Final = b"HTTP/1."
_TOKEN: Final = re.compile(r"[!-~]{1,8192}", re.ASCII)


@frozen
class ResponseHead:
    """The head of an answer; *status* is 100 to 599. *reason* and the values of *headers* are foreign text."""

    status: int
    reason: str
    headers: Headers


class ResponseParser(HeadParser[ResponseHead]):
    """Reads one answer head; HTTP/1.0 is taken as well, because foreign proxies answer so."""

    def _scan_first(self, end: int) -> None:
        start = bytes(self._buffer[: min(end, len(_STATUS_START))])
        if not _STATUS_START.startswith(start):
            raise HeadError("the answer is not HTTP/1.1")

    def _check_first(self, line: bytes) -> None:
        if _STATUS_LINE.fullmatch(line) is None:
            raise HeadError("the status line is broken")

    def _finish(self, first: bytes, headers: Headers, raw: bytes) -> ResponseHead:
        _, status, *reason = first.split(b" ", 2)
        return ResponseHead(int(status), b"".join(reason).decode("latin-1").strip(" \t"), headers)


def connect_request(
    authority: HostPort,
    *,
    token: str | None = None,
    user_agent: str = "tunnelui",
    accept: str = "",
    headers: Sequence[tuple[str, str]] = (),
) -> bytes:
    """Return the bytes of a CONNECT to *authority*, with ``Authorization: Pomerium TOKEN`` where a token is given.

    :param accept: the media types that an answer may have.
    :raises HeadError: a part would break out of its place, or the token is empty or longer than 8 KiB.
    """
    before, after = _before_token(authority, user_agent, accept), render_fields(headers) + b"\r\n"
    if token is None:
        return before + after
    if not _TOKEN.fullmatch(token):
        raise HeadError("the token has characters that no token has, or is too long")
    return b"%sAuthorization: Pomerium %s\r\n%s" % (before, token.encode("ascii"), after)


@functools.lru_cache(maxsize=256)
def _before_token(authority: HostPort, user_agent: str, accept: str) -> bytes:
    """What is no secret and the same for each connection to a destination. A further field may be a password."""
    target = str(authority)
    if read_authority(target, "the destination is not HOST:PORT") != authority:
        raise HeadError("the destination is not in its normal form")
    fields = [("Host", target), ("User-Agent", user_agent), *([("Accept", accept)] if accept else [])]
    return b"CONNECT %s HTTP/1.1\r\n%s" % (target.encode("ascii"), render_fields(fields))
