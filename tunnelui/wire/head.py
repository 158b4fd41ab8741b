"""HTTP/1.1 heads under a grammar stricter than RFC 9112: one spelling per meaning.

Two parties that read one head differently are how requests are smuggled. So nothing lenient is taken: lines end in
CRLF, fields are neither folded nor padded before the colon, the version is HTTP/1.1, there is one ``Host``, and what
may stand only once does. A parser takes bytes in any pieces, keeps what follows the head, and rejects at the first byte
that can't be right; how the bytes are cut makes no difference to the result. Here is what both sides share;
`tunnelui.wire.asking` is a client's part, `tunnelui.wire.answering` a server's.

Errors never repeat what was received: a head carries tokens, and error pages and logs are read by others.
"""

from __future__ import annotations

import functools
import re
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from tunnelui.errors import ProtocolError
from tunnelui.frozen import frozen
from tunnelui.wire.address import AddressError, HostPort, parse_host_port

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "MAX_FIELDS",
    "MAX_HEAD",
    "MAX_START_LINE",
    "HeadError",
    "HeadParser",
    "Headers",
    "read_authority",
    "render_fields",
]

MAX_HEAD: Final = 16 * 1024
MAX_FIELDS: Final = 64
# RFC 9112 section 3 asks for at least 8000.
MAX_START_LINE: Final = 8 * 1024

_CR, _COLON = b"\r"[0], b":"[0]
_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]*")  # token, RFC 9110 section 5.6.2
# Everything that is not HTAB, SP, VCHAR or obs-text (RFC 9110 section 5.5). CR may only stand before LF.
_FORBIDDEN: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?=[^\n])")
# A head that keeps the rules for all lines but the first: that one, and the fields.
_WHOLE: Final = re.compile(
    rb"([^\x00-\x1f\x7f]+)\r\n((?:[!#$%%&'*+.^_`|~0-9A-Za-z-]+:[^\x00-\x08\x0a-\x1f\x7f]*\r\n){0,%d})\r\n" % MAX_FIELDS
)


class HeadError(ProtocolError):
    """A head that is not taken. ``status_hint``: 400, 414 (first line), 431 (size, fields) or 505 (version)."""

    default_code = "head"


@frozen
class Headers:
    """Fields in the order received: names in lower case, values as Latin-1 without the space around them."""

    items: tuple[tuple[str, str], ...] = ()

    def get(self, name: str) -> str | None:
        """Return the first value of *name* (any case)."""
        name = name.lower()
        for key, value in self.items:
            if key == name:
                return value
        return None

    def get_all(self, name: str) -> tuple[str, ...]:
        """Return every value of *name* (any case), in order."""
        name = name.lower()
        return tuple(value for key, value in self.items if key == name)

    def __repr__(self) -> str:
        # Names only: values may be secrets.
        return f"Headers({', '.join(name for name, _ in self.items)})"


_Head = TypeVar("_Head")


class HeadParser(ABC, Generic[_Head]):
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
                if self._seen or not self._take_whole():
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

    def _take_whole(self) -> bool:
        """Take a head that has come in one piece and has nothing wrong, as most do; otherwise do nothing. In a few
        steps for all of it, where `_parse` needs a dozen for each line.
        """
        found = _WHOLE.match(self._buffer, 0, MAX_HEAD)
        if found is None:
            return False
        first, lines = found.groups()
        if len(first) + 2 > MAX_START_LINE:
            return False
        fields = []
        for line in lines.decode("latin-1").split("\r\n")[:-1]:
            name, _, value = line.partition(":")
            fields.append((name.lower(), value.strip(" \t")))
        try:
            self._check_first(first)
            self._head = self._finish(first, Headers(tuple(fields)), found[0])
        except HeadError:
            return False  # it is looked for again, since the earliest fault counts
        self._line = found.end()
        return True

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


# A proxy is asked for the same few destinations again and again.
_recent: Final = functools.lru_cache(maxsize=256)(parse_host_port)
_SHORT: Final = 300  # longer ones must not fill the memory


def read_authority(text: str, reason: str, *, default_port: int | None = None) -> HostPort:
    """Read a target or Host value. Besides letter case, only the spelling of an IPv6 address may vary.

    :raises HeadError: it is none; *reason* is the sentence.
    """
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


def render_fields(fields: Sequence[tuple[str, str]]) -> bytes:
    """Return the lines of *fields*.

    :raises HeadError: one would break out of its place.
    """
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
