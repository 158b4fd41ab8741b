"""Typed values out of the tree. A problem is noted with its place and reading goes on, so that all are told at once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tunnelui.errors import ConfigError
from tunnelui.text import clean
from tunnelui_server.config.source import Branch, Listing, Node, Scalar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Problems", "Section", "parse_duration"]

_TRUE: Final = frozenset({"true", "yes", "on", "1", "t", "y"})
_FALSE: Final = frozenset({"false", "no", "off", "0", "f", "n"})
# Go's time.ParseDuration, without signs.
_DURATION_PART: Final = re.compile(r"([0-9]{1,12}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_UNITS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_MAX_DURATION: Final = 10 * 365 * 86400.0


def parse_duration(text: str) -> float:
    """Read ``14h``, ``1h30m``, ``1.5s`` or ``0`` as seconds.

    :raises ValueError: anything else, or more than ten years.
    """
    if text == "0":
        return 0.0
    parts = _DURATION_PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(text)
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if seconds > _MAX_DURATION:
        raise ValueError(text)
    return seconds


class Problems:
    """The errors found so far."""

    def __init__(self) -> None:
        self.errors: list[ConfigError] = []

    def report(self, error: ConfigError) -> None:
        self.errors.append(error)

    def add(self, place: str, message: str, hint: str = "") -> None:
        self.errors.append(ConfigError(message, place=place, hint=hint))


class Section:
    """One mapping of the file. A getter returns None when the key is absent, empty or wrong; wrong has been noted."""

    def __init__(self, items: Mapping[str, Node], places: Mapping[str, str], place: str, problems: Problems) -> None:
        self._items = items
        self._places = places
        self.place = place
        self.problems = problems

    @classmethod
    def of(cls, branch: Branch, problems: Problems) -> Section:
        return cls(branch.items, branch.places, branch.place, problems)

    def __contains__(self, key: str) -> bool:
        return key in self._items

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def place_of(self, key: str) -> str:
        return self._places.get(key, self.place)

    def wrong(self, key: str, message: str, hint: str = "") -> None:
        self.problems.add(self.place_of(key), f"{key}: {message}", hint)

    def node(self, key: str) -> Node | None:
        """The value, None when it is absent or empty (``key:`` with nothing behind it)."""
        node = self._items.get(key)
        return None if isinstance(node, Scalar) and node.is_null else node

    def is_set(self, key: str) -> bool:
        """Whether the key has a value that asks for something: not absent, empty, or false."""
        node = self.node(key)
        if isinstance(node, Scalar):
            return bool(node.text) and node.text.lower() not in _FALSE
        return node is not None and bool(node.items)

    def text(self, key: str) -> str | None:
        node = self.node(key)
        if node is None:
            return None
        if not isinstance(node, Scalar):
            self.wrong(key, "one value is wanted here, not several")
            return None
        return node.text.strip() or None

    def flag(self, key: str, *, default: bool = False) -> bool:
        text = self.text(key)
        if text is None:
            return default
        if text.lower() not in _TRUE | _FALSE:
            self.wrong(key, f"“{clean(text)}” is neither true nor false")
        return text.lower() in _TRUE

    def number(self, key: str, default: int, *, lowest: int = 1, highest: int = 1_000_000) -> int:
        text = self.text(key)
        if text is None:
            return default
        if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) or not lowest <= int(text) <= highest:
            self.wrong(key, f"“{clean(text)}” is no number from {lowest} to {highest}")
            return default
        return int(text)

    def seconds(self, key: str, *, zero: bool = False) -> float | None:
        """A duration; 0 is an error unless *zero* gives it a meaning."""
        text = self.text(key)
        if text is None:
            return None
        try:
            value = parse_duration(text)
        except ValueError:
            self.wrong(key, f"“{clean(text)}” is no duration", "Write a number and its unit: 30s, 5m, 14h or 1h30m.")
            return None
        if value == 0 and not zero:
            self.wrong(key, "the duration must be more than 0")
            return None
        return value

    def texts(self, key: str) -> tuple[tuple[str, str], ...]:
        """A list of texts, each with its place; one text alone stands for a list of one."""
        node = self.node(key)
        if node is None:
            return ()
        nodes = node.items if isinstance(node, Listing) else (node,)
        found: list[tuple[str, str]] = []
        for item in nodes if not isinstance(node, Branch) else ():
            if isinstance(item, Scalar) and not item.is_null and item.text.strip():
                found.append((item.text.strip(), item.place))
            else:
                self.problems.add(item.place, f"{key}: an entry is empty or is not a text")
        if isinstance(node, Branch):
            self.wrong(key, "a list is wanted here")
        return tuple(found)

    def sections(self, key: str) -> tuple[Section, ...]:
        """A list of mappings."""
        node = self.node(key)
        if node is None:
            return ()
        if not isinstance(node, Listing):
            self.wrong(key, "a list is wanted here")
            return ()
        found: list[Section] = []
        for item in node.items:
            if isinstance(item, Branch):
                found.append(Section.of(item, self.problems))
            else:
                self.problems.add(item.place, f"{key}: an entry has no keys")
        return tuple(found)

    def section(self, key: str) -> Section | None:
        """A mapping."""
        node = self.node(key)
        if node is None:
            return None
        if isinstance(node, Branch):
            return Section.of(node, self.problems)
        self.wrong(key, "keys and values are wanted here")
        return None
