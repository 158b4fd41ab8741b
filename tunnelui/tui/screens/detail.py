"""One route as a screen of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tunnelui.tui.keys.bindings import BACK, DETAIL
from tunnelui.tui.lines.words import safe
from tunnelui.tui.screens.base import TunnelScreen
from tunnelui.tui.widgets.detail_pages import CONNECT_AS, LOG, DetailPages
from tunnelui.tui.widgets.key_footer import KeyFooter
from tunnelui.tui.widgets.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from tunnelui.engine.model import Event, TunnelSnapshot
    from tunnelui.tui.view import View
    from tunnelui.tui.widgets.tab_rule import TabRule

__all__ = ["DetailScreen"]


class DetailScreen(TunnelScreen[None]):
    """Closes by itself when the route is gone."""

    HELP_TITLE: ClassVar[str] = "Route"
    BINDINGS: ClassVar[list[BindingType]] = [BACK, *DETAIL]

    def __init__(self, name: str) -> None:
        super().__init__()
        self._route = name

    @property
    def tunnel(self) -> TunnelSnapshot | None:
        return self.tunnels.view.snapshot.tunnel(self._route)

    def compose(self) -> ComposeResult:
        glyphs = self.tunnels.glyphs
        yield DetailPages(glyphs, lead=f" {glyphs.back} ", id="detail")
        yield Rule(glyphs, id="foot-rule")
        yield KeyFooter()

    def on_mount(self) -> None:
        self.query_one(DetailPages).begin(self.tunnels.events, self._route)

    def show_events(self, events: Sequence[Event]) -> None:
        self.query_one(DetailPages).add_events(events)

    def show_view(self, view: View) -> None:
        tunnel = view.snapshot.tunnel(self._route)
        if tunnel is not None:
            pages = self.query_one(DetailPages)
            pages.show(view, tunnel)
            self.query_one("#foot-rule", Rule).show(pages.enter_words(self.tunnels.key_name("move.take")))
        elif self.is_active:
            self.tunnels.say(f"The route {safe(self._route, 64)} is gone: removed or renamed elsewhere.", "warning")
            self.dismiss()

    def follow(self, old: str, new: str) -> None:
        """The route *old* is called *new* now."""
        if self._route == old:
            self._route = new

    def on_tab_rule_chosen(self, event: TabRule.Chosen) -> None:
        self.query_one(DetailPages).turn_to(event.index)
        self.show_view(self.tunnels.view)

    def on_choice_list_chosen(self) -> None:
        self.action_take()

    def action_tab(self, step: int) -> None:
        self.query_one(DetailPages).turn(step)
        self.show_view(self.tunnels.view)

    def action_take(self) -> None:
        """What enter does on the page: copy the way to connect, show the whole log."""
        pages = self.query_one(DetailPages)
        if pages.page == CONNECT_AS and pages.way is not None:
            self.tunnels.carry_out(self.tunnels.copy(pages.way.text, f"the {pages.way.title}"))
        elif pages.page == LOG:
            self.action_log()

    def action_close_connection(self) -> None:
        self.tunnels.verbs.close_connection(self.tunnel, self.query_one(DetailPages).connection)

    def action_back(self) -> None:
        self.dismiss()

    def action_start_stop(self) -> None:
        self.tunnels.verbs.toggle(self.tunnel)

    def action_restart(self) -> None:
        self.tunnels.verbs.restart(self.tunnel)

    async def action_copy_local(self) -> None:
        await self.tunnels.verbs.copy_local(self.tunnel)

    def action_test(self) -> None:
        self.tunnels.verbs.test(self.tunnel)

    def action_diagnose(self) -> None:
        self.tunnels.verbs.diagnose(self.tunnel)

    def action_copy_as(self) -> None:
        self.tunnels.verbs.copy_as(self.tunnel)

    def action_open_with(self) -> None:
        self.tunnels.verbs.open_with(self.tunnel)

    def action_open_elsewhere(self) -> None:
        self.tunnels.verbs.open_with(self.tunnel, elsewhere=True)

    def action_edit(self) -> None:
        self.tunnels.verbs.edit(self.tunnel)

    def action_sign_in(self) -> None:
        self.tunnels.verbs.sign_in(self.tunnel)

    def action_log(self) -> None:
        self.tunnels.verbs.show_log(self._route)
