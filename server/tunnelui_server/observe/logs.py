"""One JSON object a line.

``time`` (UTC), ``level``, ``logger`` and ``message`` come first, then the fields of ``extra={"fields": {...}}`` or, for
the audit trail, ``extra={"audit": {...}}``. Every character outside printable ASCII is escaped, so that no value can
begin a line or drive a terminal; values and lines are bounded; secrets are taken out here, whoever logged them.
"""

from __future__ import annotations

import functools
import json
import logging
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TextIO

from tunnelui_server.observe.redact import REDACTED, is_secret_name, redact

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["AUDIT_LOGGER", "JSONFormatter", "configure_logging"]

AUDIT_LOGGER: Final = "tunnelui_server.audit"

_LEVELS: Final = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
}
_MAX_TEXT: Final = 1000
_MAX_TRACEBACK: Final = 8000
_MAX_FIELDS: Final = 40
_MAX_ITEMS: Final = 50
_ENCODER: Final = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"))
_MAX_KNOWN: Final = 2048
_LONGEST_KNOWN: Final = 200
_known: Final[set[str]] = set()
"""Texts that stay as they are: names of routes, rules and the like stand in line after line."""


class JSONFormatter(logging.Formatter):
    """Turns a record into its line, without the line's end. *worker*: which of several gateways wrote it, from 1."""

    def __init__(self, worker: int | None = None) -> None:
        super().__init__()
        self._worker = {} if worker is None else {"worker": worker}

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": _time(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _text(record.getMessage()),
            **self._worker,
        }
        for extra in ("fields", "audit"):
            fields = getattr(record, extra, None)
            if isinstance(fields, dict):
                line |= {name: value for name, value in _fields(fields).items() if name not in line}
        if record.exc_info:
            line["traceback"] = _text(self.formatException(record.exc_info), _MAX_TRACEBACK)
        return _ENCODER.encode(line)


def configure_logging(level: str, stream: TextIO | None = None, *, worker: int | None = None) -> None:
    """Send everything that this process logs to *stream* (stderr) as JSON lines, with the number of the *worker*.

    The audit trail is written whatever the level: it is a record, not a help for finding faults.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JSONFormatter(worker))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(_LEVELS[level])
    # No line has them, and finding them out takes a system call and a look at the threads for each.
    for unused in ("logThreads", "logProcesses", "logMultiprocessing", "logAsyncioTasks"):
        setattr(logging, unused, False)
    # The event loop's own chatter helps nobody but its authors.
    logging.getLogger("asyncio").setLevel(max(_LEVELS[level], logging.WARNING))
    logging.getLogger(AUDIT_LOGGER).setLevel(logging.INFO)


def _fields(fields: Mapping[Any, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for given, value in list(fields.items())[:_MAX_FIELDS]:
        name, secret = _name(str(given)[:61])
        if secret:
            shown[name] = REDACTED
        else:  # the texts that are known are short
            shown[name] = value if type(value) is str and value in _known else _value(value)
    return shown


@functools.lru_cache(maxsize=512)
def _name(name: str) -> tuple[str, bool]:
    """How a field's name is shown, and whether its value must not be. The same few names come again and again."""
    shown = _text(name, 60)
    return shown, is_secret_name(shown)


def _value(value: Any) -> Any:
    if type(value) is str:  # most are
        return _text(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return round(value, 6) if abs(value) < 1e15 else str(value)
    if isinstance(value, dict):
        return _fields(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_value(item) for item in list(value)[:_MAX_ITEMS]]
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return _text(str(value))


def _text(text: str, limit: int = _MAX_TEXT) -> str:
    if text in _known and len(text) <= limit:
        return text
    # Cut first: a long text costs nothing then, and a secret that is cut in two is still behind its name.
    shown = redact(text[:limit]) + ("…" if len(text) > limit else "")
    if len(text) <= _LONGEST_KNOWN and shown == text:
        if len(_known) >= _MAX_KNOWN:
            _known.clear()
        _known.add(text)
    return shown


def _time(created: float) -> str:
    """Unix time as ISO 8601 in UTC, to the millisecond."""
    second = int(created // 1)
    return f"{_second(second)}.{int((created - second) * 1000):03d}Z"


@functools.lru_cache(maxsize=4)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat()[:-6]
