"""Values with one text in every field that holds text, found by their annotations: a new field can't be forgotten."""

from __future__ import annotations

import types
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from tunnelui.config.route import Route
from tunnelui.errors import TunnelError

__all__ = ["filled"]

T = TypeVar("T")


def filled(kind: type[T], text: str, **given: Any) -> T:
    """Return a *kind* (a dataclass) with *text* wherever there is text, also in what it holds; *given* fields as they
    are, and all others at their default or 1."""
    hints = get_type_hints(kind, localns={"Route": Route, "TunnelError": TunnelError})
    values = dict(given)
    for field in fields(kind):  # type: ignore[arg-type]  # a dataclass, by contract
        if field.name not in values:
            default = field.default if field.default is not MISSING else 1
            values[field.name] = _value(hints[field.name], text, default)
    return kind(**values)


def _value(hint: Any, text: str, default: Any) -> Any:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        inner = [part for part in get_args(hint) if part is not type(None)]
        return _value(inner[0], text, default)
    if hint is str:
        return text
    if origin is tuple:
        return (_value(get_args(hint)[0], text, 1),) * 2
    if origin is dict:
        return {"request_id": text, "url": text}
    if is_dataclass(hint) and isinstance(hint, type):
        return filled(hint, text)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return default if isinstance(default, hint) else next(iter(hint))
    return default
