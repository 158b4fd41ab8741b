"""The first screen: the list of routes, and beside it what fits."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual.widgets import Input

from tunnelui.tui.keys.bindings import ROUTES
from tunnelui.tui.lines.words import safe
from tunnelui.tui.listing.filtering import RouteFilter
from tunnelui.tui.screens.list_actions import ListActions
from tunnelui.tui.screens.route_parts import TALL, WIDE, RouteParts
from tunnelui.tui.widgets.route_list import RouteList

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from textual import events
    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.widget import Widget

    from tunnelui.engine.model import Event, TunnelSnapshot
    from tunnelui.tui.view import View
    from tunnelui.tui.widgets.row_list import RowList
    from tunnelui.tui.widgets.tag_bar import TagBar
    from tunnelui.tui.widgets.word_bar import WordBar

__all__ = ["RoutesScreen"]

_NEED_A_ROUTE = frozenset(
    {
        "start_stop",
        "details",
        "copy_local",
        "copy_as",
        "test",
        "diagnose",
        "open_with",
        "open_elsewhere",
        "clone",
        "mark",
        "mark_shown",
        "stop_all",
        "hide_stopped",
        "filter",
        "edit",
        "delete",
        "restart",
        "sort",
        "reverse",
        "log",
        "next_pane",
        "next_match",
        "zoom",
        "group_by",
        "favourite",
        "tags",
    }
)


class RoutesScreen(ListActions):
    """List, strip and footer; from 100x30 on the detail and the log stand beside the list."""

    CSS_PATH: ClassVar[Path | None] = None
    HELP_TITLE: ClassVar[str] = "Routes"
    BINDINGS: ClassVar[list[BindingType]] = [*ROUTES]

    def __init__(self) -> None:
        super().__init__()
        self._filter = RouteFilter()
        self._zoomed = ""
        self._log_title = "Log"
        self._log_begun = False

    def compose(self) -> ComposeResult:
        size = self.app.size
        self._parts = RouteParts(self, self.tunnels)
        for name, fits in self._parts.classes(size).items():
            self.set_class(fits, name, update=False)  # nothing is there yet that it would change
        yield from self._parts.compose(size, self.tunnels.view)

    def on_mount(self) -> None:
        self.routes.follower = self.show_selected
        self.routes.put_in_order(self.tunnels.memory.now.how)
        self.routes.focus()
        self._show_totals()

    # Parts.

    @property
    def routes(self) -> RouteList:
        return self._parts.routes

    @property
    def tag_bar(self) -> TagBar:
        return self._parts.tags

    @property
    def has_panes(self) -> bool:
        """Whether the detail and the log are beside the list."""
        return self.has_class("-panes") and not self.has_class("-empty")

    @property
    def panes(self) -> dict[str, Widget]:
        """The panes by name, in the order of tab; without a route there are no details."""
        parts = self._parts
        panes: dict[str, Widget] = {"list": self.routes}
        if parts.detail is not None and self.selected:
            panes["detail"] = parts.detail.connections
        if parts.log is not None:
            panes["log"] = parts.log
        return panes

    # Showing.

    def show_view(self, view: View) -> None:
        self.routes.show(view.snapshot.tunnels, view.now, self._filter, view.rates)
        if view.snapshot.notes or self._parts.notes is not None:
            self._parts.need_notes().show_notes(view.snapshot.notes)
        empty = not view.snapshot.tunnels
        if empty:
            self._parts.need_welcome()
        if empty != self.has_class("-empty"):
            self.set_class(empty, "-empty")
            self.refresh_bindings()
        self.show_selected()

    def show_selected(self) -> None:
        view = self.tunnels.view
        tunnel = self.selected
        self._parts.status.show_view(view, self.routes.nearest)
        self._show_strip(view, tunnel)
        self._show_panes(view, tunnel)
        self._show_rules()

    def _show_panes(self, view: View, tunnel: TunnelSnapshot | None) -> None:
        name = tunnel.route.name if tunnel else ""
        self._log_title = f"Log: {safe(name)}" if name else "Log"
        detail, log = self._parts.detail, self._parts.log
        if detail is not None:
            detail.visible = tunnel is not None
            if tunnel is not None:
                detail.show(view, tunnel)
        if log is not None and (name != log.route or not self._log_begun):
            self._log_begun = log.follow = True
            log.show(self.tunnels.events.around(name), name)

    def _show_rules(self) -> None:
        """The lines above and below the panes, each with a mark where the line between list and detail meets it."""
        self._parts.top_rule.show("", self._parts.column)
        if self._parts.log_rule is not None:
            self._parts.log_rule.show(self._log_title, self._parts.column, below=False)

    def _show_strip(self, view: View, tunnel: TunnelSnapshot | None) -> None:
        strip = self._parts.strip
        shown, total = self.routes.match_count, len(view.snapshot.tunnels)
        title = []
        if self._filter:
            title.append(f"filter {safe(self._filter.text.strip(), 40)}")
        if self._filter.hides_stopped:
            title.append("stopped hidden")
        if title:
            title.append(f"{shown} of {total}")
        if marked := len(self.routes.marked):
            title.append(f"{marked} marked")
        self._parts.strip_rule.show("  ".join(title))
        if view.trouble:
            strip.show_words(view.trouble, "The screen shows what was known last.")
        elif tunnel is not None:
            strip.show_tunnel(tunnel, view)
        elif (group := self.routes.selected_group) is not None:
            routes = "1 route" if group.count == 1 else f"{group.count} routes"
            does = "opens the group" if group.folded else "folds the group"
            key, mark = self.tunnels.key_name("tunnel.toggle"), self.tunnels.key_name("tunnel.mark")
            strip.show_words(
                f"{safe(group.name, 40) or 'Without a tag'}: {routes}, {group.up} up, {group.trouble} in trouble.",
                f"{key} {does}, {mark} marks its routes.",
            )
        elif self._filter and total:
            strip.show_words(
                f"No route fits “{safe(self._filter.text.strip(), 60)}”.",
                f"{self.tunnels.key_name('move.back')} clears the filter.",
            )
        elif self._filter.hides_stopped and total:
            strip.show_words(
                "Every route is stopped, and stopped ones are hidden.",
                f"{self.tunnels.key_name('route.hide_stopped')} shows them.",
            )
        else:
            strip.show_words("")

    def show_events(self, events: Sequence[Event]) -> None:
        if self._parts.log is not None:
            self._parts.log.add(events)

    def on_resize(self, event: events.Resize) -> None:
        if self._parts.fit(event.size) and self._parts.need_panes():
            self.call_after_refresh(self.show_selected)
        for name, fits in self._parts.classes(event.size).items():
            self.set_class(fits, name)
        if self._zoomed and not self.has_panes:
            self._zoom("")
        self._show_totals()
        self.call_after_refresh(self._show_rules)
        if not self.has_panes and self.focused is not None and not isinstance(self.focused, (RouteList, Input)):
            self.routes.focus()

    # Messages of the parts.

    async def on_row_list_opened(self, event: RowList.Opened) -> None:
        if event.control is self.routes:
            self.action_details()

    def on_row_list_head_clicked(self, event: RowList.HeadClicked) -> None:
        if event.control is self.routes:
            column = self.routes.layout_for(self.routes.scrollable_content_region.width).at(event.x)
            if column is not None:
                self.sort_by(column)

    def on_detail_panel_resized(self) -> None:
        self._show_rules()

    def on_word_bar_changed(self, event: WordBar.Changed) -> None:
        self._filter = replace(self._filter, text=event.text)
        self._sought = event.text if self._filter else self._sought
        self.show_view(self.tunnels.view)

    def on_word_bar_closed(self) -> None:
        self.set_class(False, "-filtering")
        self.routes.focus()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        if event.widget is self.routes:  # by a click, perhaps, while something was typed
            self.set_class(False, "-filtering")
            self.set_class(False, "-tagging")

    # Actions.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without a route only what makes sense then is offered."""
        return action not in _NEED_A_ROUTE or not self.has_class("-empty")

    def action_filter(self) -> None:
        self.set_class(True, "-filtering")
        self._parts.filter.open()

    def action_back(self) -> None:
        if self._zoomed:
            self._zoom("")
        elif self.focused is not self.routes:
            self.routes.focus()
        elif self.routes.marked:
            self.routes.clear_marks()
            self.show_selected()
        elif self._filter:
            self._parts.filter.clear()
        elif self._parts.notes is not None:
            self._parts.notes.send_away()

    def action_next_pane(self, step: int) -> None:
        if not self.has_panes:
            self._say_no_panes()
            return
        names, panes = list(self.panes), list(self.panes.values())
        index = panes.index(self.focused) if self.focused in panes else -step
        index = (index + step) % len(panes)
        if self._zoomed:
            self._zoom(names[index])
        panes[index].focus()

    def action_zoom(self) -> None:
        if not self.has_panes:
            self._say_no_panes()
        elif self._zoomed:
            self._zoom("")
        else:
            self._zoom(next((name for name, pane in self.panes.items() if pane is self.focused), "list"))

    def _say_no_panes(self) -> None:
        key = self.tunnels.key_name
        self.tunnels.say(
            f"The panes stand beside the list from {WIDE}x{TALL} on. "
            f"Here {key('move.details')} shows the details and {key('log.route')} the log.",
            "warning",
        )

    def _zoom(self, pane: str) -> None:
        """Give all the room to one pane, or to each its own (empty)."""
        self._zoomed = pane
        for name in ("list", "detail", "log"):
            self.set_class(name == pane, f"-only-{name}")
        self._show_totals()
        self.call_after_refresh(self.show_selected)

    def _show_totals(self) -> None:
        self.routes.show_totals(not self.has_class("-panes") or self._zoomed == "list")

    def action_hide_stopped(self) -> None:
        self._filter = replace(self._filter, hides_stopped=not self._filter.hides_stopped)
        self.show_view(self.tunnels.view)

    def go_to(self, name: str) -> None:
        """Put the cursor on the route *name*, though a filter may hide it."""
        if not self.routes.has(name):
            self._filter = RouteFilter()
            self._parts.filter.clear()
            self.show_view(self.tunnels.view)
        self.select(name)
        self.routes.focus()

    def filter_by(self, text: str) -> None:
        """Show the routes alone that fit *text*, as if it had been typed into the filter."""
        self._parts.filter.put(text)
        self.routes.focus()

    def action_only_trouble(self) -> None:
        """Show the routes in trouble alone, or all again."""
        self.filter_by("" if self._filter.text == ":trouble" else ":trouble")

    def select(self, name: str) -> None:
        """Put the cursor on the route *name*."""
        self.routes.select(name)
