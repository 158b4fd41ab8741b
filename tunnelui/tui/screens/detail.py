"""One route as a screen of its own, for terminals too small for the pane."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tunnelui.tui.bindings import BACK, DETAIL
from tunnelui.tui.screens.base import TunnelScreen
from tunnelui.tui.widgets.detail_panel import DetailPanel
from tunnelui.tui.widgets.key_footer import KeyFooter
from tunnelui.tui.widgets.rules import Rule

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from tunnelui.engine.model import TunnelSnapshot
    from tunnelui.tui.view import View

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
        yield DetailPanel(glyphs, lead=f" {glyphs.back} ", id="detail")
        yield Rule(glyphs)
        yield KeyFooter()

    def on_mount(self) -> None:
        self.query_one(DetailPanel).connections.focus()

    def show_view(self, view: View) -> None:
        tunnel = view.snapshot.tunnel(self._route)
        if tunnel is not None:
            self.query_one(DetailPanel).show(view, tunnel)
        elif self.is_current:
            self.dismiss()

    def follow(self, old: str, new: str) -> None:
        """The route *old* is called *new* now."""
        if self._route == old:
            self._route = new

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

    def action_edit(self) -> None:
        self.tunnels.verbs.edit(self.tunnel)

    def action_sign_in(self) -> None:
        self.tunnels.verbs.sign_in(self.tunnel)

    def action_log(self) -> None:
        self.tunnels.verbs.show_log(self._route)
