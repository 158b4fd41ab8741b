"""A sign-in under way: the address to open, who waits for it, how long there is, and where to paste the answer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from textual.containers import VerticalScroll

from tunnelui.tui.keys.bindings import SIGN_IN
from tunnelui.tui.lines.format import duration
from tunnelui.tui.lines.key_hints import hints
from tunnelui.tui.lines.steps import browser_words, on_screen
from tunnelui.tui.lines.words import capital, cut, cut_middle, line, safe, wrap, wrap_hard
from tunnelui.tui.screens.sign_in_actions import SignInActions
from tunnelui.tui.widgets.key_footer import KeyFooter
from tunnelui.tui.widgets.line_view import LineView
from tunnelui.tui.widgets.notes import note_rows
from tunnelui.tui.widgets.rules import Rule

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.content import Content

    from tunnelui.engine.model import IdentitySnapshot, SignInSnapshot
    from tunnelui.tui.view import View

__all__ = ["SignInScreen"]

_LONGEST_URL = 16_384


class SignInScreen(SignInActions[None]):
    """Follows the sign-in of one profile at one proxy, and closes when it has given a token."""

    SHOWS_SIGN_IN: ClassVar[bool] = True
    HELP_TITLE: ClassVar[str] = "Sign-in"
    BINDINGS: ClassVar[list[BindingType]] = [*SIGN_IN]
    AUTO_FOCUS: ClassVar[str | None] = ""

    def __init__(self, profile: str, proxy: str) -> None:
        super().__init__()
        self._profile = profile
        self._proxy = proxy
        self._begun = False

    def compose(self) -> ComposeResult:
        glyphs = self.tunnels.glyphs
        yield LineView(id="top")
        yield Rule(glyphs)
        with VerticalScroll(id="sign-in", can_focus=False):
            yield LineView(id="words")
            yield LineView(id="notes")
            yield LineView(id="url")
            yield from self.compose_answer()
        yield Rule(glyphs)
        yield KeyFooter()

    @property
    def identity(self) -> IdentitySnapshot | None:
        return self.tunnels.view.identity_at(self._profile, self._proxy)

    @property
    def sign_in(self) -> SignInSnapshot | None:
        return self.identity.sign_in if self.identity else None

    @property
    def signs_in_at(self) -> tuple[str, str]:
        return self._profile, self._proxy

    def on_resize(self) -> None:
        self.call_after_refresh(self.show_view, self.tunnels.view)

    def show_view(self, view: View) -> None:
        sign_in = self.sign_in
        if sign_in is not None:
            self._begun = True
        identity = self.identity
        if self._begun and sign_in is None and identity is not None and identity.problem is None:
            self.withdraw_question()
            if self.is_active:
                self.dismiss()
            return
        width = self.size.width
        glyphs = self.tunnels.glyphs
        head = line((f" {glyphs.back} ", "$brand"), ("Sign in", "bold $ink"), "  ", (safe(self._profile, 30), "$ink"))
        proxy = cut_middle(safe(self._proxy), max(8, width - head.cell_length - 3), glyphs.ellipsis)
        space = " " * max(1, width - head.cell_length - len(proxy) - 1)
        self.query_one("#top", LineView).show(head + line(space, (proxy, "$muted")))
        self.query_one("#words", LineView).show(*self._words(view, width))
        notes = [line("  ", (row, "$ink")) for row in note_rows(view.snapshot.notes, width - 6)]
        self.query_one("#notes", LineView).show(*notes, *([line("")] if notes else []))
        url = safe(sign_in.url, _LONGEST_URL) if sign_in else ""
        self.query_one("#url", LineView).show(
            *(line("  ", (row, "$brand"), limit=_LONGEST_URL) for row in wrap_hard(url, max(10, width - 6))), line("")
        )
        self.show_answer(3)
        self.refresh_bindings()

    def _words(self, view: View, width: int) -> list[Content]:
        identity, sign_in = self.identity, self.sign_in
        if sign_in is None:
            if identity is None or identity.problem is None:
                return [line("  ", ("Asking the proxy where to sign in.", "$ink"))]
            problem = on_screen(identity.problem)
            again = self.tunnels.key_name("access.again")
            rows = [line("  ", (row, "$denied")) for row in wrap(safe(capital(problem.message), 600), width - 6, 4)]
            rows += [line("  ", (row, "$ink")) for row in wrap(safe(problem.hint, 400), width - 6, 3)]
            return [*rows, line(""), line("  ") + hints((again, "starts again", "screen.again")), line("")]
        left = duration(math.ceil(sign_in.deadline_at - view.now))
        rows = [line("  ", ("Waiting for your sign-in", "bold $ink"), "   ", (f"{left} left", "$auth"))]
        if sign_in.waiting:
            count = "1 route waits" if len(sign_in.waiting) == 1 else f"{len(sign_in.waiting)} routes wait"
            names = cut(", ".join(safe(name, 64) for name in sign_in.waiting[:50]), max(8, width - 24))
            rows.append(line("  ", (f"{count} for it: ", "$muted"), (names, "$ink")))
        rows.append(line(""))
        if not sign_in.url:
            return [*rows, line("  ", ("Asking the proxy for the address.", "$muted")), line("")]
        profile = next((each for each in view.snapshot.profiles if each.name == self._profile), None)
        opens = profile is None or profile.opens_browser
        note = safe(browser_words(sign_in.note, profile), 400)
        if opens and not sign_in.note:
            note += " Finish the sign-in there."
        rows += [line("  ", (row, "$auth" if sign_in.note else "$ink")) for row in wrap(note, width - 6, 3)]
        if "paste" not in note:
            words = "Open this address on any machine, then paste what the browser ends on."
            words = f"No browser here? {words}" if opens else words
            rows += [line("  ", (row, "$muted")) for row in wrap(words, width - 6, 2)]
        return [*rows, line("")]

    # Actions.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What speaks of a sign-in is offered while there is one, and to begin another one when it has failed."""
        if action in ("copy_url", "open_browser", "paste", "leave"):
            return self.is_mounted and self.sign_in is not None
        if action == "again":
            return self.is_mounted and self.identity is not None and self.identity.problem is not None
        if action == "cancel":
            return self._can_cancel
        return action != "back" or not self._can_cancel

    @property
    def _can_cancel(self) -> bool:
        """Whether `esc` would cancel the sign-in: it leaves the field first, and without a sign-in just the screen."""
        return self.is_mounted and self.sign_in is not None and not self.answer.has_focus

    def action_again(self) -> None:
        if self.sign_in is None:
            self._begun = False
            self.tunnels.carry_out(self.tunnels.engine.sign_in(self._profile, self._proxy))

    def action_scroll(self, lines: int) -> None:
        self.query_one("#sign-in", VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_leave(self) -> None:
        self.dismiss()

    def action_back(self) -> None:
        field = self.answer
        if field.has_focus:
            field.value = ""
            self.problem = ""
            self.set_focus(None)
            self.show_answer(3)
        else:
            self.dismiss()

    def action_cancel(self) -> None:
        if self.sign_in is not None:
            self.ask_to_cancel(self.sign_in, self._cancel)

    def _cancel(self, yes: bool | None) -> None:
        if yes:
            self.tunnels.carry_out(self.tunnels.engine.cancel_sign_in(self._profile, self._proxy))
            self.dismiss()
