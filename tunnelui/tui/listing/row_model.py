"""Which rows the list of routes has, and which route each of them is, kept up to date with little work."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING

from tunnelui.tui.listing.arrange import Arrangement, Group, Grouping, group_of, in_groups, sorted_for
from tunnelui.tui.listing.filtering import RouteFilter
from tunnelui.tui.listing.order import sort_key

if TYPE_CHECKING:
    from tunnelui.engine.model import TunnelSnapshot
    from tunnelui.tui.listing.arrange import Item

__all__ = ["Change", "RowModel"]


class Change(Enum):
    """What has come of new tunnels: the rows are where they were, stand in another order, or have other words."""

    IN_PLACE = 0
    ORDER = 1
    WORDS = 2


class RowModel:
    """Tunnels that are the same objects as before count as unchanged, so that a look at them is all they cost.

    :ivar source: all tunnels, as the engine lists them.
    :ivar items: what stands in each row.
    :ivar match_count: how many tunnels the filter lets through, those in folded groups as well.
    :ivar places: the row of each route that has one, by name, from top to bottom.
    :ivar is_late: the rows were held where they are, and something belongs elsewhere, or is no longer let through.
    """

    def __init__(self) -> None:
        self.how = Arrangement()
        self.source: tuple[TunnelSnapshot, ...] = ()
        self.items: list[Item] = []
        self.match_count = 0
        self.places: dict[str, int] = {}
        self.is_late = False
        self._filter = RouteFilter()
        self._sorted: list[TunnelSnapshot] = []
        self._matching: list[TunnelSnapshot] = []
        # A filter opens all groups: what it finds is to be seen. These were folded since.
        self._folded_meanwhile: frozenset[str] = frozenset()

    @property
    def folded(self) -> frozenset[str]:
        """The groups that are folded now."""
        return self._folded_meanwhile if self._filter else self.how.folded

    def take(self, tunnels: tuple[TunnelSnapshot, ...], wanted: RouteFilter, *, held: bool = False) -> Change:
        """Take the *tunnels* that there are now, of which those that *wanted* lets through have rows.

        :param held: as long as these are the same routes, each stays in its row; `arrange` makes up for it.
        """
        before, self.source = self.source, tunnels
        same_length = len(before) == len(tunnels)
        news = [(old, new) for old, new in zip(before, tunnels, strict=False) if old is not new]
        same_words = same_length and all(_same_words(old, new) for old, new in news)
        if news or not same_length:
            self._sorted = []
        may_rest = same_length and wanted == self._filter and (held or not self.is_late)
        if may_rest and all(self._keeps_place(old, new) for old, new in news):
            for _, new in news:
                place = self.places.get(new.route.name)
                if place is not None:
                    self.items[place] = new
            return Change.IN_PLACE
        if may_rest and held and all(self._same_group(old, new) for old, new in news):
            self._hold(tunnels)
            return Change.ORDER if same_words else Change.WORDS
        if wanted.text != self._filter.text:
            self._folded_meanwhile = frozenset()
        self._filter = wanted
        self.arrange()
        return Change.ORDER if same_words else Change.WORDS

    def _same_group(self, old: TunnelSnapshot, new: TunnelSnapshot) -> bool:
        grouping = self.how.grouping
        return old.route.name == new.route.name and group_of(old, grouping) == group_of(new, grouping)

    def _hold(self, tunnels: tuple[TunnelSnapshot, ...]) -> None:
        """Show *tunnels* in the rows where they were."""
        self.is_late = True
        news = {tunnel.route.name: tunnel for tunnel in tunnels}
        self._set_rows([news[tunnel.route.name] for tunnel in self._matching])

    def _keeps_place(self, old: TunnelSnapshot, new: TunnelSnapshot) -> bool:
        column = self.how.order.column
        return (
            _same_words(old, new)
            and (old.state is new.state or self.how.grouping is Grouping.NONE)
            and sort_key(old, column) == sort_key(new, column)
            and self._filter.matches(old) == self._filter.matches(new)
        )

    def arrange(self, how: Arrangement | None = None) -> None:
        """Put the rows in order anew, in the way *how* if it is given."""
        if how is not None:
            if (how.order, how.favourites) != (self.how.order, self.how.favourites):
                self._sorted = []
            self.how = how
        if not self._sorted:
            self._sorted = sorted_for(self.source, self.how)
        self.is_late = False
        self._set_rows(self._filter.select(self._sorted))

    def _set_rows(self, matching: list[TunnelSnapshot]) -> None:
        self._matching = matching
        self.match_count = len(matching)
        self.items = in_groups(matching, replace(self.how, folded=self.folded))
        self.places = {item.route.name: at for at, item in enumerate(self.items) if not isinstance(item, Group)}

    def fold(self, folded: frozenset[str]) -> None:
        """Have just these groups *folded*: for good, or as long as the filter stays what it is."""
        if self._filter:
            self._folded_meanwhile = folded
            self.arrange()
        else:
            self.arrange(replace(self.how, folded=folded))

    def place_of(self, item: Item | None) -> int | None:
        """Return where *item* stands now, or the group in which it is folded."""
        if item is None:
            return None
        if not isinstance(item, Group) and item.route.name in self.places:
            return self.places[item.route.name]
        name = item.name if isinstance(item, Group) else group_of(item, self.how.grouping)
        return next((at for at, one in enumerate(self.items) if isinstance(one, Group) and one.name == name), None)

    def group_above(self, index: int) -> int | None:
        """Return the row of the group to which the row *index* belongs."""
        return next((at for at in range(index, -1, -1) if isinstance(self.items[at], Group)), None)

    def members(self, index: int) -> set[str]:
        """Return the names of the routes below the group in the row *index*."""
        names = set()
        for item in self.items[index + 1 :]:
            if isinstance(item, Group):
                break
            names.add(item.route.name)
        return names

    def next_match(self, wanted: RouteFilter, start: int, step: int) -> str | None:
        """Return the next route from the row *start* on that *wanted* fits, round the end, *step* 1 or -1."""
        count = len(self.items)
        for distance in range(1, count + 1):
            item = self.items[(start + step * distance) % count]
            if not isinstance(item, Group) and wanted.matches(item):
                return item.route.name
        return next((one.route.name for one in wanted.select(self._filter.select(self.source))), None)

    def has(self, name: str) -> bool:
        """Whether there is a route *name* that the filter lets through, though its group may be folded."""
        return any(one.route.name == name for one in self._filter.select(self.source))


def _same_words(old: TunnelSnapshot, new: TunnelSnapshot) -> bool:
    """Whether the columns with words, by which their widths are measured, are the same."""
    return old.route == new.route and old.local == new.local and old.target == new.target
