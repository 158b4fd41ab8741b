"""What the keys of the route list do with the list itself: marks, order, groups, favourites, tags, the next match."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING

from tunnelui.errors import ConfigError
from tunnelui.tui.lines.rows import Column
from tunnelui.tui.lines.words import safe
from tunnelui.tui.listing.arrange import Grouping
from tunnelui.tui.listing.filtering import RouteFilter
from tunnelui.tui.listing.order import SortOrder
from tunnelui.tui.screens.route_actions import RouteActions

if TYPE_CHECKING:
    from tunnelui.engine.model import TunnelSnapshot
    from tunnelui.tui.listing.arrange import Arrangement
    from tunnelui.tui.widgets.route_list import RouteList
    from tunnelui.tui.widgets.tag_bar import TagBar

__all__ = ["ListActions"]


class ListActions(RouteActions):
    """The base of a screen with a `RouteList` and a `TagBar`."""

    def __init__(self) -> None:
        super().__init__()
        self._sought = ""
        # The routes whose tags are edited, and the tags that were there to edit.
        self._tagging: tuple[list[str], tuple[str, ...]] = ([], ())

    @property
    @abstractmethod
    def routes(self) -> RouteList:
        """The list."""

    @property
    @abstractmethod
    def tag_bar(self) -> TagBar:
        """The line in which tags are typed."""

    @property
    def selected(self) -> TunnelSnapshot | None:
        return self.routes.selected

    @property
    def marked(self) -> list[TunnelSnapshot]:
        return self.routes.marked

    def show_selected(self) -> None:
        """Show what the cursor stands on in the other parts of the screen."""

    def action_start_stop(self) -> None:
        if not self.routes.toggle_group():
            super().action_start_stop()

    def action_details(self) -> None:
        if not self.routes.toggle_group():
            super().action_details()

    def action_mark(self) -> None:
        self.routes.mark()
        self.show_selected()

    def action_mark_shown(self) -> None:
        self.routes.mark_shown()
        self.show_selected()

    def action_next_match(self, step: int) -> None:
        if not self._sought.strip():
            self.tunnels.say(f"There was no filter yet: {self.tunnels.key_name('move.filter')} begins one.", "warning")
        elif not self.routes.go_to_match(RouteFilter(self._sought), step):
            self.tunnels.say(f"No route fits “{safe(self._sought.strip(), 60)}”.", "warning")

    def action_favourite(self) -> None:
        chosen = self.marked or ([self.selected] if self.selected else [])
        names = {tunnel.route.name for tunnel in chosen}
        if not names:
            self.tunnels.say("No route is selected.", "warning")
            return
        how = self.routes.how
        known = how.favourites
        self._put_in_order(replace(how, favourites=known - names if names <= known else known | names))

    def action_tags(self) -> None:
        chosen = self.marked or ([self.selected] if self.selected else [])
        if not chosen:
            self.tunnels.say("No route is selected.", "warning")
            return
        from tunnelui.tui.edits.tags import common_tags, known_tags

        routes = [tunnel.route for tunnel in chosen]
        self._tagging = ([route.name for route in routes], common_tags(routes))
        known = known_tags(tunnel.route for tunnel in self.tunnels.view.snapshot.tunnels)
        self.set_class(True, "-tagging")
        what = safe(routes[0].name) if len(routes) == 1 else f"of {len(routes)} routes"
        self.tag_bar.open(what, self._tagging[1], known)

    def action_group_by(self) -> None:
        how = self.routes.how
        self._put_in_order(replace(how, grouping=how.grouping.next, folded=frozenset()))
        self.routes.refresh_bindings()
        if self.routes.how.grouping is Grouping.NONE:
            self.tunnels.say("No groups.", about="groups")
        elif self.routes.how.grouping is Grouping.TAG and not any(
            tunnel.route.tags for tunnel in self.tunnels.view.snapshot.tunnels
        ):
            key = self.tunnels.key_name("route.tags")
            self.tunnels.say(f"Grouped by tag, but no route has one yet: {key} gives it some.", about="groups")
        else:
            self.tunnels.say(f"Grouped by {self.routes.how.grouping.value}.", about="groups")

    def action_sort(self) -> None:
        layout = self.routes.layout_for(self.routes.scrollable_content_region.width)
        columns = [slot.column for slot in layout.slots if slot.column.sorts] or [Column.NAME]
        order = self.routes.how.order
        index = columns.index(order.column) if order.column in columns else -1
        self._sort(SortOrder(columns[(index + 1) % len(columns)]))

    def sort_by(self, column: Column) -> None:
        """Sort by *column*, the other way round if it is the one already."""
        order = self.routes.how.order
        if column.sorts:
            self._put_in_order(
                replace(self.routes.how, order=SortOrder(column, column is order.column and not order.reverse))
            )

    def action_reverse(self) -> None:
        order = self.routes.how.order
        self._sort(SortOrder(order.column, not order.reverse))

    def _sort(self, order: SortOrder) -> None:
        self._put_in_order(replace(self.routes.how, order=order))

    def _put_in_order(self, how: Arrangement) -> None:
        self.routes.put_in_order(how)
        self._remember(how)
        self.show_selected()

    def _remember(self, how: Arrangement) -> None:
        self.tunnels.remember(replace(self.tunnels.memory.now, how=how))

    def on_route_list_rearranged(self) -> None:
        self._remember(self.routes.how)
        self.show_selected()

    def on_tag_bar_left(self) -> None:
        self.set_class(False, "-tagging")
        self.routes.focus()

    def on_tag_bar_saved(self, event: TagBar.Saved) -> None:
        from tunnelui.tui.edits.tags import retagged

        names, before = self._tagging
        tunnels = [tunnel for name in names if (tunnel := self.tunnels.view.snapshot.tunnel(name))]
        try:
            routes = [(tunnel.route.name, retagged(tunnel.route, before, event.tags)) for tunnel in tunnels]
        except ConfigError as error:
            self.tunnels.say(f"{error.message}. {error.hint}".strip(), "error")  # and what was typed stays
            return
        self.on_tag_bar_left()
        lost = [safe(name, 64) for name in names if self.tunnels.view.snapshot.tunnel(name) is None]
        if lost:
            self.tunnels.say(
                f"Not tagged, since it was removed or renamed elsewhere: {', '.join(lost[:5])}.", "warning"
            )
        self.tunnels.verbs.retag(routes)
