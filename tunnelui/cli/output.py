"""Standard output, standard error and exit codes; nothing else in the project writes to them.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 sign-in needed or failed, 4 denied, 5 the proxy or the
service behind it is unavailable.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import sys
from enum import IntEnum
from typing import IO, TYPE_CHECKING, Any, Final

from tunnelui.errors import AccessDenied, AuthError, ConfigError, PeerError, TunnelError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "SCHEMA",
    "Exit",
    "error_text",
    "exit_for",
    "fail",
    "is_output_lost",
    "is_reader_gone",
    "json_line",
    "print_json",
    "print_line",
    "print_news",
    "print_note",
    "print_table",
    "takes_text",
    "write_unbuffered",
]

SCHEMA: Final = 1
"""The version of all that ``--json`` prints: another one when a key goes or means something else, not for new keys."""
# A pipe that poll(2) calls writable takes this much without waiting (POSIX promises 512).
_ATOMIC: Final = getattr(select, "PIPE_BUF", 512)
# What says only that the reader has had enough, or is gone with its terminal.
_READER_GONE: Final = frozenset({errno.EPIPE, errno.EBADF, errno.EIO, errno.ENXIO})
_lost: list[str] = []
_silenced: list[IO[str]] = []


class Exit(IntEnum):
    """What the process says when it ends."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    SIGN_IN = 3
    DENIED = 4
    UNAVAILABLE = 5


def exit_for(error: TunnelError) -> Exit:
    """Return the exit code that tells *error* to a script."""
    if isinstance(error, ConfigError):
        return Exit.USAGE
    if isinstance(error, AccessDenied):
        return Exit.DENIED
    if isinstance(error, AuthError):
        return Exit.SIGN_IN
    if isinstance(error, PeerError):
        return Exit.UNAVAILABLE
    return Exit.FAILED


def print_line(text: str = "") -> None:
    """Write a result to standard output."""
    _write(sys.stdout, text)


def print_news(text: str) -> None:
    """Write what happens to standard output, for a command that goes on without: its exit code speaks of its work."""
    _write(sys.stdout, text, is_result=False)


def is_output_lost() -> bool:
    """Whether something of standard output could not be written although somebody wanted it, as on a full disk."""
    return bool(_lost)


def print_note(text: str) -> None:
    """Write what a person should know, and a program should not read, to standard error."""
    _write(sys.stderr, text)


def print_json(value: dict[str, Any]) -> None:
    """Write one JSON object on one line of standard output."""
    print_line(json_line(value))


def json_line(value: dict[str, Any]) -> str:
    """Return one JSON object as one line of ASCII: no reader can mistake its end or its encoding.

    Its first key, ``v``, is the version of the schema.
    """
    import json

    return json.dumps({"v": SCHEMA, **value}, ensure_ascii=True, separators=(",", ":"), default=str)


def error_text(error: TunnelError) -> str:
    """Return what went wrong, the request id if the server gave one, and on a line of its own the next step."""
    text = f"tunnelui: {error}"
    if error.request_id:
        text += f" (request {error.request_id})"
    return f"{text}\n  {error.hint}" if error.hint else text


def fail(error: TunnelError) -> Exit:
    """Print *error* and return its exit code."""
    print_note(error_text(error))
    return exit_for(error)


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write columns padded by terminal cells, two blanks apart. The last column is as long as it is."""
    table = [header, *rows]
    widths = [max(_cells(row[column]) for row in table) for column in range(len(header))]
    for row in table:
        cells = [cell + " " * (width - _cells(cell)) for cell, width in zip(row, widths, strict=True)]
        print_line("  ".join(cells).rstrip())


def is_reader_gone() -> bool:
    """Whether nobody can read standard output any more: it is a pipe whose other end was closed, or was never open."""
    if sys.stdout is None or sys.stdout in _silenced:
        return True
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)  # a pipe without a reader is told without being asked for
        return any(events & select.POLLERR for _, events in poll.poll(0))
    except (AttributeError, OSError, ValueError):
        return False


def takes_text(stream: IO[str], text: str) -> bool:
    """Whether *stream* takes *text* without waiting. A pipe may be full, a terminal stopped with Ctrl-S."""
    try:
        poll = select.poll()
        poll.register(stream.fileno(), select.POLLOUT)
        return bool(poll.poll(0)) and len(text) < _ATOMIC
    except (AttributeError, OSError, ValueError):
        return True  # closed, or not a descriptor: nothing to wait for


def write_unbuffered(stream: IO[str], text: str) -> None:
    """Write a line past the stream's buffer and its lock, waiting as long as it takes: for a thread of its own."""
    data = memoryview(f"{text}\n".encode(getattr(stream, "encoding", None) or "utf-8", "backslashreplace"))
    with contextlib.suppress(OSError, ValueError):
        while data:
            data = data[os.write(stream.fileno(), data) :]


def _cells(text: str) -> int:
    import unicodedata

    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )


def _write(stream: IO[str] | None, text: str, *, is_result: bool = True) -> None:
    if stream is None:  # closed before we started
        return
    try:
        try:
            print(text, file=stream, flush=True)
        except UnicodeEncodeError:
            print(text.encode("ascii", "backslashreplace").decode("ascii"), file=stream, flush=True)
    except (OSError, ValueError) as error:
        # Nothing more can be written there, now or at exit.
        _silence(stream)
        if stream is sys.stdout and isinstance(error, OSError) and error.errno not in _READER_GONE:
            if is_result:
                _lost.append(str(error))
            print_note(f"tunnelui: standard output can't be written: {error.strerror or error}")


def _silence(stream: IO[str]) -> None:
    _silenced.append(stream)
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(null, stream.fileno())
        finally:
            os.close(null)
