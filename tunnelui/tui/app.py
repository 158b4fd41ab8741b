"""The application: owns the theme, the timer, the way to the engine, and what several screens can ask for.

Screens other than the first one are imported when they are asked for: the first picture does not wait for them.
"""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.command import CommandPalette
from textual.events import InputEvent, Paste
from textual.screen import ModalScreen
from textual.widgets import Input

from tunnelui.engine.history import History
from tunnelui.errors import TunnelError
from tunnelui.tui.actions.leaving import Leaving
from tunnelui.tui.faults import Faults
from tunnelui.tui.feed import Feed, sign_in_news, trouble_news
from tunnelui.tui.happenings import Happenings
from tunnelui.tui.host import Host
from tunnelui.tui.keys.bindings import APP, TABLE
from tunnelui.tui.left_behind import let_lines_go, let_toasts_go
from tunnelui.tui.lines.steps import told
from tunnelui.tui.lines.words import reason, safe
from tunnelui.tui.looks import begin_with, draw_with
from tunnelui.tui.memory import Memory
from tunnelui.tui.reminders import reminders
from tunnelui.tui.screens.base import LAYOUT, TunnelScreen
from tunnelui.tui.screens.routes import RoutesScreen
from tunnelui.tui.style.glyphs import UNICODE, choose_glyphs
from tunnelui.tui.style.theme import DARK, THEMES, choose_theme, is_linux_console

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
    from typing import Any

    from textual.app import SystemCommand
    from textual.binding import BindingType
    from textual.command import Provider
    from textual.events import Event
    from textual.screen import Screen

    from tunnelui.config.route import Route
    from tunnelui.engine.interface import Engine
    from tunnelui.tui.fault_report import Fault
    from tunnelui.tui.feed import Severity
    from tunnelui.tui.host import RouteVerbs, SessionOptions
    from tunnelui.tui.memory import Remembered
    from tunnelui.tui.style.glyphs import Glyphs
    from tunnelui.tui.surroundings import Surroundings
    from tunnelui.tui.view import View

__all__ = ["TunnelApp"]

_REFRESH = 0.5
"""Seconds between two looks at the engine."""
_PLAIN_KEYS = {"↑": "up", "↓": "down", "←": "left", "→": "right"}
"""How keys are called where their signs can't be drawn."""


def _screen_commands() -> type[Provider]:
    from tunnelui.tui.palette import ScreenCommands

    return ScreenCommands


def _route_commands() -> type[Provider]:
    from tunnelui.tui.palette import RouteCommands

    return RouteCommands


class TunnelApp(Host):
    """The screens on *engine*. Quitting leaves the engine alone: who made it closes it.

    :param config_path: shown to new users; *log_path* beside the log.
    :param theme_name: one of `tunnelui.tui.style.theme.THEMES`; without one, its `choose_theme` decides.
    :param ascii_only: no Unicode signs; without it ``TUNNELUI_ASCII``, the locale and the terminal decide.
    :param keymap: binding ids to keys, as `textual.app.App.set_keymap` takes them.
    :param memory: what was remembered of earlier runs, and is kept for the next; without it nothing is.
    :param surroundings: tells where tunnelui lives, for the settings.
    :param outlives: the engine goes on when the screen ends, so quitting asks nothing.
    :param now: Unix time, to show; *monotonic*, to measure.
    """

    CSS_PATH = "tunnelui.tcss"
    TITLE = "tunnelui"
    BINDINGS: ClassVar[list[BindingType]] = [*APP]
    COMMAND_PALETTE_BINDING = "ctrl+p"
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {_screen_commands, _route_commands}

    def __init__(
        self,
        engine: Engine,
        *,
        config_path: str = "",
        log_path: str = "",
        theme_name: str | None = None,
        ascii_only: bool | None = None,
        keymap: Mapping[str, str] | None = None,
        outlives: bool = False,
        memory: Memory | None = None,
        surroundings: Callable[[], Surroundings] | None = None,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        let_lines_go()
        memory = memory or Memory()
        # Before Textual takes NO_COLOR out of the environment; only the terminal's own colours can be left out.
        theme_name = theme_name or choose_theme(os.environ, remembered=memory.now.theme)
        super().__init__(ansi_color=True if os.environ.get("NO_COLOR") and theme_name == "ansi" else None)
        self.engine = engine
        self.config_path = config_path
        self.log_path = log_path
        self.events = History()
        self.memory = memory
        self._feed = Feed(engine, now=now, monotonic=monotonic)
        self._reminded: set[tuple[str, str, float]] = set()
        self._surroundings = surroundings
        self._faults = Faults(self)
        self._happenings = Happenings(self)
        self._leaving = Leaving(self, outlives=outlives, monotonic=monotonic)
        for theme in THEMES.values():
            self.register_theme(theme)
        self.theme = self._first_theme = THEMES[theme_name].name
        self.stylesheet.set_variables(self.get_css_variables())
        begin_with(self, choose_glyphs(ascii_only))
        if keymap:
            self.set_keymap(dict(keymap))

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return DARK.variables

    def refresh_css(self, animate: bool = True) -> None:
        """Read all style sheets again, but not at the start: they have just been read with the colours of the theme."""
        first, self._first_theme = self._first_theme, ""
        if first != self.theme:
            super().refresh_css(animate)

    def get_default_screen(self) -> Screen[None]:
        return RoutesScreen()

    def on_mount(self) -> None:
        self._faults.begun = True
        self.call_after_refresh(self.read_layout)
        self.poll()
        self.set_interval(_REFRESH, self.poll)
        self.run_worker(self._happenings.follow(), exit_on_error=False, name="events")

    def read_layout(self) -> None:
        # Textual would read everything again when another screen is shown; and after `Stylesheet.read` it would go on
        # with its old table of rules for once.
        if not self.stylesheet.has_source(str(LAYOUT), ""):
            self.stylesheet.add_source(LAYOUT.read_text(encoding="utf-8"), (str(LAYOUT), ""))

    async def on_event(self, event: Event) -> None:
        if isinstance(event, (InputEvent, Paste)):
            self.read_layout()  # a key that comes right after the first picture may open what is laid out there
        await super().on_event(event)

    @cached_property
    def verbs(self) -> RouteVerbs:
        from tunnelui.tui.actions.verbs import Verbs

        return Verbs(self)

    @cached_property
    def options(self) -> SessionOptions:
        from tunnelui.tui.actions.options import Options
        from tunnelui.tui.surroundings import Surroundings

        return Options(self, self._surroundings() if self._surroundings else Surroundings())

    # The engine.

    @property
    def view(self) -> View:
        """The state that the screens show."""
        return self._feed.view

    def poll(self) -> None:
        """Look at the engine, and tell the screens if there is something new."""
        self._happenings.tell()
        before, trouble = self.view.snapshot, self.view.trouble
        if not self._feed.poll():
            return
        self.show_again()
        if trouble != self.view.trouble:
            self.say(*trouble_news(self.view.trouble), about="engine")
        shows_sign_in = any(getattr(one, "SHOWS_SIGN_IN", False) for one in self.screen_stack)
        if before is not self.view.snapshot and not shows_sign_in:
            for news in sign_in_news(before, self.view.snapshot, self.key_name("access.sign_in")):
                self.say(news.words, news.severity, about=news.about)
        if not self._is_busy:
            for news in reminders(self.view, self._reminded, self.key_name("access.sign_in")):
                self.say(news.words, news.severity)

    @property
    def _is_busy(self) -> bool:
        """Whether the person types or answers a question: a reminder waits until they are done."""
        return isinstance(self.focused, Input) or isinstance(self.screen, ModalScreen)

    def show_again(self) -> None:
        """Tell the screens the present state, though the engine has nothing new."""
        for screen in self.screen_stack:
            if isinstance(screen, TunnelScreen) and screen.is_mounted:
                try:
                    screen.show_view(self.view)
                except Exception as error:  # one screen's fault is not the others'
                    self.tell_fault(error)

    # Faults of our own.

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What went wrong in the application itself so far."""
        return tuple(self._faults.told)

    def tell_fault(self, error: BaseException) -> None:
        """Show what went wrong, and go on."""
        self._faults.tell(error)

    def _handle_exception(self, error: Exception) -> None:
        """Textual would end here with a traceback; that is left for what can't be shown any more."""
        if not self._faults.tell(error):
            super()._handle_exception(error)

    def carry_out(self, request: Coroutine[Any, Any, None], done: str = "", *, about: str = "") -> None:
        """Run a *request* to the engine in the background; say *done* when it is carried out, or why it was not."""
        self.run_worker(self._carried_out(request, done, about), exit_on_error=False, group="requests")

    async def _carried_out(self, request: Coroutine[Any, Any, None], done: str, about: str) -> None:
        try:
            await request
        except TunnelError as error:
            self.say(told(error), "error", about=about)
        except Exception as error:  # whatever it is: the person reads it, and the application goes on
            self.log.error(error)
            self.say(f"That did not work: {reason(error)}", "error", about=about)
        else:
            if done:
                self.say(done, about=about)
        self.poll()

    # What screens ask for.

    def remember(self, new: Remembered) -> None:
        """Keep *new* for the next run as well."""
        if self.memory.change(new):
            self.run_worker(self._save_memory, thread=True, exit_on_error=False, group="memory")

    def _save_memory(self) -> None:
        if trouble := self.memory.save():
            words = f"{trouble}. What you chose lasts until you quit."
            self.call_from_thread(self.say, words, "warning", about="memory")

    def say(self, words: str, severity: Severity = "information", *, about: str = "") -> None:
        """Show a toast, in the place of one that says the same, or that was *about* the same matter."""
        self.read_layout()
        self.show_toast(safe(words, 500), severity, about)

    @contextmanager
    def suspend(self) -> Iterator[None]:
        """Lend the terminal, and take it back whatever happens meanwhile: Textual leaves it as it is after an error."""
        failed: BaseException | None = None
        with super().suspend():
            try:
                yield
            except BaseException as error:
                failed = error
        if failed is not None:
            raise failed

    def _refresh_notifications(self) -> None:
        if self.screen_stack:
            let_toasts_go(self.screen, self._notifications)
        super()._refresh_notifications()

    def get_key_display(self, binding: Binding) -> str:
        display = super().get_key_display(binding)
        return display if self.glyphs is UNICODE else "".join(_PLAIN_KEYS.get(sign, sign) for sign in display)

    def key_name(self, binding_id: str) -> str:
        """Return the key of a binding as people read it, changed by a keymap or not."""
        binding = TABLE.get(binding_id)
        if binding is None:
            return ""
        if moved := self._keymap.get(binding_id):
            return self.get_key_display(Binding(moved.partition(",")[0], ""))
        return self.get_key_display(Binding(binding.key.partition(",")[0], "", key_display=binding.key_display))

    async def routes_in(self, path: str) -> tuple[tuple[Route, ...], tuple[str, ...]]:
        """Return the routes of a file to import, and notes on what can't be taken over."""
        from tunnelui.config.exchange import read_route_file

        return await asyncio.to_thread(read_route_file, path)

    async def copy(self, text: str, what: str) -> None:
        """Copy *text* and say so; *what* names it."""
        from tunnelui.tui.outside.clipboard import copy_natively

        lines = text.count("\n")
        shown = f", {lines} lines." if lines > 1 else f": {safe(text, 120)}"
        if await copy_natively(text):
            self.say(f"Copied {what}{shown}", about="copy")
        elif is_linux_console(os.environ):
            self.say(f"The Linux console has no clipboard. This is {what}{shown}", "warning", about="copy")
        else:
            self.copy_to_clipboard(text)
            self.say(f"Copied {what} by the terminal{shown}", about="copy")

    def use_glyphs(self, glyphs: Glyphs) -> None:
        """Draw with *glyphs* from now on."""
        draw_with(self, glyphs)

    # Keys of the application.

    def action_settings(self) -> None:
        """Show the settings, if they are not shown already."""
        from tunnelui.tui.screens.settings import SettingsScreen

        if not isinstance(self.screen, SettingsScreen):
            self.push_screen(SettingsScreen())

    def action_proxy_mode(self) -> None:
        from tunnelui.tui.actions.proxy_mode import ProxySwitch

        ProxySwitch(self).toggle()

    def action_other_commands(self) -> None:
        """Show the tunnels of other commands, if they are not shown already."""
        from tunnelui.tui.screens.programs import OtherCommands

        if not isinstance(self.screen, OtherCommands):
            self.push_screen(OtherCommands())

    def action_edit_config(self) -> None:
        self.carry_out(self.options.edit())

    def action_help(self) -> None:
        from tunnelui.tui.screens.help import HelpScreen, entries_of

        if not isinstance(self.screen, HelpScreen):
            title = self.screen.HELP_TITLE if isinstance(self.screen, TunnelScreen) else ""
            self.push_screen(HelpScreen(title, entries_of(self.screen)))

    def action_ask_quit(self) -> None:
        self._leaving.ask()

    def action_help_quit(self) -> None:
        """Ctrl+C: a second one within two seconds quits."""
        self._leaving.interrupt()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        from tunnelui.tui.palette import commands_of

        return commands_of(self, screen)

    def action_command_palette(self) -> None:
        self.read_layout()
        if not isinstance(self.screen, CommandPalette):
            self.push_screen(CommandPalette(placeholder="a command or a route", id="--command-palette"))

    def action_choose_theme(self) -> None:
        from tunnelui.tui.screens.theme_choice import ThemeChoice

        def chosen(name: str | None) -> None:
            if name is not None:
                self.remember(replace(self.memory.now, theme=name))

        self.push_screen(ThemeChoice(), chosen)
