"""What a server hears and says: the head of a request, and an answer. `tunnelui.wire.head` has the grammar."""

from __future__ import annotations

import functools
import re
from dataclasses import field
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from tunnelui.frozen import frozen
from tunnelui.wire.head import HeadError, Headers, HeadParser, read_authority, render_fields

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tunnelui.wire.address import HostPort

__all__ = ["RequestHead", "RequestParser", "render_response"]

_SPACE: Final = b" "[0]
_METHOD: Final = re.compile(rb"[A-Z-]*")
_REQUEST_LINE: Final = re.compile(rb"([A-Z-]+) ([!-~]+) ([!-~]+)")
_VERSION: Final = re.compile(rb"HTTP/[0-9]\.[0-9]")
# Path and query (RFC 3986), and what browsers leave unescaped in a query. No backslash: some read it as a slash.
_ORIGIN_FORM: Final = re.compile(r"/(?:[!$&-;=?-\[\]^_`a-~]|%[0-9A-Fa-f]{2})*", re.ASCII)
_LENGTH: Final = re.compile(r"[0-9]{1,15}", re.ASCII)
_FRAMING: Final = ("content-length", "transfer-encoding")
_SINGLE: Final = ("authorization", "content-length", "host", "proxy-authorization", "transfer-encoding")


@frozen
class RequestHead:
    """A request that keeps every rule of this module.

    :param raw: the head as received, with the empty line.
    :param authority: the target of a CONNECT, normalised; a key to look up, never an address to dial.
    """

    method: str
    target: str = field(repr=False)
    headers: Headers
    raw: bytes = field(repr=False)
    authority: HostPort | None = None

    @property
    def is_connect(self) -> bool:
        return self.method == "CONNECT"

    @property
    def content_length(self) -> int | None:
        """The length of the body in bytes, where the head gives it."""
        value = self.headers.get("content-length")
        return None if value is None else int(value)

    @property
    def is_chunked(self) -> bool:
        """Whether the body comes in chunks; never together with `content_length`."""
        return self.headers.get("transfer-encoding") is not None


class RequestParser(HeadParser[RequestHead]):
    """Reads one request head.

    :param old_connect: take a CONNECT of HTTP/1.0, too, as nc, socat and proxychains send it: without ``Host``.
    """

    def __init__(self, *, old_connect: bool = False) -> None:
        super().__init__()
        self._old_connect = old_connect

    def _scan_first(self, end: int) -> None:
        if self._in_name:
            self._scan_name(_METHOD, _SPACE, end, "the request does not begin with a method in capitals")

    def _check_first(self, line: bytes) -> None:
        match = _REQUEST_LINE.fullmatch(line)
        if match is None:
            raise HeadError("the first line is not METHOD TARGET VERSION with single spaces")
        method, _, version = match.groups()
        old = self._old_connect and (method, version) == (b"CONNECT", b"HTTP/1.0")
        if version != b"HTTP/1.1" and not old:
            known = _VERSION.fullmatch(version) is not None
            raise HeadError("the version is not HTTP/1.1", status_hint=505 if known else 400)

    def _finish(self, first: bytes, headers: Headers, raw: bytes) -> RequestHead:
        method, target, version = first.decode("ascii").split(" ")
        names = [name for name, _ in headers.items]
        known = set(names)
        if len(known) < len(names):
            for name in _SINGLE:
                if names.count(name) > 1:
                    raise HeadError(f"the field {name} stands more than once")
        host = headers.get("host")
        if host is None and version == "HTTP/1.0":
            host = target
        if host is None:
            raise HeadError("the field host is missing")
        framed = not known.isdisjoint(_FRAMING)
        if framed:
            _check_framing(headers)
        if method != "CONNECT":
            if not _ORIGIN_FORM.fullmatch(target):
                raise HeadError("the target is not a path that begins with a slash", code="not_a_path")
            read_authority(host, "the field host is no host", default_port=443)
            return RequestHead(method, target, headers, raw)
        if framed:
            raise HeadError("a CONNECT has no body, so it can't have a length")
        authority = read_authority(target, "the target is not HOST:PORT")
        # Some clients leave the port out (proxytunnel); what they name is still the target and nothing else.
        reason = "the field host is no host"
        if host != target and read_authority(host, reason, default_port=authority.port) != authority:
            raise HeadError("the field host differs from the target")
        return RequestHead(method, target, headers, raw, authority)


def render_response(status: int, headers: Sequence[tuple[str, str]] = (), body: bytes = b"") -> bytes:
    """Return the bytes of an answer. ``Content-Length`` is added, except to a 2xx without *body*.

    :raises HeadError: the status is not 100 to 599, a field would break out of its place, or frames the body itself.
    """
    if not 100 <= status <= 599:
        raise HeadError("the status is not 100 to 599")
    if any(name.lower() in ("content-length", "transfer-encoding") for name, _ in headers):
        raise HeadError("the length of the body is not the caller's to give")
    fields = list(headers)
    bodiless = status < 200 or status in (204, 304)  # RFC 9110 section 6.4.1
    if bodiless and body:
        raise HeadError(f"an answer {status} has no body")
    if not bodiless and (body or status >= 300):
        fields.append(("Content-Length", str(len(body))))
    return b"HTTP/1.1 %d %s\r\n%s\r\n%s" % (status, _phrase(status), render_fields(fields), body)


@functools.cache
def _phrase(status: int) -> bytes:
    return HTTPStatus(status).phrase.encode("ascii") if status in set(HTTPStatus) else b""


def _check_framing(headers: Headers) -> None:
    length = headers.get("content-length")
    coding = headers.get("transfer-encoding")
    if length is not None and coding is not None:
        raise HeadError("content-length and transfer-encoding stand together")
    if length is not None and not _LENGTH.fullmatch(length):
        raise HeadError("the content-length is no number")
    if coding is not None and coding.lower() != "chunked":
        raise HeadError("the transfer-encoding is not chunked")
