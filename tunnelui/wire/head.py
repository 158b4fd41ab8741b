"""HTTP/1.1 heads under a grammar stricter than RFC 9112: one spelling per meaning.

Two parties that read one head differently are how requests are smuggled. So nothing lenient is taken: lines end in
CRLF, fields are neither folded nor padded before the colon, the version is HTTP/1.1, there is one ``Host``, and what
may stand only once does. A `RequestParser` or `ResponseParser` takes bytes in any pieces, keeps what follows the head,
and rejects at the first byte that can't be right; how the bytes are cut makes no difference to the result.

Errors never repeat what was received: a head carries tokens, and error pages and logs are read by others.
"""

from __future__ import annotations

import functools
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from tunnelui.errors import ProtocolError
from tunnelui.wire.address import AddressError, HostPort, parse_host_port

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "MAX_FIELDS",
    "MAX_HEAD",
    "MAX_START_LINE",
    "HeadError",
    "Headers",
    "RequestHead",
    "RequestParser",
    "ResponseHead",
    "ResponseParser",
    "connect_request",
    "render_response",
]

MAX_HEAD: Final = 16 * 1024
MAX_FIELDS: Final = 64
# RFC 9112 section 3 asks for at least 8000.
MAX_START_LINE: Final = 8 * 1024

_CR, _SPACE, _COLON = b"\r"[0], b" "[0], b":"[0]
_METHOD: Final = re.compile(rb"[A-Z-]*")
_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]*")  # token, RFC 9110 section 5.6.2
# Everything that is not HTAB, SP, VCHAR or obs-text (RFC 9110 section 5.5). CR may only stand before LF.
_FORBIDDEN: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?=[^\n])")
_REQUEST_LINE: Final = re.compile(rb"([A-Z-]+) ([!-~]+) ([!-~]+)")
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: ([\t -~\x80-\xff]*))?")
_STATUS_START: Final = b"HTTP/1."
_VERSION: Final = re.compile(rb"HTTP/[0-9]\.[0-9]")
# Path and query (RFC 3986), and what browsers leave unescaped in a query. No backslash: some read it as a slash.
_ORIGIN_FORM: Final = re.compile(r"/(?:[!$&-;=?-\[\]^_`a-~]|%[0-9A-Fa-f]{2})*", re.ASCII)
_LENGTH: Final = re.compile(r"[0-9]{1,15}", re.ASCII)
_TOKEN: Final = re.compile(r"[!-~]{1,8192}", re.ASCII)
_SINGLE: Final = ("authorization", "content-length", "host", "proxy-authorization", "transfer-encoding")


class HeadError(ProtocolError):
    """A head that is not taken. ``status_hint``: 400, 414 (first line), 431 (size, fields) or 505 (version)."""

    default_code = "head"


@dataclass(frozen=True, slots=True, repr=False)
class Headers:
    """Fields in the order received: names in lower case, values as Latin-1 without the space around them."""

    items: tuple[tuple[str, str], ...] = ()

    def get(self, name: str) -> str | None:
        """Return the first value of *name* (any case)."""
        return next(iter(self.get_all(name)), None)

    def get_all(self, name: str) -> tuple[str, ...]:
        """Return every value of *name* (any case), in order."""
        name = name.lower()
        return tuple(value for key, value in self.items if key == name)

    def __repr__(self) -> str:
        # Names only: values may be secrets.
        return f"Headers({', '.join(name for name, _ in self.items)})"


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """The head of an answer; *status* is 100 to 599. *reason* and the values of *headers* are foreign text."""

    status: int
    reason: str
    headers: Headers


_Head = TypeVar("_Head", RequestHead, ResponseHead)


class _Parser(ABC, Generic[_Head]):
    """Takes one head from bytes in any pieces.

    Every rule is tied to a position in the stream and the earliest broken one wins. Each byte is looked at once, so
    that a head sent byte by byte costs no more than one sent at once.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._line = 0  # where the current line starts
        self._seen = 0  # up to here the current line is checked
        self._in_name = True  # the method or field name of the current line has not ended
        self._first: bytes | None = None
        self._fields: list[tuple[str, str]] = []
        self._head: _Head | None = None
        self._error: HeadError | None = None

    def feed(self, data: bytes) -> _Head | None:
        """Take more bytes; return the head once it is complete. Bytes that follow it gather in `remainder`.

        :raises HeadError: the head breaks a rule. The parser stays broken.
        """
        if self._error is not None:
            raise self._error
        self._buffer += data
        if self._head is None:
            try:
                self._parse()
            except HeadError as error:
                self._error = error
                raise
        return self._head

    @property
    def remainder(self) -> bytes:
        """What followed the head; empty before the head is complete."""
        return b"" if self._head is None else bytes(self._buffer[self._line :])

    @property
    def started(self) -> bool:
        """Whether any byte came."""
        return bool(self._buffer)

    def _parse(self) -> None:
        end = min(len(self._buffer), MAX_HEAD)
        while self._head is None:
            limit = end if self._first is not None else min(end, MAX_START_LINE)
            newline = self._buffer.find(b"\n", self._seen, limit)
            if newline < 0:
                self._scan(limit)
                if self._first is None and limit == MAX_START_LINE:
                    raise HeadError("the first line is too long", status_hint=414)
                if limit == MAX_HEAD:
                    raise HeadError(f"the head is longer than {MAX_HEAD} bytes", status_hint=431)
                return
            self._scan(newline)
            if newline == self._line or self._buffer[newline - 1] != _CR:
                raise HeadError("a line ends without CR")
            self._take_line(bytes(self._buffer[self._line : newline - 1]), newline + 1)
            self._line = self._seen = newline + 1
            self._in_name = True

    def _take_line(self, line: bytes, end: int) -> None:
        if self._first is None:
            self._check_first(line)
            self._first = line
        elif line:
            name, _, value = line.partition(b":")
            self._fields.append((name.decode("ascii").lower(), value.strip(b" \t").decode("latin-1")))
        else:
            self._head = self._finish(self._first, Headers(tuple(self._fields)), bytes(self._buffer[:end]))

    def _scan(self, end: int) -> None:
        """Check the part of the current line that is new, up to *end* (before its LF)."""
        if self._first is None:
            self._scan_first(end)
        else:
            self._scan_field(end)
        # One byte back: a CR that was the last one is judged by what follows it.
        if _FORBIDDEN.search(self._buffer, max(self._line, self._seen - 1), end):
            raise HeadError("the head has a control character")
        self._seen = max(self._seen, end)

    def _scan_field(self, end: int) -> None:
        if not self._in_name or self._seen == end:
            return
        if self._seen == self._line:
            first = self._buffer[self._line]
            if first == _CR:
                self._in_name = False
                return
            if first in b" \t":
                raise HeadError("a field is folded over several lines")
            if len(self._fields) == MAX_FIELDS:
                raise HeadError(f"the head has more than {MAX_FIELDS} fields", status_hint=431)
        self._scan_name(_NAME, _COLON, end, "a field has no proper name")

    def _scan_name(self, pattern: re.Pattern[bytes], delimiter: int, end: int, reason: str) -> None:
        match = pattern.match(self._buffer, self._seen, end)
        stop = match.end() if match else self._seen
        if stop < end:
            if stop == self._line or self._buffer[stop] != delimiter:
                raise HeadError(reason)
            self._in_name = False
        self._seen = stop

    @abstractmethod
    def _scan_first(self, end: int) -> None:
        """Check what is there of the first line, up to *end*."""

    @abstractmethod
    def _check_first(self, line: bytes) -> None:
        """Check the whole first line, without its CRLF."""

    @abstractmethod
    def _finish(self, first: bytes, headers: Headers, raw: bytes) -> _Head:
        """Make the head from checked lines, applying the rules between fields."""


class RequestParser(_Parser[RequestHead]):
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
        for name in _SINGLE:
            if len(headers.get_all(name)) > 1:
                raise HeadError(f"the field {name} stands more than once")
        host = headers.get("host")
        if host is None and version == "HTTP/1.0":
            host = target
        if host is None:
            raise HeadError("the field host is missing")
        _check_framing(headers)
        if method != "CONNECT":
            if not _ORIGIN_FORM.fullmatch(target):
                raise HeadError("the target is not a path that begins with a slash")
            _authority(host, "the field host is no host", default_port=443)
            return RequestHead(method, target, headers, raw)
        if headers.get("content-length") is not None or headers.get("transfer-encoding") is not None:
            raise HeadError("a CONNECT has no body, so it can't have a length")
        authority = _authority(target, "the target is not HOST:PORT")
        # Some clients leave the port out (proxytunnel); what they name is still the target and nothing else.
        if _authority(host, "the field host is no host", default_port=authority.port) != authority:
            raise HeadError("the field host differs from the target")
        return RequestHead(method, target, headers, raw, authority)


class ResponseParser(_Parser[ResponseHead]):
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
    headers: Sequence[tuple[str, str]] = (),
) -> bytes:
    """Return the bytes of a CONNECT to *authority*, with ``Authorization: Pomerium TOKEN`` where a token is given.

    :raises HeadError: a part would break out of its place, or the token is empty or longer than 8 KiB.
    """
    target = str(authority)
    if _authority(target, "the destination is not HOST:PORT") != authority:
        raise HeadError("the destination is not in its normal form")
    fields = [("Host", target), ("User-Agent", user_agent)]
    if token is not None:
        if not _TOKEN.fullmatch(token):
            raise HeadError("the token has characters that no token has, or is too long")
        fields.append(("Authorization", f"Pomerium {token}"))
    return b"CONNECT %s HTTP/1.1\r\n%s\r\n" % (target.encode("ascii"), _render_fields([*fields, *headers]))


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
    try:
        reason = HTTPStatus(status).phrase
    except ValueError:
        reason = ""
    return b"HTTP/1.1 %d %s\r\n%s\r\n%s" % (status, reason.encode("ascii"), _render_fields(fields), body)


# A proxy is asked for the same few destinations again and again.
_recent: Final = functools.lru_cache(maxsize=256)(parse_host_port)
_SHORT: Final = 300  # longer ones must not fill the memory


def _authority(text: str, reason: str, *, default_port: int | None = None) -> HostPort:
    """Read a target or Host value. Besides letter case, only the spelling of an IPv6 address may vary."""
    try:
        read = _recent if len(text) <= _SHORT else parse_host_port
        address = read(text, default_port=default_port)
    except AddressError:
        raise HeadError(reason) from None
    # A final dot, zeros before the port or IDNA would be a second name for the same key.
    same = text.lower() in (str(address), address.host)
    if not same and not (text.startswith("[") and text.endswith((f"]:{address.port}", "]"))):
        raise HeadError(reason)
    return address


def _check_framing(headers: Headers) -> None:
    length = headers.get("content-length")
    coding = headers.get("transfer-encoding")
    if length is not None and coding is not None:
        raise HeadError("content-length and transfer-encoding stand together")
    if length is not None and not _LENGTH.fullmatch(length):
        raise HeadError("the content-length is no number")
    if coding is not None and coding.lower() != "chunked":
        raise HeadError("the transfer-encoding is not chunked")


def _render_fields(fields: Sequence[tuple[str, str]]) -> bytes:
    lines = []
    for name, value in fields:
        try:
            raw_name, raw_value = name.encode("ascii"), value.encode("latin-1")
        except UnicodeEncodeError:
            raise HeadError("a field has characters that do not fit in a head") from None
        if not raw_name or not _NAME.fullmatch(raw_name):
            raise HeadError("a field has no proper name")
        if _FORBIDDEN.search(raw_value) or b"\r" in raw_value or b"\n" in raw_value:
            raise HeadError("a field has a control character")
        lines.append(b"%s: %s\r\n" % (raw_name, raw_value))
    return b"".join(lines)
