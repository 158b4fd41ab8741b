"""Something in tunnelui itself went wrong: what, and the whole to copy; then the application goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.containers import Vertical

from tunnelui.tui.keys.bindings import FAULT
from tunnelui.tui.lines.key_hints import hints
from tunnelui.tui.lines.words import line, wrap
from tunnelui.tui.screens.base import TunnelScreen
from tunnelui.tui.widgets.line_view import LineView

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from tunnelui.tui.fault_report import Fault

__all__ = ["FaultPanel"]

_WIDTH = 70


class FaultPanel(TunnelScreen[None]):
    """Shows the first fault; more that come while it is open are counted, and copied with it.

    The screen below does not shine through: it may be the one that can't be drawn.
    """

    HELP_TITLE: ClassVar[str] = "Fault"

    BINDINGS: ClassVar[list[BindingType]] = [*FAULT]

    def __init__(self, fault: Fault) -> None:
        super().__init__()
        self._faults = [fault]

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield LineView(id="fault")

    def on_mount(self) -> None:
        self._show()

    def add(self, fault: Fault) -> None:
        """Count another one."""
        self._faults.append(fault)
        if self.is_mounted:
            self._show()

    def _show(self) -> None:
        fault, more = self._faults[0], len(self._faults) - 1
        room = _WIDTH - 6
        rows = [line((each, "$denied")) for each in wrap(fault.words, room, 4)]
        rows += [line((each, "$muted")) for each in wrap(fault.place, room, 2)]
        if more:
            rows.append(line((f"and {more} more since", "$auth")))
        calm = "This is a fault of tunnelui. It goes on, and the tunnels are as they were."
        name = self.tunnels.key_name
        self.query_one("#fault", LineView).show(
            line(("Something went wrong", "bold $ink")),
            line(""),
            *rows,
            line(""),
            *(line((each, "$ink")) for each in wrap(calm, room, 2)),
            line(""),
            hints(
                (name("copy.fault"), "copy the whole, for a report", "screen.copy_fault"),
                ("esc", "go on", "screen.back"),
            ),
        )

    async def action_copy_fault(self) -> None:
        await self.tunnels.copy("\n".join(fault.report for fault in self._faults[:20]), "the report")

    def action_back(self) -> None:
        self.dismiss()
