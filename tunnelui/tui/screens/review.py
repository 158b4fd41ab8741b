"""What somebody proposes to change in the saved routes, to be looked at and taken line by line."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.containers import Horizontal
from textual.widgets import Input

from tunnelui.errors import TunnelError
from tunnelui.tui.edits.proposals import about, accepted, summary
from tunnelui.tui.lines.steps import told
from tunnelui.tui.lines.words import cut_middle, line, reason, safe, wrap
from tunnelui.tui.screens.base import TunnelScreen
from tunnelui.tui.widgets.field import Field
from tunnelui.tui.widgets.key_footer import KeyFooter
from tunnelui.tui.widgets.line_view import LineView
from tunnelui.tui.widgets.proposal_list import ProposalList
from tunnelui.tui.widgets.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult

    from tunnelui.config.route_changes import RouteChange
    from tunnelui.tui.edits.proposals import Proposal

__all__ = ["ReviewScreen"]

_MOST_NOTES = 2


class ReviewScreen(TunnelScreen[None]):
    """The base: a field that says where the proposals come from, the proposals, what the selected one means.

    A subclass says what `load` does and calls `propose`, or `show_words` where there is nothing to take.
    """

    AUTO_FOCUS: ClassVar[str | None] = ""
    TITLE_WORDS: ClassVar[str] = ""
    LABEL: ClassVar[str] = ""
    PLACEHOLDER: ClassVar[str] = ""

    def __init__(self) -> None:
        super().__init__()
        self._words: tuple[tuple[str, str], ...] = ()
        self._notes: Sequence[str] = ()
        self._is_busy = False

    def compose(self) -> ComposeResult:
        glyphs = self.tunnels.glyphs
        yield LineView(id="top")
        yield Rule(glyphs)
        with Horizontal(classes="field", id="where-row"):
            label = LineView(classes="label")
            label.show(line("  ", (self.LABEL, "$muted")))
            yield label
            yield Field(placeholder=self.PLACEHOLDER, id="where", compact=True, max_length=4096)
        yield LineView(id="words")
        yield ProposalList(glyphs, id="proposals")
        yield LineView(id="notes")
        yield Rule(glyphs, id="about-rule")
        yield LineView(id="about")
        yield Rule(glyphs)
        yield KeyFooter()

    @property
    def proposals(self) -> ProposalList:
        return self.query_one(ProposalList)

    @property
    def where(self) -> Input:
        return self.query_one("#where", Input)

    # What a subclass gives.

    @property
    def source(self) -> str:
        """Where the proposals come from, for the top line."""
        raise NotImplementedError

    async def load(self) -> None:
        """Ask for the proposals.

        :raises TunnelError: why there are none.
        """
        raise NotImplementedError

    # Showing.

    def show_words(self, *rows: tuple[str, str]) -> None:
        """Show sentences, each with its style, in place of the list."""
        self._words = rows
        self._notes = ()
        self.proposals.show(())
        self.show_all()

    def propose(self, proposals: Sequence[Proposal], notes: Sequence[str]) -> None:
        """Show *proposals*, and *notes* on what can't be taken over."""
        self._words = ()
        self._notes = notes
        self.proposals.show(proposals)
        self.proposals.focus()
        self.show_all()

    def on_resize(self) -> None:
        self.call_after_refresh(self.show_all)

    def on_row_list_moved(self) -> None:
        self.show_all()

    def on_proposal_list_ticked(self) -> None:
        self.show_all()

    def show_all(self) -> None:
        if not self.is_mounted:
            return
        glyphs, width = self.tunnels.glyphs, self.size.width
        taken, total = sum(one.taken for one in self.proposals.proposals), self.proposals.row_count
        right = f"{taken} of {total} taken" if total else ""
        left = line((f" {glyphs.back} ", "$brand"), (self.TITLE_WORDS, "bold $ink"), "  ")
        source = cut_middle(safe(self.source, 400), max(8, width - left.cell_length - len(right) - 3), glyphs.ellipsis)
        left += line((source, "$ink"))
        space = " " * max(1, width - left.cell_length - len(right) - 1)
        self.query_one("#top", LineView).show(left + line(space, (right, "$live" if taken else "$muted")))
        rows = [line("")] if self._words else []
        for words, style in self._words:
            rows += [line("  ", (each, style)) for each in wrap(safe(words, 1000), max(10, width - 4), 5)]
        self.query_one("#words", LineView).show(*rows)
        self.query_one("#words").display = bool(rows)
        self.proposals.display = not self._words
        notes = [safe(note, 300) for note in self._notes[:_MOST_NOTES]]
        if len(self._notes) > _MOST_NOTES:
            notes[-1] += f"   and {len(self._notes) - _MOST_NOTES} more"
        self.query_one("#notes", LineView).show(*(line("  ", (note, "$muted")) for note in notes))
        selected = self.proposals.selected
        self.query_one("#about-rule", Rule).show(safe(selected.route.name, 64) if selected else "")
        self.query_one("#about", LineView).show(*(about(selected) if selected else ()))
        self.refresh_bindings()

    # Actions.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without proposals there is nothing to tick or to take."""
        if action in ("tick", "tick_all", "apply"):
            return self.is_mounted and bool(self.proposals.row_count)
        return True

    def begin_loading(self, words: str) -> None:
        """Load in the background, saying *words* meanwhile; no effect while that is under way."""
        if not self._is_busy:
            self._is_busy = True
            self.show_words((words, "$muted"))
            self.run_worker(self._load(), exit_on_error=False)

    async def _load(self) -> None:
        try:
            await self.load()
        except TunnelError as error:
            self.failed(error)
        except Exception as error:  # a fault of ours must not end the screen
            self.show_words((f"That did not work: {reason(error)}", "$denied"))
        finally:
            self._is_busy = False

    def failed(self, error: TunnelError) -> None:
        """Show why there are no proposals."""
        self.show_words((told(error), "$denied"))

    def action_tick(self) -> None:
        selected = self.proposals.selected
        if selected is not None and selected.problem:
            self.tunnels.say(f"It can't be taken: {safe(selected.problem, 300)}", "warning")
        elif selected is not None:
            self.proposals.toggle(self.proposals.cursor)
            self.proposals.move_cursor(self.proposals.cursor + 1)

    def action_tick_all(self) -> None:
        self.proposals.toggle_all()

    def action_apply(self) -> None:
        names = [tunnel.route.name for tunnel in self.tunnels.view.snapshot.tunnels]
        changes = accepted(self.proposals.proposals, names)
        if not changes:
            key = self.tunnels.key_name
            words = f"{key('review.tick')} takes a line, {key('review.tick_all')} all of them."
            self.tunnels.say(f"Nothing is ticked. {words}", "warning")
        elif not self._is_busy:
            self._is_busy = True
            self.run_worker(self._apply(changes), exit_on_error=False)

    async def _apply(self, changes: Sequence[RouteChange]) -> None:
        done = await self.tunnels.verbs.change_routes(changes, summary(changes))
        self._is_busy = False
        if done:
            self.dismiss()

    def action_other(self) -> None:
        self.query_one("#where-row").display = True
        self.where.focus()

    def action_back(self) -> None:
        if self.where.has_focus and self.proposals.row_count:
            self.proposals.focus()
        else:
            self.dismiss()
