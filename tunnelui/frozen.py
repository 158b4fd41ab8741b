"""Frozen values: `dataclasses.dataclass` with ``frozen=True, slots=True``, at a small part of its price at the start.

For each class the standard library writes six methods as text and has them compiled, every time a program starts: some
0.4 ms, and a command that ssh waits for needs dozens of such classes. What those methods do can be said once for all of
them, in `frozen`. A class of which many values are made gets the compiled ones after all, since those are quicker each
time. Nothing else differs: `dataclasses.fields`, `replace` and `asdict` and pattern matching work, and type checkers
see a frozen dataclass.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, dataclass_transform

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["frozen"]

T = TypeVar("T")

_MANY = 500
"""Values, after which those of a class are made by the library's own methods."""


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[T]) -> type[T]:
    """Make a class of annotated fields a frozen value: compared, hashed and shown by its fields, which are slots.

    `dataclasses.field` may hide a field (``repr=False``), leave it out of comparisons (``compare=False``) or make its
    default anew (``default_factory``). Methods that the class has itself are kept.

    :raises TypeError: it asks for what values don't have: fields that are not given, or by name alone, `__post_init__`.
    """
    cls.__doc__ = cls.__doc__ or cls.__qualname__  # else the library writes one, which takes longer than all the rest
    made = dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    its_fields: tuple[Field[Any], ...] = fields(made)  # type: ignore[arg-type]  # it is a dataclass
    if hasattr(cls, "__post_init__") or any(one.kw_only or not one.init for one in its_fields):
        raise TypeError(f"{cls.__qualname__} is more than a value")
    for method in (_initialiser(made, its_fields), *_comparisons(its_fields), *_others(its_fields)):
        if method.__name__ not in cls.__dict__:
            setattr(made, method.__name__, method)
    return made


def _initialiser(cls: type, its_fields: Sequence[Field[Any]]) -> Callable[..., None]:
    names = tuple(one.name for one in its_fields)
    puts = tuple(getattr(cls, name).__set__ for name in names)
    defaults = tuple(_Anew(one) if one.default is MISSING else one.default for one in its_fields)
    count = len(names)
    # From here on, the defaults are what they are.
    plain_from = max((index + 1 for index in range(count) if type(defaults[index]) is _Anew), default=0)
    made = 0

    def __init__(self: object, /, *given: Any, **named: Any) -> None:
        nonlocal made
        made += 1
        if made == _MANY:
            _compile(cls, its_fields, __init__)
        size = len(given)
        if named or not plain_from <= size <= count:
            if size > count:
                raise TypeError(f"{cls.__qualname__} has {count} fields, and {size} were given")
            rest = [named.pop(*pair) for pair in zip(names[size:], defaults[size:], strict=True)]
            if named:
                what = "twice" if (name := next(iter(named))) in names else "and is no field"
                raise TypeError(f"{cls.__qualname__}: “{name}” is given {what}")
            given = (*given, *rest)
            if size < plain_from:
                given = tuple(one.make(cls) if type(one) is _Anew else one for one in given)
        elif size < count:
            given += defaults[size:]
        for put, one in zip(puts, given, strict=True):
            put(self, one)

    return __init__


def _compile(cls: type, its_fields: Sequence[Field[Any]], slow: Callable[..., None]) -> None:
    """Give *cls* the methods that the library compiles for such a class, in the place of ours."""
    if cls.__dict__.get("__init__") is not slow:
        return  # it has one of its own, which calls ours
    body: dict[str, Any] = {"__annotations__": {one.name: one.type for one in its_fields}}
    for one in its_fields:
        if one.default_factory is not MISSING:
            body[one.name] = field(default_factory=one.default_factory, compare=one.compare)
        else:
            body[one.name] = field(default=one.default, compare=one.compare)
    quick: Any = dataclass(frozen=True, repr=False)(type(cls.__name__, (), body))
    quick.__init__.__qualname__ = f"{cls.__qualname__}.__init__"
    for name in ("__init__", "__eq__", "__hash__"):
        if getattr(cls.__dict__.get(name), "__module__", "") == __name__:
            setattr(cls, name, quick.__dict__[name])


class _Anew:
    """In the place of a default that is none: it is made for each value, or has to be given."""

    __slots__ = ("_field",)

    def __init__(self, field: Field[Any]) -> None:
        self._field = field

    def make(self, cls: type) -> Any:
        if self._field.default_factory is MISSING:
            raise TypeError(f"{cls.__qualname__}: “{self._field.name}” is not given")
        return self._field.default_factory()


def _comparisons(its_fields: Sequence[Field[Any]]) -> tuple[Callable[..., Any], ...]:
    compared = _getter([one.name for one in its_fields if one.compare])

    def __eq__(self: object, other: object) -> bool:
        return compared(self) == compared(other) if type(other) is type(self) else NotImplemented

    def __hash__(self: object) -> int:
        return hash(compared(self))

    return __eq__, __hash__


def _others(its_fields: Sequence[Field[Any]]) -> tuple[Callable[..., Any], ...]:
    every = _getter([one.name for one in its_fields])
    shown = [one.name for one in its_fields if one.repr]

    def __repr__(self: object) -> str:
        return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"

    def __reduce__(self: object) -> tuple[Any, ...]:
        return type(self), every(self)  # copies are made as values are, not by setting fields

    return __repr__, __reduce__, __setattr__, __delattr__


def __setattr__(self: object, name: str, value: object) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def __delattr__(self: object, name: str) -> NoReturn:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _getter(names: Sequence[str]) -> Callable[[object], tuple[Any, ...]]:
    if len(names) > 1:
        return attrgetter(*names)
    return lambda self: tuple(getattr(self, name) for name in names)
