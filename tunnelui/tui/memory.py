"""What the screen remembers from one run to the next: favourites, groups, the order, the theme.

It is about how one person looks at the routes, not about the routes, so it is no part of ``routes.toml``: a small JSON
file in the state folder, without which everything works.
"""

from __future__ import annotations

import threading
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any, Final

from tunnelui.frozen import frozen
from tunnelui.tui.lines.rows import Column
from tunnelui.tui.listing.arrange import Arrangement, Grouping
from tunnelui.tui.listing.order import SortOrder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tunnelui.config.state_file import StateFile

__all__ = ["Memory", "Remembered"]

_MOST: Final = 5000
"""Favourites and folded groups that are kept."""


@frozen
class Remembered:
    """The values. ``theme`` is empty until one was chosen on the screen."""

    how: Arrangement = field(default_factory=Arrangement)
    theme: str = ""


class Memory:
    """The values of now, and the file that keeps them; without a file they last as long as the screen."""

    def __init__(self, file: StateFile | None = None) -> None:
        self._file = file
        self._lock = threading.Lock()
        self.now = _from_json(file.load() if file else {})
        self._saved = _to_json(self.now)

    def change(self, new: Remembered) -> bool:
        """Remember *new*; return whether there is something to `save`."""
        old, self.now = self.now, new
        return self._file is not None and old != new

    def save(self) -> str:
        """Write what differs from what was read; blocks. What another screen has written beside it stays.

        :return: why it could not be written, or nothing. The next call tries it again.
        """
        if self._file is None:
            return ""
        with self._lock:
            wanted = _to_json(self.now)
            changed = {key: value for key, value in wanted.items() if value != self._saved.get(key)}
            if changed:
                self._file.save({**self._file.load(), **changed})
                if self._file.trouble:
                    return self._file.trouble
                self._saved = {**self._saved, **changed}
        return ""

    def renamed(self, old: str, new: str) -> Remembered:
        """Return what is to be remembered once the route *old* is called *new*."""
        how = self.now.how
        if old not in how.favourites:
            return self.now
        return replace(self.now, how=replace(how, favourites=how.favourites - {old} | {new}))


def _to_json(one: Remembered) -> dict[str, Any]:
    how = one.how
    return {
        "favourites": sorted(how.favourites)[:_MOST],
        "group": how.grouping.value,
        "folded": sorted(how.folded)[:_MOST],
        "sort": how.order.column.value,
        "reverse": how.order.reverse,
        "theme": one.theme,
    }


def _from_json(values: Mapping[str, Any]) -> Remembered:
    """Return what can be understood of *values*."""

    def names(key: str) -> frozenset[str]:
        found = values.get(key)
        return frozenset(each for each in found if isinstance(each, str)) if isinstance(found, list) else frozenset()

    column = next((each for each in Column if each.value == values.get("sort") and each.sorts), Column.NAME)
    grouping = next((each for each in Grouping if each.value == values.get("group")), Grouping.NONE)
    order = SortOrder(column, values.get("reverse") is True)
    theme = values.get("theme")
    return Remembered(
        Arrangement(order, grouping, names("favourites"), names("folded")), theme if isinstance(theme, str) else ""
    )
