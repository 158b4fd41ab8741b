"""A frozen value does what a frozen dataclass of the standard library does."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, asdict, dataclass, field, fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunnelui.frozen import _MANY, frozen


@frozen
class Point:
    """Two numbers and more."""

    x: int
    y: int = 0
    note: str = field(default="", compare=False)
    secret: str = field(default="", repr=False)
    seen: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Theirs:
    """The same by the standard library."""

    x: int
    y: int = 0
    note: str = field(default="", compare=False)
    secret: str = field(default="", repr=False)
    seen: list[int] = field(default_factory=list)


@frozen
class Worded:
    """`Point`, with so few values that the words of mistakes are its own."""

    x: int
    y: int = 0
    note: str = field(default="", compare=False)
    secret: str = field(default="", repr=False)
    seen: list[int] = field(default_factory=list)


@frozen
class Busy:
    """`Point`, of which many values were made."""

    x: int
    y: int = 0
    note: str = field(default="", compare=False)
    secret: str = field(default="", repr=False)
    seen: list[int] = field(default_factory=list)

    def __hash__(self) -> int:
        return hash(self.x)


slow = Busy.__init__
for number in range(_MANY):
    Busy(number)
assert Busy.__init__ is not slow


@frozen
class One:
    only: str = "1"


@frozen
class Nothing: ...


@frozen
class Pair:
    first: Point
    second: One = One()

    def __repr__(self) -> str:
        return "a pair"

    @property
    def both(self) -> tuple[Point, One]:
        return self.first, self.second


ARGUMENTS = st.tuples(
    st.lists(st.integers(0, 3), max_size=6),
    st.dictionaries(st.sampled_from(["x", "y", "note", "secret", "seen", "z"]), st.integers(0, 3), max_size=6),
)


def made(kind: type[Any], given: list[Any], named: dict[str, Any]) -> Any:
    try:
        return kind(*given, **named)
    except TypeError:
        return None


@pytest.mark.parametrize("own", [Point, Busy])
@given(ARGUMENTS, ARGUMENTS)
def test_it_is_made_compared_and_shown_as_a_dataclass(
    own: type[Any], first: tuple[list[Any], dict[str, Any]], second: tuple[list[Any], dict[str, Any]]
) -> None:
    ours, theirs = (made(kind, *first) for kind in (own, Theirs))
    assert (ours is None) == (theirs is None)
    if ours is None:
        return
    assert asdict(ours) == asdict(theirs)
    assert repr(ours) == repr(theirs).replace("Theirs", own.__name__)
    others = [made(kind, *second) for kind in (own, Theirs)]
    assert (ours == others[0]) == (theirs == others[1])
    if ours == others[0] and not isinstance(ours.seen, list):
        assert hash(ours) == hash(others[0])


@pytest.mark.parametrize(
    ("arguments", "named", "words"),
    [
        ((), {}, "“x” is not given"),
        ((1, 2, "", "", [], 6), {}, "has 5 fields, and 6 were given"),
        ((1,), {"x": 2}, "“x” is given twice"),
        ((1,), {"z": 2}, "“z” is given and is no field"),
    ],
)
def test_wrong_arguments_are_named(arguments: tuple[Any, ...], named: dict[str, Any], words: str) -> None:
    with pytest.raises(TypeError, match=f"^Worded.*{words}"):
        Worded(*arguments, **named)


@pytest.mark.parametrize("own", [Point, Busy])
def test_nothing_can_be_changed_and_nothing_added(own: type[Any]) -> None:
    point = own(1)
    with pytest.raises(FrozenInstanceError):
        point.x = 2
    with pytest.raises(FrozenInstanceError):
        del point.x
    with pytest.raises((FrozenInstanceError, AttributeError)):
        point.other = 2
    assert not hasattr(point, "__dict__")
    assert point.x == 1


def test_a_default_that_is_made_anew_belongs_to_one_value() -> None:
    first, second = Point(1), Point(1)
    first.seen.append(3)
    assert second.seen == []
    assert replace(first, y=2).seen is first.seen


def test_what_became_busy_is_the_same_class_with_its_own_methods() -> None:
    before = [Point(1, 2), Worded(1)]
    busy = Busy(1, 2, "n", "s", [3])
    assert (busy, hash(busy)) == (Busy(1, 2, "other", "s", [3]), hash(1))
    assert busy != Busy(1, 2, "n", "t", [3])
    assert busy not in before
    assert copy.deepcopy(busy) == busy == pickle.loads(pickle.dumps(busy))
    assert replace(busy, x=2).seen is busy.seen
    assert Busy(1).seen is not Busy(1).seen
    with pytest.raises(TypeError, match="Busy"):
        Busy()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="Busy"):
        Busy(1, z=2)  # type: ignore[call-arg]


def test_other_classes_are_never_equal() -> None:
    others: list[object] = [Theirs(1), (1, 0, "", "", []), One(), Nothing(), 1]
    assert Point(1) not in others
    assert One("1") not in [Point(1), Nothing()]
    assert One("1") == One()
    assert Nothing() == Nothing()
    assert len({One("1"), One(), One("2"), Nothing(), Nothing()}) == 3


def test_the_library_works_on_it() -> None:
    pair = Pair(Point(1))
    assert [entry.name for entry in fields(pair)] == ["first", "second"]
    assert asdict(pair)["first"]["x"] == 1
    assert replace(pair, second=One("2")).both == (Point(1), One("2"))
    assert repr(pair) == "a pair"
    match pair:
        case Pair(Point(x, _), One(only)):
            assert (x, only) == (1, "1")
        case _:
            pytest.fail("a value matches by position")


def test_copies_are_equal_and_whole() -> None:
    pair = Pair(Point(1, seen=[1]), One("2"))
    for other in (copy.copy(pair), copy.deepcopy(pair), pickle.loads(pickle.dumps(pair))):
        assert other == pair
    assert copy.deepcopy(pair).first.seen is not pair.first.seen


def test_what_is_more_than_a_value_is_refused() -> None:
    class Checked:
        x: int

        def __post_init__(self) -> None: ...

    class ByName:
        x: int = field(kw_only=True)

    class Hidden:
        x: int = field(default=1, init=False)

    for kind in (Checked, ByName, Hidden):
        with pytest.raises(TypeError, match="more than a value"):
            frozen(kind)
