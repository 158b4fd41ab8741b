"""A route that somebody else changed while it was edited: by hand in the file, by a command, on another screen."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tunnelui.config.route import Route

__all__ = ["combined"]


def combined(before: Route, mine: Route, theirs: Route) -> tuple[Route, tuple[str, ...], tuple[str, ...]]:
    """Return *theirs* with what *mine* changes, the fields that are theirs alone, and those that both have changed.

    :param before: what both began with. Of a field that both have changed the value is *mine*.
    """
    whole = theirs
    other: list[str] = []
    both: list[str] = []
    for field in (each.name for each in fields(before)):
        old, ours, now = (getattr(each, field) for each in (before, mine, theirs))
        if ours != old:
            whole = replace(whole, **{field: ours})
        if now not in (old, ours):
            (other if ours == old else both).append(field)
    return whole, tuple(other), tuple(both)
