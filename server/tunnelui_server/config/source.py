"""YAML as a tree that remembers lines. Nothing is constructed but text, lists and mappings, so no tag can run code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import yaml

from tunnelui.errors import ConfigError
from tunnelui.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Branch", "Listing", "Node", "Scalar", "parse_yaml"]

MAX_BYTES: Final = 4 * 1024 * 1024
# Aliases let a small file describe an enormous tree.
_MAX_NODES: Final = 200_000
_MAX_DEPTH: Final = 32
_TOO_MUCH: Final = "too many values, or too deeply nested (an alias that contains itself?)"
_MERGE: Final = "tag:yaml.org,2002:merge"
_NULL: Final = "tag:yaml.org,2002:null"


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value as it is written. ``place`` is ``FILE:LINE`` or the name of an environment variable."""

    text: str
    place: str
    is_null: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    items: tuple[Node, ...]
    place: str


@dataclass(frozen=True, slots=True)
class Branch:
    """A mapping; ``places`` says where each key stands."""

    items: Mapping[str, Node]
    places: Mapping[str, str]
    place: str


Node = Scalar | Listing | Branch


def parse_yaml(text: str, name: str, report: Callable[[ConfigError], None]) -> Node | None:
    """Read one YAML document.

    :param name: what places begin with: the file's name.
    :param report: takes errors that leave the rest readable (a key given twice).
    :returns: the tree; None when there is no document.
    :raises ConfigError: it is no YAML, or it is beyond all measure.
    """
    try:
        node = _compose(text, name)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{name}:{mark.line + 1}" if mark else name
        raise ConfigError(f"this is no YAML: {clean(error.problem or 'unreadable')}", place=place) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"this is no YAML: {clean(str(error))}", place=name) from None
    return None if node is None else _Builder(name, report).build(node, 0)


def _compose(text: str, name: str) -> yaml.Node | None:
    """libyaml takes a tenth of the time, and Python's own loader has the better words for what is wrong.

    libyaml's composer trusts the depth of what it is given, with the stack of the process.
    """
    fast = getattr(yaml, "CSafeLoader", None)
    if fast is None:
        return _composed(text, yaml.SafeLoader)
    try:
        _check_depth(text, name, fast)
        return _composed(text, fast)
    except yaml.YAMLError:
        return _composed(text, yaml.SafeLoader)


def _composed(text: str, loader: type[yaml.SafeLoader]) -> yaml.Node | None:
    node: yaml.Node | None = yaml.compose(text, Loader=loader)
    return node


def _check_depth(text: str, name: str, loader: type[yaml.SafeLoader]) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            place = f"{name}:{event.start_mark.line + 1}" if event.start_mark else name
            raise ConfigError(_TOO_MUCH, place=place)


class _Builder:
    def __init__(self, name: str, report: Callable[[ConfigError], None]) -> None:
        self._name = name
        self._report = report
        self._count = 0

    def build(self, node: yaml.Node, depth: int) -> Node:
        self._count += 1
        place = self._place(node)
        if depth > _MAX_DEPTH or self._count > _MAX_NODES:
            raise ConfigError(_TOO_MUCH, place=place)
        if isinstance(node, yaml.MappingNode):
            items: dict[str, Node] = {}
            places: dict[str, str] = {}
            self._fill(node, depth, items, places)
            return Branch(items, places, place)
        if isinstance(node, yaml.SequenceNode):
            return Listing(tuple(self.build(item, depth + 1) for item in node.value), place)
        return Scalar(str(node.value), place, is_null=node.tag == _NULL)

    def _fill(self, node: yaml.MappingNode, depth: int, items: dict[str, Node], places: dict[str, str]) -> None:
        merged: list[Branch] = []
        for key_node, value_node in node.value:
            place = self._place(key_node)
            value = self.build(value_node, depth + 1)
            if key_node.tag == _MERGE:
                parts = value.items if isinstance(value, Listing) else (value,)
                merged += [part for part in parts if isinstance(part, Branch)]
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                self._report(ConfigError("a key is not a word", place=place))
                continue
            key = str(key_node.value)
            if key in items:
                first = places[key].rpartition(":")[2]
                self._report(ConfigError(f"“{clean(key)}” is given twice; the first is in line {first}", place=place))
                continue
            items[key] = value
            places[key] = place
        for branch in merged:
            for key, value in branch.items.items():
                if key not in items:
                    items[key] = value
                    places[key] = branch.places[key]

    def _place(self, node: yaml.Node) -> str:
        return f"{self._name}:{node.start_mark.line + 1}"
