"""Values as JSON types and back: the frozen dataclasses of the engine, and errors.

Reading is driven by the annotations of the dataclass. A field that the reader does not know is left out and one that
the writer did not know gets its default, so that two versions understand as much of each other as they can.
"""

from __future__ import annotations

import types
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from tunnelui import errors
from tunnelui.config.route import Route
from tunnelui.errors import ProtocolError, TunnelError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

__all__ = ["decode", "decode_error", "encode", "encode_error"]

T = TypeVar("T")

_PLAIN: Final = (str, int, float, bool, type(None))
_KINDS: Final[dict[str, type[TunnelError]]] = {
    name: kind
    for name in errors.__all__
    if isinstance(kind := getattr(errors, name), type) and issubclass(kind, TunnelError)
}
_FACTS: Final[tuple[tuple[type[TunnelError], dict[str, Any]], ...]] = (
    (errors.ConfigError, {"place": ""}),
    (errors.ProtocolError, {"status_hint": 400}),
    (errors.PortBusyError, {"address": "", "holder": ""}),
    (errors.PeerError, {"address": "", "stage": "", "detail": "", "status": None}),
)


def encode(value: Any) -> Any:
    """Return *value* (dataclasses, enums, tuples, dictionaries, plain values) as JSON types."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    if isinstance(value, dict):
        return {str(key): encode(item) for key, item in value.items()}
    if is_dataclass(value):
        return {entry.name: encode(getattr(value, entry.name)) for entry in fields(value)}
    return str(value)


def decode(kind: type[T], data: Any) -> T:
    """Return *data* as a *kind*.

    :raises ProtocolError: it is none; the message names the field.
    """
    reader: Callable[[Any], T] = _reader(cast("Hashable", kind))
    return reader(data)


def encode_error(error: TunnelError) -> dict[str, Any]:
    """Return *error* as JSON types; it arrives as the nearest class that `tunnelui.errors` has."""
    name = next(base.__name__ for base in type(error).__mro__ if _KINDS.get(base.__name__) is base)
    return {
        "kind": name,
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "request_id": error.request_id,
        "facts": {fact: encode(getattr(error, fact)) for fact in _facts_of(type(error))},
    }


def decode_error(data: Any) -> TunnelError:
    """Return the error that `encode_error` was given, or as much of it as *data* has."""
    if not isinstance(data, dict):
        return TunnelError("the agent refused without saying why")
    kind = _KINDS.get(str(data.get("kind")), TunnelError)
    error = kind.__new__(kind)
    request_id = data.get("request_id")
    TunnelError.__init__(
        error,
        str(data.get("message") or "the agent refused"),
        code=str(data.get("code") or kind.default_code),
        hint=str(data.get("hint") or ""),
        request_id=str(request_id) if request_id else None,
    )
    given = data.get("facts")
    for fact, default in _facts_of(kind).items():
        setattr(error, fact, given.get(fact, default) if isinstance(given, dict) else default)
    return error


def _facts_of(kind: type[TunnelError]) -> dict[str, Any]:
    """Return the attributes that errors of *kind* have beside the common ones, with what stands for a missing one."""
    return {fact: default for base, facts in _FACTS if issubclass(kind, base) for fact, default in facts.items()}


@cache
def _reader(hint: Any) -> Callable[[Any], Any]:
    """Return what reads a value with the annotation *hint*."""
    origin = get_origin(hint)
    if hint is Any:
        return lambda data: data
    if origin in (Union, types.UnionType):
        inner = [_reader(part) for part in get_args(hint) if part is not type(None)]
        return lambda data: None if data is None else inner[0](data)
    if origin is tuple:
        item = _reader(get_args(hint)[0])
        return lambda data: tuple(item(one) for one in _expect(list, data))
    if origin is dict or hint is dict:
        return lambda data: dict(_expect(dict, data))
    if is_dataclass(hint):
        return _dataclass_reader(hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return lambda data: _member(hint, data)
    if hint is float:
        return lambda data: float(_expect((int, float), data))
    return lambda data: _expect(hint, data)


def _dataclass_reader(kind: Any) -> Callable[[Any], Any]:
    hints = get_type_hints(kind, localns={"Route": Route})
    readers = {entry.name: _reader(hints[entry.name]) for entry in fields(kind)}
    needed = {entry.name for entry in fields(kind) if entry.default is MISSING and entry.default_factory is MISSING}

    def read(data: Any) -> Any:
        table = _expect(dict, data)
        missing = needed - table.keys()
        if missing:
            raise ProtocolError(f"{kind.__name__} without {', '.join(sorted(missing))}")
        values = {}
        for name, reader in readers.items():
            if name in table:
                try:
                    values[name] = reader(table[name])
                except ProtocolError as error:
                    raise ProtocolError(f"{kind.__name__}.{name}: {error}") from None
        return kind(**values)

    return read


def _member(kind: type[Enum], data: Any) -> Enum:
    try:
        return kind(data)
    except ValueError:
        raise ProtocolError(f"no {kind.__name__}") from None


def _expect(kind: Any, data: Any) -> Any:
    if not isinstance(data, kind) or (isinstance(data, bool) and kind is not bool):
        raise ProtocolError(f"a {type(data).__name__} where something else should be")
    return data
