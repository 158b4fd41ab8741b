"""What the keys of the route list do with the selected route or the marked ones: each is one verb."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunnelui.tui.screens.base import TunnelScreen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tunnelui.engine.model import TunnelSnapshot

__all__ = ["RouteActions"]


class RouteActions(TunnelScreen[None]):
    """The base of a screen that has a selected route, and perhaps marked ones."""

    @property
    def selected(self) -> TunnelSnapshot | None:
        """The tunnel that the keys are about."""
        raise NotImplementedError

    @property
    def marked(self) -> Sequence[TunnelSnapshot]:
        """The tunnels that a key is about instead, where there are any."""
        return ()

    def action_start_stop(self) -> None:
        if marked := self.marked:
            self.tunnels.verbs.toggle_all(marked)
        else:
            self.tunnels.verbs.toggle(self.selected)

    def action_restart(self) -> None:
        if marked := self.marked:
            self.tunnels.verbs.restart_all(marked)
        else:
            self.tunnels.verbs.restart(self.selected)

    def action_stop_all(self) -> None:
        self.tunnels.verbs.stop_all()

    def action_details(self) -> None:
        if self.selected is not None:
            self.tunnels.verbs.show_detail(self.selected)

    def action_test(self) -> None:
        self.tunnels.verbs.test(self.selected)

    async def action_copy_local(self) -> None:
        await self.tunnels.verbs.copy_local(self.selected)

    def action_profiles(self) -> None:
        self.tunnels.verbs.show_profiles(self.selected)

    def action_diagnose(self) -> None:
        self.tunnels.verbs.diagnose(self.selected)

    def action_copy_as(self) -> None:
        self.tunnels.verbs.copy_as(self.selected)

    def action_open_with(self) -> None:
        self.tunnels.verbs.open_with(self.selected)

    def action_open_elsewhere(self) -> None:
        self.tunnels.verbs.open_with(self.selected, elsewhere=True)

    def action_add(self) -> None:
        self.tunnels.verbs.add(self.selected)

    def action_edit(self) -> None:
        self.tunnels.verbs.edit(self.selected)

    def action_clone(self) -> None:
        self.tunnels.verbs.clone(self.selected)

    def action_delete(self) -> None:
        if marked := self.marked:
            self.tunnels.verbs.delete_all(marked)
        else:
            self.tunnels.verbs.delete(self.selected)

    def action_discover(self) -> None:
        self.tunnels.verbs.discover(self.selected)

    def action_import_routes(self) -> None:
        self.tunnels.verbs.import_routes()

    def action_undo(self) -> None:
        self.tunnels.verbs.undo()

    def action_sign_in(self) -> None:
        self.tunnels.verbs.sign_in(self.selected)

    def action_log(self) -> None:
        if self.selected is not None:
            self.tunnels.verbs.show_log(self.selected.route.name)

    def action_log_all(self) -> None:
        self.tunnels.verbs.show_log("")
