"""TOML files read with the place of every mistake.

`tomllib` gives values without positions. The line of a key is looked for in the text afterwards; where it can't be
found (inline tables, strange spellings) the place is the file alone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from tunnelui.errors import ConfigError
from tunnelui.frozen import frozen
from tunnelui.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["MEND_HINT", "Problems", "TomlFile", "nearest", "parse_toml", "read_data", "read_toml"]

MEND_HINT: Final = "Mend it there, in an editor; tunnelui never overwrites a file that it can't read."

_MAX_SIZE: Final = 1024 * 1024
# Not compiled before there is a file.
_POSITION: Final = r" \(at (?:line (\d+), column \d+|end of document)\)$"
_HEADER: Final = r"\s*\[(\[)?(.+?)\]\]?\s*(?:#.*)?$"
_KEY: Final = r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'|\s*\.\s*)+?)\s*="""
_PART: Final = r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'"""
_TYPE_NAMES: Final = {
    str: "text in quotes",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "a table",
}

KeyPath = tuple[str | int, ...]


@frozen
class TomlFile:
    """A file that parsed. *values* is what `tomllib` gives."""

    path: Path
    text: str
    values: dict[str, Any]

    def line_of(self, key: KeyPath) -> int | None:
        """Return the line, from 1, where *key* is set (``("routes", 0, "name")``), or that of its table."""
        lines = _key_lines(self.text)
        while key:
            if key in lines:
                return lines[key]
            key = key[:-1]
        return None

    def place(self, key: KeyPath) -> str:
        """Return ``FILE:LINE``, or ``FILE`` where the line is not known."""
        line = self.line_of(key)
        return f"{self.path}:{line}" if line else str(self.path)


class Problems:
    """Collects what is wrong in one file, so that all of it is said at once."""

    def __init__(self, file: TomlFile) -> None:
        self.file = file
        self.found: list[tuple[str, str]] = []

    def add(self, key: KeyPath, message: str) -> None:
        self.found.append((self.file.place(key), message))

    def unknown(self, key: KeyPath, known: Iterable[str]) -> None:
        """Note the unknown last part of *key*, with the nearest known name."""
        name = str(key[-1])
        self.add(key, f"unknown key “{clean(name, 64)}”{nearest(name, known)}")

    def value(self, key: KeyPath, value: object, kind: type) -> bool:
        """Whether *value* is of *kind*; notes the problem otherwise. A whole number is good where a float is wanted."""
        if kind is float:
            good = isinstance(value, (int, float)) and not isinstance(value, bool)
        else:
            good = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
        if not good:
            self.add(key, f"“{clean(str(key[-1]), 64)}” must be {_TYPE_NAMES[kind]}")
        return good

    def raise_if_any(self) -> None:
        """
        :raises ConfigError: something was added; one sentence each, a line each when there are several.
        """
        if len(self.found) == 1:
            place, message = self.found[0]
            raise ConfigError(message, place=place, hint=MEND_HINT)
        if self.found:
            lines = "\n".join(f"  {place}: {message}" for place, message in self.found)
            raise ConfigError(f"{len(self.found)} problems\n{lines}", place=str(self.file.path), hint=MEND_HINT)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean “…”?`` for the known name nearest to *name*, or nothing."""
    import difflib

    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean “{clean(matches[0], 64)}”?" if matches else ""


def read_toml(path: Path) -> TomlFile | None:
    """Read *path*; ``None`` when there is no such file.

    :raises ConfigError: it can't be read, is no UTF-8, or is no TOML; ``place`` is ``FILE:LINE`` where that is known.
    """
    data = read_data(path, _MAX_SIZE)
    return None if data is None else parse_toml(path, data)


def read_data(path: Path, most: int) -> bytes | None:
    """Read *path*, at most *most* bytes; ``None`` when there is no such file.

    :raises ConfigError: it can't be read, or is larger.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(most + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"can't be read: {error.strerror or error}", place=str(path)) from error
    if len(data) > most:
        raise ConfigError(f"is larger than {most // 1024 // 1024} MiB", place=str(path))
    return data


def parse_toml(path: Path, data: bytes) -> TomlFile:
    """Parse the content of *path*.

    :raises ConfigError: as `read_toml`.
    """
    import tomllib  # not at the top: many runs have no file to read

    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError("has bytes that are no UTF-8 text", place=f"{path}:{line}", hint=MEND_HINT) from None
    try:
        return TomlFile(path, text, tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        position = re.search(_POSITION, message)
        line = text.count("\n") + 1
        if position is not None:
            message = message[: position.start()]
            line = int(position[1]) if position[1] else line
        raise ConfigError(f"is no TOML: {clean(message)}", place=f"{path}:{line}", hint=MEND_HINT) from None
    except RecursionError:
        raise ConfigError("is nested too deep", place=str(path)) from None


def _key_lines(text: str) -> dict[KeyPath, int]:
    lines: dict[KeyPath, int] = {}
    table: KeyPath = ()
    counts: dict[KeyPath, int] = {}
    quotes = ""
    for number, line in enumerate(text.splitlines(), 1):
        if quotes:  # inside a text of several lines
            if line.count(quotes) % 2:
                quotes = ""
            continue
        header = re.match(_HEADER, line)
        if header:
            table = _parts(header[2])
            if header[1]:
                counts[table] = counts.get(table, -1) + 1
            table = _with_indices(table, counts)
            lines.setdefault(table, number)
            continue
        key = re.match(_KEY, line)
        if key:
            lines.setdefault(table + _parts(key[1]), number)
        quotes = next((mark for mark in ('"""', "'''") if line.count(mark) % 2), "")
    return lines


def _with_indices(table: KeyPath, counts: dict[KeyPath, int]) -> KeyPath:
    """``("routes",)`` becomes ``("routes", 2)`` in the third ``[[routes]]``."""
    out: KeyPath = ()
    for end in range(1, len(table) + 1):
        out += (table[end - 1],)
        if table[:end] in counts:
            out += (counts[table[:end]],)
    return out


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in re.findall(_PART, text))
