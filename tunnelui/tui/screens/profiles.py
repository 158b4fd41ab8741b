"""Profiles and sign-in: who we are at which proxy, until when, and the one panel of a sign-in under way."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tunnelui.engine.model import IdentityStatus
from tunnelui.tui.keys.bindings import PROFILES
from tunnelui.tui.lines.access_rows import about_lines, access_rows, pending_lines
from tunnelui.tui.lines.words import line, safe
from tunnelui.tui.screens.question import Question
from tunnelui.tui.screens.sign_in_actions import SignInActions
from tunnelui.tui.widgets.access_list import AccessList
from tunnelui.tui.widgets.key_footer import KeyFooter
from tunnelui.tui.widgets.line_view import LineView
from tunnelui.tui.widgets.notes import note_rows
from tunnelui.tui.widgets.rules import Rule

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from tunnelui.engine.model import SignInSnapshot
    from tunnelui.tui.lines.access_rows import AccessRow
    from tunnelui.tui.view import View
    from tunnelui.tui.widgets.row_list import RowList

__all__ = ["ProfilesScreen"]

_TALL = 30


class ProfilesScreen(SignInActions[str]):
    """Ends with the profile whose routes should be shown, or with nothing.

    :param profile: the row to begin with, and *proxy*.
    """

    SHOWS_SIGN_IN: ClassVar[bool] = True
    HELP_TITLE: ClassVar[str] = "Profiles"
    BINDINGS: ClassVar[list[BindingType]] = [*PROFILES]

    def __init__(self, profile: str = "", proxy: str = "") -> None:
        super().__init__()
        self._first = (profile, proxy)

    def compose(self) -> ComposeResult:
        glyphs = self.tunnels.glyphs
        yield LineView(id="top")
        yield Rule(glyphs)
        yield AccessList(glyphs, id="access")
        yield Rule(glyphs, id="about-rule")
        yield LineView(id="about")
        yield LineView(id="pending")
        yield from self.compose_answer()
        yield Rule(glyphs)
        yield KeyFooter()

    def on_mount(self) -> None:
        self.rows.focus()
        self.show_view(self.tunnels.view)
        self.rows.select(*self._first)

    @property
    def rows(self) -> AccessList:
        return self.query_one(AccessList)

    @property
    def selected(self) -> AccessRow | None:
        return self.rows.selected

    @property
    def sign_in(self) -> SignInSnapshot | None:
        """The one under way for the selected row."""
        row = self.selected
        return row.identity.sign_in if row and row.identity else None

    @property
    def signs_in_at(self) -> tuple[str, str] | None:
        row = self.selected
        return (row.profile, row.proxy) if row else None

    def on_resize(self) -> None:
        self.call_after_refresh(self.show_view, self.tunnels.view)

    def show_view(self, view: View) -> None:
        self.rows.show(access_rows(view.snapshot), view.now)
        self._show_selected()

    def on_row_list_moved(self) -> None:
        self.problem = ""
        self._show_selected()

    def on_row_list_opened(self, event: RowList.Opened) -> None:
        self.action_use()

    def _show_selected(self) -> None:
        glyphs, width, view = self.tunnels.glyphs, self.size.width, self.tunnels.view
        row = self.selected
        store = row.identity.store if row and row.identity else ""
        left = line((f" {glyphs.back} ", "$brand"), ("Profiles and sign-in", "bold $ink"))
        right = f"tokens: {safe(store, 40)}" if store else ""
        space = " " * max(1, width - left.cell_length - len(right) - 1)
        self.query_one("#top", LineView).show(left + line(space, (right, "$muted")))
        self.query_one("#about-rule", Rule).show(safe(row.profile, 64) if row else "")
        self.query_one("#about", LineView).show(*(about_lines(row, view.now, width, glyphs) if row else ()))
        names = self.tunnels.key_name
        keys = {
            "copy": names("copy.url"),
            "browser": names("access.browser"),
            "paste": names("access.paste"),
            "cancel": names("access.cancel"),
            "again": names("access.sign_in"),
            "unlock": names("access.unlock"),
        }
        most = 8 if self.size.height >= _TALL else 3
        pending = pending_lines(row, view.now, width, glyphs, keys, most_url=most) if row else []
        notes = note_rows(view.snapshot.notes, width - 6)[:2] if self.sign_in else []
        rows = [line(""), *pending[:1], *(line("  ", (each, "$ink")) for each in notes), *pending[1:]]
        self.query_one("#pending", LineView).show(*(rows if pending else ()))
        self.show_answer(2)
        if self.sign_in is None:
            self.withdraw_question()
            if self.answer.has_focus:
                self.rows.focus()
        self.refresh_bindings()

    # Actions.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What speaks of a sign-in is offered while there is one, and a password where there is a certificate."""
        if action == "unlock":
            row = self.selected if self.is_mounted else None
            return bool(row and row.settings and row.settings.client_cert)
        if action in ("copy_url", "open_browser", "paste", "cancel"):
            return self.is_mounted and self.sign_in is not None
        return True

    def action_use(self) -> None:
        if self.selected is not None:
            self.dismiss(self.selected.profile)

    def action_sign_in(self) -> None:
        row = self._row_with_proxy()
        if row is not None:
            self.problem = ""
            self.tunnels.carry_out(self.tunnels.engine.sign_in(row.profile, row.proxy))

    def action_sign_out(self) -> None:
        row = self._row_with_proxy()
        if row is None:
            return
        if row.identity is None or row.identity.status is IdentityStatus.SIGNED_OUT:
            self.tunnels.say("Nobody is signed in there.", "warning")
            return
        request, done = self.tunnels.engine.sign_out, f"Signed out at {safe(row.proxy)}."

        def answered(yes: bool | None) -> None:
            if yes:
                self.tunnels.carry_out(request(row.profile, row.proxy), done)

        count = "1 route asks" if len(row.routes) == 1 else f"{len(row.routes)} routes ask"
        text = f"The token is forgotten. {count} for a sign-in with the next connection; open connections stay."
        question = Question(f"Sign out at {safe(row.proxy)}?", text, yes="Sign out", no="Stay signed in")
        self.app.push_screen(question, answered)

    def action_unlock(self) -> None:
        from tunnelui.tui.screens.unlock import Unlock

        row = self.selected
        if row is None or row.settings is None or not row.settings.client_cert:
            return
        file = row.settings.client_cert

        def unlocked(yes: bool | None) -> None:
            if yes:
                self.tunnels.say(f"Unlocked {safe(file, 200)}.")
                self.tunnels.poll()

        self.app.push_screen(Unlock(row.profile, file), unlocked)

    def action_test(self) -> None:
        row = self.selected
        tunnels = self.tunnels.view.snapshot.tunnels
        first = next((one for one in tunnels if row and (one.route.profile, one.proxy) == row.key), None)
        if first is None:
            self.tunnels.say("No route leads there yet, so there is no way to test.", "warning")
        else:
            self.tunnels.verbs.diagnose(first)

    def action_cancel(self) -> None:
        row, sign_in = self.selected, self.sign_in
        if row is None or sign_in is None:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self.tunnels.carry_out(self.tunnels.engine.cancel_sign_in(row.profile, row.proxy))

        self.ask_to_cancel(sign_in, answered)

    def action_back(self) -> None:
        field = self.answer
        if field.has_focus:
            field.value = ""
            self.problem = ""
            self.rows.focus()
            self._show_selected()
        else:
            self.dismiss()

    def _row_with_proxy(self) -> AccessRow | None:
        row = self.selected
        if row is None or not row.proxy:
            self.tunnels.say("No proxy is known for it yet: a route or config.toml names one.", "warning")
            return None
        return row
