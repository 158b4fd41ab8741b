"""The commands that run tunnels of their own beside the routes: ``exec``, ``proxy`` and ``tcp`` of other terminals."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from textual.containers import Vertical

from tunnelui.errors import TunnelError
from tunnelui.tui.keys.bindings import PROGRAMS
from tunnelui.tui.lines.connect_as import Way
from tunnelui.tui.lines.format import duration
from tunnelui.tui.lines.key_hints import hints
from tunnelui.tui.lines.words import line, literal, safe
from tunnelui.tui.screens.base import Dialog
from tunnelui.tui.screens.question import Question
from tunnelui.tui.widgets.choice_list import ChoiceList
from tunnelui.tui.widgets.line_view import LineView

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.content import Content

    from tunnelui.engine.programs import ProgramTunnel, RunningProgram

__all__ = ["OtherCommands"]

_EVERY: Final = 1.0
_NONE: Final = "None is running. Those of exec, proxy and tcp stand here."

_KEYS: Final = {
    "copy.local": ("copy", "screen.copy_local"),
    "tunnel.end": ("stop it", "screen.end"),
    "choice.close": ("close", "screen.close"),
}
"""What stands behind a key, and what a click on it does."""


class OtherCommands(Dialog[None]):
    """Lists them, a line a tunnel, as long as it is open; they are read, copied and asked to end, and nothing else."""

    BINDINGS: ClassVar[list[BindingType]] = [*PROGRAMS]

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[tuple[RunningProgram, ProgramTunnel]] = []

    def compose(self) -> ComposeResult:
        title, foot = LineView(classes="title"), LineView(id="facts", classes="foot")
        with Vertical(id="box"):
            yield title
            yield ChoiceList(self.tunnels.glyphs, [], keys=False, id="ways")
            yield foot
        title.show(line(("Other commands", "bold $ink"), ("  tunnels that are no routes", "$muted")), line(""))

    def on_mount(self) -> None:
        self.query_one(ChoiceList).display = False  # until there is something to choose
        self._look()
        self.set_interval(_EVERY, self._look)

    def _look(self) -> None:
        self.run_worker(self._fetch(), exclusive=True, exit_on_error=False)

    async def _fetch(self) -> None:
        try:
            self._show(await self.tunnels.engine.programs())
        except TunnelError as error:
            self.query_one("#facts", LineView).show(
                line(""), literal(safe(str(error), 300), "$auth"), line(""), self._hints("choice.close")
            )

    def _show(self, programs: Sequence[RunningProgram]) -> None:
        self._rows = [(one, tunnel) for one in programs for tunnel in one.tunnels]
        ways = [Way("", one.program, f"{tunnel.local}  {tunnel.target}") for one, tunnel in self._rows]
        choices = self.query_one(ChoiceList)
        choices.show(ways)
        if choices.display != bool(ways):
            choices.display = bool(ways)
            choices.focus()
        self.refresh_bindings()
        self._show_facts()

    def _show_facts(self) -> None:
        """Whose tunnel the row under the cursor is, and what can be done."""
        chosen = self._chosen()
        if chosen is None:
            self.query_one("#facts", LineView).show(literal(_NONE, "$muted"), line(""), self._hints("choice.close"))
            return
        one, _ = chosen
        runs = f", runs {safe(one.runs, 60)}" if one.runs else ""
        since = duration(max(0.0, self.tunnels.view.now - one.started_at))
        words = f"{safe(one.program, 40)}{runs}: pid {one.pid}, for {since}"
        self.query_one("#facts", LineView).show(line(""), literal(words, "$ink"), line(""), self._hints(*_KEYS))

    def _hints(self, *names: str) -> Content:
        return hints(*((self.tunnels.key_name(name), *_KEYS[name]) for name in names))

    def _chosen(self) -> tuple[RunningProgram, ProgramTunnel] | None:
        cursor = self.query_one(ChoiceList).cursor
        return self._rows[cursor] if cursor < len(self._rows) else None

    def on_row_list_moved(self) -> None:
        self._show_facts()

    async def action_copy_local(self) -> None:
        if (chosen := self._chosen()) is not None:
            await self.tunnels.copy(chosen[1].local, "the local address")

    def action_end(self) -> None:
        """Ask it to end; asks the person first, since what it runs ends with it."""
        if (chosen := self._chosen()) is None:
            return
        one = chosen[0]

        def answered(yes: bool | None) -> None:
            if yes:
                self.tunnels.carry_out(self.tunnels.engine.stop_program(one.pid), f"Asked {one.program} to end.")

        runs = f"It runs {one.runs}, which is asked to end, too. " if one.runs else ""
        text = f"{runs}The connections through its tunnels are closed."
        title = f"End tunnelui {one.program} (pid {one.pid})?"
        self.tunnels.push_screen(Question(title, text, yes="End it", no="Keep"), answered)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What is done with a command is offered while there is one."""
        return action not in ("copy_local", "end") or bool(self._rows)

    def action_close(self) -> None:
        self.dismiss()
