"""The way of one connection, stage by stage: how long each took, or where it ends and what to do."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, ClassVar

from textual.containers import VerticalScroll

from tunnelui.engine.findings import Outcome
from tunnelui.engine.model import IdentityStatus, State
from tunnelui.errors import TunnelError
from tunnelui.tui.keys.bindings import DIAGNOSE
from tunnelui.tui.lines.diagnosis_lines import diagnosis_lines, diagnosis_text, needs_sign_in, verdict
from tunnelui.tui.lines.rows import target_of
from tunnelui.tui.lines.steps import told
from tunnelui.tui.lines.words import cut_middle, line, reason, safe, wrap
from tunnelui.tui.screens.base import TunnelScreen
from tunnelui.tui.widgets.key_footer import KeyFooter
from tunnelui.tui.widgets.line_view import LineView
from tunnelui.tui.widgets.rules import Rule

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from tunnelui.engine.findings import Finding
    from tunnelui.engine.model import TunnelSnapshot
    from tunnelui.tui.view import View

__all__ = ["DiagnoseScreen"]


class DiagnoseScreen(TunnelScreen[None]):
    """Begins at once, and anew after a sign-in that it asked for. Closing it ends the diagnosis."""

    HELP_TITLE: ClassVar[str] = "Diagnose"
    BINDINGS: ClassVar[list[BindingType]] = [*DIAGNOSE]

    def __init__(self, name: str) -> None:
        super().__init__()
        self._route = name
        self._findings: list[Finding] = []
        self._begun_at = 0.0
        self._is_looking = False
        self._problem = ""
        self._wants_sign_in = False

    def compose(self) -> ComposeResult:
        glyphs = self.tunnels.glyphs
        yield LineView(id="top")
        yield Rule(glyphs)
        with VerticalScroll(id="diagnosis", can_focus=False):
            yield LineView(id="findings")
        yield Rule(glyphs)
        yield LineView(id="verdict")
        yield Rule(glyphs)
        yield KeyFooter()

    @property
    def tunnel(self) -> TunnelSnapshot | None:
        return self.tunnels.view.snapshot.tunnel(self._route)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is known by now."""
        return tuple(self._findings)

    def on_mount(self) -> None:
        self.action_again()

    def on_screen_resume(self) -> None:
        tunnel = self.tunnel
        identity = self.tunnels.view.identity(tunnel) if tunnel else None
        if self._wants_sign_in and identity is not None and identity.status is IdentityStatus.SIGNED_IN:
            self.action_again()
        self._wants_sign_in = False

    def on_resize(self) -> None:
        self.call_after_refresh(self._show)

    def show_view(self, view: View) -> None:
        self._show()

    def action_again(self) -> None:
        if not self._is_looking:
            self._is_looking = True
            self._findings.clear()
            self._problem = ""
            self._begun_at = self.tunnels.view.now
            self.run_worker(self._diagnose(), exit_on_error=False)
            self._show()

    async def _diagnose(self) -> None:
        try:
            async with contextlib.aclosing(self.tunnels.engine.diagnose(self._route)) as findings:
                async for finding in findings:
                    self._findings.append(finding)
                    self._show()
        except TunnelError as error:
            self._problem = told(error)
        except Exception as error:  # a fault of ours ends the diagnosis and nothing else
            self._problem = f"that did not work: {reason(error)}"
        finally:
            self._is_looking = False
        self._show()

    def _show(self) -> None:
        if not self.is_mounted:
            return
        glyphs, width = self.tunnels.glyphs, self.size.width
        tunnel = self.tunnel
        left = line((f" {glyphs.back} ", "$brand"), ("Diagnose", "bold $ink"), "  ", (safe(self._route, 40), "$ink"))
        room = max(0, width - left.cell_length - 3)
        way = cut_middle(safe(self._way(tunnel), 300), room, glyphs.ellipsis)
        space = " " * max(1, width - left.cell_length - line(way).cell_length - 1)
        self.query_one("#top", LineView).show(left + line(space, (way, "$muted")))
        key = self.tunnels.key_name("access.sign_in")
        rows = diagnosis_lines(self._findings, width, glyphs, key, running=self._is_looking)
        self.query_one("#findings", LineView).show(*rows)
        self._show_verdict(width)

    def _show_verdict(self, width: int) -> None:
        glyphs = self.tunnels.glyphs
        if self._problem:
            rows = [line(" ", (row, "$denied")) for row in wrap(safe(self._problem, 800), width - 3, 3)]
        elif self._is_looking:
            rows = [line((f" {glyphs.state(State.AUTH)} ", "$auth"), ("Looking, one stage after the other.", "$muted"))]
        else:
            outcome, words = verdict(self._findings)
            sign, colour = {
                Outcome.OK: (glyphs.good, "$live"),
                Outcome.WARNING: (glyphs.state(State.PORT_BUSY), "$auth"),
            }.get(outcome, (glyphs.bad, "$denied"))
            rows = [line((f" {sign} ", colour), (words, "bold $ink"))]
        self.query_one("#verdict", LineView).show(*rows)

    @staticmethod
    def _way(tunnel: TunnelSnapshot | None) -> str:
        return f"{target_of(tunnel)} through {tunnel.proxy}" if tunnel and tunnel.proxy else ""

    # Actions.

    async def action_copy_report(self) -> None:
        if not self._findings:
            self.tunnels.say("There is nothing to copy yet.", "warning")
            return
        title = f"{self._route}: {self._way(self.tunnel)}"
        await self.tunnels.copy(diagnosis_text(title, self._findings, self._begun_at), "the diagnosis")

    def action_sign_in(self) -> None:
        self._wants_sign_in = any(needs_sign_in(finding) for finding in self._findings)
        self.tunnels.verbs.sign_in(self.tunnel)

    def action_scroll(self, lines: int) -> None:
        self.query_one("#diagnosis", VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_back(self) -> None:
        self.dismiss()
