"""The list of routes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from textual.message import Message

from tunnelui.engine.model import State
from tunnelui.tui.keys.bindings import FOLD
from tunnelui.tui.lines.format import rate_short
from tunnelui.tui.lines.graphs import bars
from tunnelui.tui.lines.rows import Column, RouteRow, route_row
from tunnelui.tui.lines.words import cut, fit, line, pad, safe
from tunnelui.tui.listing.arrange import Arrangement, Group, Grouping
from tunnelui.tui.listing.columns import LEAD, RIGHT, Layout, choose_layout, port_only, widest_rows
from tunnelui.tui.listing.row_model import Change, RowModel
from tunnelui.tui.rates import Rates
from tunnelui.tui.style.glyphs import COLOURS
from tunnelui.tui.widgets.row_list import RowList

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual import events
    from textual.binding import BindingType
    from textual.content import Content
    from textual.timer import Timer

    from tunnelui.engine.model import TunnelSnapshot
    from tunnelui.tui.listing.arrange import Item
    from tunnelui.tui.listing.filtering import RouteFilter
    from tunnelui.tui.style.glyphs import Glyphs

__all__ = ["RouteList"]


class RouteList(RowList):
    """One row a route, and one above each group. The cursor stays on its row, whatever is added, sorted or filtered.

    Once it is arranged, showing a new view costs as much as there are rows in sight, and a glance at each tunnel.
    """

    BINDINGS: ClassVar[list[BindingType]] = [*FOLD]

    class Rearranged(Message):
        """A person folded a group, or opened one; `how` may say so."""

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.glyphs = glyphs
        self._rows = RowModel()
        self._marked: set[str] = set()
        self._totals = True
        self._now = 0.0
        self._rates = Rates()
        self._scale = 0.0
        self._profiles = False
        self._widest: list[RouteRow] = []
        self._layout = (0, Layout(()))
        self._drawn: dict[int, RouteRow] = {}
        self._release: Timer | None = None

    # What is there.

    @property
    def row_count(self) -> int:
        return len(self._rows.items)

    @property
    def _item(self) -> Item | None:
        return self._rows.items[self.cursor] if self._rows.items else None

    @property
    def selected(self) -> TunnelSnapshot | None:
        """The tunnel under the cursor."""
        item = self._item
        return None if isinstance(item, Group) else item

    @property
    def selected_group(self) -> Group | None:
        """The group whose row is under the cursor."""
        item = self._item
        return item if isinstance(item, Group) else None

    @property
    def nearest(self) -> TunnelSnapshot | None:
        """The tunnel under the cursor, or the next one below a group's row."""
        rows = self._rows.items[self.cursor :]
        return next((item for item in rows if not isinstance(item, Group)), None)

    @property
    def names(self) -> list[str]:
        """The names of the routes, in the order of the screen."""
        return list(self._rows.places)

    @property
    def match_count(self) -> int:
        """How many routes the filter lets through, those in folded groups as well."""
        return self._rows.match_count

    @property
    def how(self) -> Arrangement:
        """In which order the rows stand."""
        return self._rows.how

    # Marks.

    @property
    def marked(self) -> list[TunnelSnapshot]:
        """The tunnels that are marked and shown."""
        if not self._marked:
            return []
        return [item for item in self._rows.items if not isinstance(item, Group) and item.route.name in self._marked]

    def mark(self) -> None:
        """Mark the row under the cursor, or take its mark away, and go to the next one. On a group: all of its rows."""
        if (group := self.selected_group) is not None:
            if group.folded:
                self.fold(group.name, False)
            own = self._rows.members(self.cursor)
            self._marked = self._marked - own if own <= self._marked else self._marked | own
            self.rows_changed()
        elif self.selected is not None:
            self._marked ^= {self.selected.route.name}
            self.rows_changed({self.cursor})
            self.move_cursor(self.cursor + 1)

    def mark_shown(self) -> None:
        """Mark every row; take all marks away where every row has one."""
        shown = set(self._rows.places)
        self._marked = set() if shown <= self._marked else shown
        self.rows_changed()

    def clear_marks(self) -> None:
        self._marked = set()
        self.rows_changed()

    # Showing.

    def show(self, tunnels: tuple[TunnelSnapshot, ...], now: float, wanted: RouteFilter, rates: Rates) -> None:
        """Show the *tunnels* that *wanted* lets through; *now* is Unix time."""
        self._now, self._rates = now, rates
        item, cursor = self._item, self.cursor
        change = self._rows.take(tunnels, wanted, held=self.hold.left > 0)
        if change is Change.WORDS:
            self._marked &= {tunnel.route.name for tunnel in tunnels}
            self._measure()
        if change is Change.IN_PLACE:
            self._show_changed()
        else:
            self._rearranged(item, cursor)
        if self._rows.is_late and self._release is None:
            self._release = self.set_timer(max(0.0, self.hold.left), self._make_up)

    def _make_up(self) -> None:
        """Let the rows go where they belong, once nobody moves among them any more."""
        self._release = None
        if self._rows.is_late and (left := self.hold.left) > 0:
            self._release = self.set_timer(left, self._make_up)
        elif self._rows.is_late:
            item, cursor = self._item, self.cursor
            self._rows.arrange()
            self._rearranged(item, cursor)
            self.post_message(self.Moved(self))  # the row may be gone, and the words elsewhere are of the next one then

    def put_in_order(self, how: Arrangement) -> None:
        """Put the rows in another order; the cursor stays on its row."""
        item, cursor = self._item, self.cursor
        stars = how.favourites != self.how.favourites
        self._rows.arrange(how)
        if stars:
            self._measure()
        self._rearranged(item, cursor)
        self.show_cursor_row()

    def _rearranged(self, item: Item | None, cursor: int) -> None:
        """The row *cursor* was the one of *item*. It stays on its line of the screen, if it was in sight."""
        was_seen = self.shows_row(cursor)
        place = self._rows.place_of(item)
        self.cursor = cursor if place is None else place
        self._scale = self._rates.scale
        self._drawn = {}
        self.rows_changed()
        if cursor != self.cursor and was_seen:
            self.scroll_to(y=self.scroll_offset.y + self.cursor - cursor, animate=False, force=True)
            self.show_cursor_row()

    def _measure(self) -> None:
        """See what the columns have to hold."""
        tunnels = self._rows.source
        self._profiles = len({tunnel.route.profile for tunnel in tunnels}) > 1
        self._widest = widest_rows(self._plain_row(tunnel) for tunnel in tunnels)
        self._layout = (0, Layout(()))

    def _show_changed(self) -> None:
        """Repaint the rows in sight that look different now."""
        self.forget_hidden()
        layout = self._layout[1]
        head = False
        if layout.width_of(Column.GRAPH):
            scale = self._rates.scale
            head, self._scale = rate_short(scale) != rate_short(self._scale), scale
        top = self.scroll_offset.y
        changed = set()
        for index in range(top, min(top + self.page, self.row_count)):
            item = self._rows.items[index]
            drawn = self._drawn.get(index)
            if drawn is not None and not isinstance(item, Group) and drawn != self._row(item, layout):
                changed.add(index)
        if changed or head:
            self.rows_changed(changed, head=head)

    def has(self, name: str) -> bool:
        """Whether there is a route *name* that the filter lets through."""
        return self._rows.has(name)

    def select(self, name: str) -> None:
        """Put the cursor on the route *name*, if the filter lets it through; a folded group opens for it."""
        if name not in self._rows.places and self.has(name):
            self._set_folded(frozenset())
        if name in self._rows.places:
            self.move_cursor(self._rows.places[name])

    def go_to_match(self, wanted: RouteFilter, step: int) -> bool:
        """Go to the next route (*step* 1) or the one before (-1) that *wanted* fits, round the end; say if any does."""
        name = self._rows.next_match(wanted, self.cursor, step)
        if name is not None:
            self.select(name)
        return name is not None

    # Groups.

    def on_click(self, event: events.Click) -> None:
        index = event.y - self.HEAD + self.scroll_offset.y
        if event.y >= self.HEAD and index < self.row_count and isinstance(self._rows.items[index], Group):
            event.prevent_default()
            self.move_cursor(index)
            self.toggle_group()

    def fold(self, name: str, folded: bool) -> None:
        """Fold the group *name*, or open it."""
        now = self._rows.folded
        self._set_folded(now | {name} if folded else now - {name})

    def _set_folded(self, folded: frozenset[str]) -> None:
        item, cursor = self._item, self.cursor
        self._rows.fold(folded)
        self._rearranged(item, cursor)
        self.post_message(self.Rearranged())

    def toggle_group(self) -> bool:
        """Fold or open the group under the cursor; return whether there is one."""
        group = self.selected_group
        if group is not None:
            self.fold(group.name, not group.folded)
        return group is not None

    def action_fold(self) -> None:
        """Fold the group of the row under the cursor, and stand on the group's row."""
        place = self._rows.group_above(self.cursor) if self._rows.items else None
        if place is not None:
            self.move_cursor(place)
            if (group := self.selected_group) is not None and not group.folded:
                self.fold(group.name, True)

    def action_unfold(self) -> None:
        if (group := self.selected_group) is not None and group.folded:
            self.fold(group.name, False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action not in ("fold", "unfold") or self.how.grouping is not Grouping.NONE

    # Drawing.

    def show_totals(self, wanted: bool) -> None:
        """Say whether IN and OUT are worth cutting other columns for."""
        if wanted != self._totals:
            self._totals = wanted
            self._layout = (0, Layout(()))
            self._drawn = {}
            self.rows_changed()

    def layout_for(self, width: int) -> Layout:
        """Return the columns for *width* cells."""
        if self._layout[0] != width:
            self._layout = (width, choose_layout(width, self._widest, profiles=self._profiles, totals=self._totals))
        return self._layout[1]

    def _plain_row(self, tunnel: TunnelSnapshot) -> RouteRow:
        return route_row(tunnel, self._now, self.glyphs.star if tunnel.route.name in self.how.favourites else "")

    def _row(self, tunnel: TunnelSnapshot, layout: Layout) -> RouteRow:
        row = self._plain_row(tunnel)
        if layout.width_of(Column.RATE_IN) and row.bytes_in:
            down, up = self._rates.of(tunnel.route.name)
            row = replace(row, rate_in=rate_short(down.rate), rate_out=rate_short(up.rate))
        if width := layout.width_of(Column.GRAPH):
            history = self._rates.both(tunnel.route.name)
            row = replace(row, graph=bars(history, width, self._scale, self.glyphs) if any(history) else "")
        return row

    def head_line(self, width: int) -> Content:
        layout = self.layout_for(width)
        parts: list[tuple[str, str]] = []
        x = 0
        for slot in layout.slots:
            title = slot.column.value
            mark = ""
            if slot.column is self.how.order.column:
                mark = self.glyphs.descending if self.how.order.reverse else self.glyphs.ascending
            if mark and not slot.right:
                title = f"{title} {mark}"
            elif mark:
                title = f"{mark}{title}"
            elif slot.column is Column.GRAPH and self._scale:
                title = f"{title} to {rate_short(self._scale)}"
            parts.append((" " * (slot.x - x), ""))
            style = "bold $ink" if mark else "$muted"
            parts.append((fit(title, slot.width, self.glyphs.ellipsis, right=slot.right), style))
            x = slot.x + slot.width
        return line(*parts)

    def row_line(self, index: int, width: int, *, selected: bool) -> Content:
        layout = self.layout_for(width)
        bar = self.cursor_mark(self.glyphs, selected=selected)
        item = self._rows.items[index]
        if isinstance(item, Group):
            return self._group_line(item, bar, selected=selected)
        row = self._drawn[index] = self._row(item, layout)
        colour = f"${COLOURS[row.state]}"
        parts: list[tuple[str, str]] = [bar, (self.glyphs.state(row.state), colour)]
        parts.append((self.glyphs.mark, "bold $brand") if item.route.name in self._marked else (" ", ""))
        x = LEAD
        for slot in layout.slots:
            parts.append((pad("", slot.x - x), ""))
            parts += self._cell(row, slot.column, slot.width, layout, colour, selected=selected)
            x = slot.x + slot.width
        return line(*parts)

    def _cell(
        self, row: RouteRow, column: Column, width: int, layout: Layout, colour: str, *, selected: bool
    ) -> Iterable[tuple[str, str]]:
        style = _cell_style(row, column, colour, selected=selected)
        text = row.cell(column)
        if column is Column.NAME and row.star:
            name = cut(row.name, width - 2, self.glyphs.ellipsis)
            return [(name, style), (pad(f" {row.star}", width - cell_len(name)), "$auth")]
        if column is Column.LOCAL and layout.short_local:
            text = port_only(text)
        middle = column in (Column.DESTINATION, Column.LOCAL)
        return [(fit(text, width, self.glyphs.ellipsis, right=column in RIGHT, middle=middle), style)]

    def _group_line(self, group: Group, bar: tuple[str, str], *, selected: bool) -> Content:
        none = "no tag" if self.how.grouping is Grouping.TAG else "no profile"
        routes = "1 route" if group.count == 1 else f"{group.count} routes"
        sign = self.glyphs.folded if group.folded else self.glyphs.open
        name = (safe(group.name, 40) or none, "bold $brand" if selected else "bold $ink")
        parts = [bar, (f"{sign} ", "$brand"), name, (f"  {routes}", "$muted")]
        parts.append((f"   {group.up} up", "$ink" if group.up else "$muted"))
        if group.trouble:
            parts.append((f"   {group.trouble} {self.glyphs.state(State.PORT_BUSY)}", "$trouble"))
        return line(*parts)


def _cell_style(row: RouteRow, column: Column, colour: str, *, selected: bool) -> str:
    if column is Column.NAME:
        return "bold $ink" if selected else "$muted" if row.state == "off" else "$ink"
    if column is Column.STATE:
        return colour
    if column is Column.GRAPH:
        return "$ready"
    if row.state == "off" or row.cell(column) in ("0", "auto", "0/s"):
        return "$off"
    return "$ink" if column in RIGHT else "$muted"
