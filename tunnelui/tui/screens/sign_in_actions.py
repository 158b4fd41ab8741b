"""What can be done with a sign-in under way, on every screen that shows one: open it, cancel it, hand the answer in."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Generic

from textual.containers import Horizontal
from textual.widgets import Input

from tunnelui.errors import TunnelError
from tunnelui.tui.lines.steps import in_screen_words, told
from tunnelui.tui.lines.words import capital, line, reason, wrap
from tunnelui.tui.screens.base import Result, TunnelScreen
from tunnelui.tui.screens.question import Question
from tunnelui.tui.widgets.answer_field import AnswerField
from tunnelui.tui.widgets.line_view import LineView

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual import events
    from textual.app import ComposeResult

    from tunnelui.engine.model import SignInSnapshot

__all__ = ["SignInActions"]


class SignInActions(TunnelScreen[Result], Generic[Result]):
    """Copies the address, opens a browser, hands the answer in, and asks before a sign-in is cancelled that connections
    wait for.
    """

    def __init__(self) -> None:
        super().__init__()
        self.problem = ""
        """Why the last answer was not taken."""
        self._question: Question | None = None

    def on_mount(self) -> None:
        self.tunnels.take_back("sign-in ")  # the screen itself says as much, where the message would cover it

    @property
    @abstractmethod
    def sign_in(self) -> SignInSnapshot | None:
        """The one that is shown."""

    @property
    @abstractmethod
    def signs_in_at(self) -> tuple[str, str] | None:
        """The profile and the proxy that an answer is for."""

    @property
    def answer(self) -> Input:
        """Where the answer is typed or pasted."""
        return self.query_one("#answer", Input)

    def compose_answer(self) -> ComposeResult:
        """Yield the row for the answer, and room for what is wrong with it."""
        with Horizontal(classes="field", id="answer-row"):
            label = LineView(classes="label")
            label.show(line("  ", ("Answer", "$muted")))
            yield label
            yield AnswerField(id="answer")
        yield LineView(id="problem")

    def show_answer(self, rows: int) -> None:
        """Show the row while a sign-in is under way, and the problem in *rows* lines at most."""
        self.query_one("#answer-row").display = self.sign_in is not None
        words = wrap(self.problem, max(10, self.size.width - 6), rows)
        self.query_one("#problem", LineView).show(*(line("  ", (row, "$denied")) for row in words))

    def on_paste(self, event: events.Paste) -> None:
        """Text pasted anywhere on this screen goes into the field."""
        if self.sign_in is not None and not self.answer.has_focus:
            event.stop()
            self.answer.value = "".join(event.text.split())
            self.answer.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        text, at = event.value.strip(), self.signs_in_at
        if text and at is not None:
            self.run_worker(self._hand_in(*at, text), exit_on_error=False, exclusive=True)

    async def _hand_in(self, profile: str, proxy: str, text: str) -> None:
        try:
            await self.tunnels.engine.paste(profile, proxy, text)
        except TunnelError as error:
            self.problem = told(error)
        except Exception as error:  # the person should read it and try once more
            self.problem = f"that did not work: {reason(error)}"
        else:
            self.problem = ""
            self.answer.value = ""
        self.tunnels.poll()
        self.show_view(self.tunnels.view)

    def action_paste(self) -> None:
        if self.sign_in is not None:
            self.answer.focus()

    async def action_copy_url(self) -> None:
        if self.sign_in is not None and self.sign_in.url:
            await self.tunnels.copy(self.sign_in.url, "the whole address")
        else:
            self.tunnels.say("There is no address yet.", "warning")

    def action_open_browser(self) -> None:
        if self.sign_in is not None and self.sign_in.url:
            self.run_worker(self._open_browser(self.sign_in.url), exit_on_error=False, group="browser")
        else:
            self.tunnels.say("There is no address yet.", "warning")

    async def _open_browser(self, url: str) -> None:
        """Not as Textual does it: that would start a text browser on our own terminal, and wait for its end."""
        from tunnelui.auth.browser import open_browser

        profile, _ = self.signs_in_at or ("", "")
        note = await open_browser(url, program=self.tunnels.options.browser_program(profile))
        if note:
            copy = self.tunnels.key_name("copy.url")
            self.tunnels.say(f"{capital(in_screen_words(note))}. {copy} copies it.", "warning")
        else:
            self.tunnels.say("Asked for a browser window.")

    def ask_to_cancel(self, sign_in: SignInSnapshot, answered: Callable[[bool | None], None]) -> None:
        """Call *answered* with what the person says; with yes at once where nobody waits for *sign_in*."""
        if not sign_in.waiting:
            answered(True)
            return
        count = "1 route" if len(sign_in.waiting) == 1 else f"{len(sign_in.waiting)} routes"
        text = f"The connections of {count} that wait for it are closed."
        self._question = Question("Cancel the sign-in?", text, yes="Cancel it", no="Wait")
        self.app.push_screen(self._question, answered)

    def withdraw_question(self) -> None:
        """The sign-in is over: whether to cancel it needs no answer any more."""
        if self._question is not None and self._question.is_active:
            self._question.dismiss(False)
        self._question = None
