"""What screens and verbs may ask of the application they are in.

The application imports the screens; they import this, and so never the application. `tunnelui.tui.app` fills it.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Protocol

from tunnelui.tui.guard import Guarded
from tunnelui.tui.keys.key_turns import KeysInTurn
from tunnelui.tui.style.glyphs import UNICODE
from tunnelui.tui.style.plain_signs import PlainSigns
from tunnelui.tui.toasts import Toasts

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence
    from pathlib import Path
    from typing import Any

    from textual.filter import LineFilter

    from tunnelui.config.route import Route
    from tunnelui.config.route_changes import RouteChange
    from tunnelui.engine.history import History
    from tunnelui.engine.interface import Engine
    from tunnelui.engine.model import ConnectionSnapshot, TunnelSnapshot
    from tunnelui.tui.feed import Severity
    from tunnelui.tui.memory import Memory, Remembered
    from tunnelui.tui.style.glyphs import Glyphs
    from tunnelui.tui.surroundings import SettingRow
    from tunnelui.tui.view import View

__all__ = ["Host", "RouteVerbs"]


class RouteVerbs(Protocol):
    """What can be done with a route. A verb that needs one and is given ``None`` says so."""

    async def copy_local(self, tunnel: TunnelSnapshot | None) -> None: ...

    def toggle(self, tunnel: TunnelSnapshot | None) -> None:
        """Start the tunnel, or stop it."""
        ...

    def restart(self, tunnel: TunnelSnapshot | None) -> None: ...

    def toggle_all(self, tunnels: Sequence[TunnelSnapshot]) -> None:
        """Start those that are off; where all are on, stop them."""
        ...

    def restart_all(self, tunnels: Sequence[TunnelSnapshot]) -> None: ...

    def stop_all(self) -> None:
        """Stop every tunnel; asks when connections are live."""
        ...

    def test(self, tunnel: TunnelSnapshot | None) -> None:
        """Open one tunnel of the route and close it, and show how that went."""
        ...

    def diagnose(self, tunnel: TunnelSnapshot | None) -> None:
        """Walk the way of one connection, and show where it ends."""
        ...

    def close_connection(self, tunnel: TunnelSnapshot | None, connection: ConnectionSnapshot | None) -> None:
        """Close one connection; asks while it is open."""
        ...

    def copy_as(self, tunnel: TunnelSnapshot | None) -> None:
        """Let the person choose a spelling of the local end, and copy it."""
        ...

    def open_with(self, tunnel: TunnelSnapshot | None, *, elsewhere: bool = False) -> None:
        """Start the tunnel if it is off, and run its client command on this terminal, or in a new one."""
        ...

    def clone(self, tunnel: TunnelSnapshot | None) -> None:
        """Show a form that has everything of the route but its name and local address."""
        ...

    def show_detail(self, tunnel: TunnelSnapshot) -> None: ...

    def show_log(self, route: str) -> None:
        """Show the log of the route with this name, or of all (empty)."""
        ...

    def add(self, beside: TunnelSnapshot | None) -> None:
        """Show an empty form; the new route starts with the profile of the one *beside* it."""
        ...

    def edit(self, tunnel: TunnelSnapshot | None) -> None: ...

    def retag(self, routes: Sequence[tuple[str, Route]]) -> None:
        """Put each route, with other tags, in the place of the one that has the name beside it."""
        ...

    def edited(self, old: Route, new: Route) -> None:
        """Remember that *old* has become *new*, for `undo`, and tell the screens if it is called otherwise."""
        ...

    def select(self, name: str | None) -> None:
        """Put the cursor of the list on the route *name*, if it is shown."""
        ...

    def renamed(self, old: str, new: str) -> None:
        """Tell the screens about the route *old* that it is called *new* now."""
        ...

    def delete(self, tunnel: TunnelSnapshot | None) -> None:
        """Ask, then remove the route; `undo` brings it back."""
        ...

    def delete_all(self, tunnels: Sequence[TunnelSnapshot]) -> None:
        """Ask, then remove the routes; `undo` brings them back."""
        ...

    async def change_routes(self, changes: Sequence[RouteChange], words: str) -> bool:
        """Make *changes*, which *words* sum up; `undo` takes them back. Says why not where that is so."""
        ...

    def undo(self) -> None:
        """Take back what was changed last."""
        ...

    def discover(self, tunnel: TunnelSnapshot | None) -> None:
        """Show what the proxy of the tunnel offers, or the first proxy that is known."""
        ...

    def import_routes(self) -> None:
        """Show what a file would add."""
        ...

    def sign_in_at(self, profile: str, proxy: str) -> None:
        """Show the sign-in of a profile at a proxy, and begin one if none is under way."""
        ...

    def sign_in(self, tunnel: TunnelSnapshot | None) -> None:
        """Show the sign-in of the tunnel's profile, and begin one if none is under way."""
        ...

    def show_profiles(self, tunnel: TunnelSnapshot | None) -> None:
        """Show all profiles and sign-ins, beginning with that of the tunnel."""
        ...


class SessionOptions(Protocol):
    """What can be changed until the application ends, and the file for the rest."""

    problem: str
    """What is wrong with ``config.toml`` since it was edited; or empty."""

    @property
    def config_file(self) -> Path | None: ...

    def rows(self) -> tuple[SettingRow, ...]:
        """Return everything that is in force."""
        ...

    def browser_program(self, profile: str) -> str | None:
        """Return the program that opens the addresses of *profile*; ``None`` leaves it to the system."""
        ...

    def change(self, action: str) -> None:
        """Let the person choose a ``theme``, go to the other ``signs`` until the application ends, or turn ``proxy``
        mode on or off."""
        ...

    async def edit(self) -> None:
        """Open ``config.toml`` in the user's editor, on this terminal.

        :raises tunnelui.errors.TunnelError: there is no editor, or the file can't be written.
        """
        ...


class Host(Guarded, KeysInTurn[None], Toasts[None]):
    """The application as screens see it.

    :ivar events: the newest events, oldest first.
    :ivar config_path: where the configuration is, to show; may be empty.
    :ivar log_path: the file that has tunnelui's own faults, to show; may be empty.
    """

    engine: Engine
    glyphs: Glyphs
    events: History
    config_path: str
    log_path: str
    memory: Memory

    @property
    @abstractmethod
    def verbs(self) -> RouteVerbs: ...

    @property
    @abstractmethod
    def options(self) -> SessionOptions: ...

    def on_mount(self) -> None:
        self.app_resume_signal.subscribe(self, self._draw_again)

    def _draw_again(self, _: object) -> None:
        """After ctrl+z and fg: the terminal has forgotten the picture, which Textual would leave so."""
        self.refresh(layout=True)

    def get_line_filters(self) -> Sequence[LineFilter]:
        filters = super().get_line_filters()
        return filters if self.glyphs is UNICODE else [*filters, PlainSigns(self.glyphs)]

    @property
    @abstractmethod
    def view(self) -> View:
        """The state that the screens show."""

    @abstractmethod
    def poll(self) -> None:
        """Look at the engine now, and tell the screens if there is something new."""

    @abstractmethod
    def carry_out(self, request: Coroutine[Any, Any, None], done: str = "", *, about: str = "") -> None:
        """Run a *request* to the engine in the background; say *done* when it is carried out, or why it was not.

        :param about: see `say`.
        """

    @abstractmethod
    def remember(self, new: Remembered) -> None:
        """Keep *new* for the next run as well."""

    @abstractmethod
    def read_layout(self) -> None:
        """Read the layout of what is not in the first picture, unless that was done."""

    @abstractmethod
    def say(self, words: str, severity: Severity = "information", *, about: str = "") -> None:
        """Show a toast, in the place of one that says the same, or that was *about* the same matter."""

    @abstractmethod
    def key_name(self, binding_id: str) -> str:
        """Return the key of a binding as people read it, changed by a keymap or not; empty for an unknown one."""

    @abstractmethod
    def use_glyphs(self, glyphs: Glyphs) -> None:
        """Draw with *glyphs* from now on."""

    @abstractmethod
    def action_proxy_mode(self) -> None:
        """Turn proxy mode on or off."""

    @abstractmethod
    def action_choose_theme(self) -> None:
        """Let the person choose a theme, which is seen at once."""

    @abstractmethod
    def action_settings(self) -> None:
        """Show the settings, if they are not shown already."""

    @abstractmethod
    def show_again(self) -> None:
        """Tell the screens the present state, though the engine has nothing new."""

    @abstractmethod
    async def routes_in(self, path: str) -> tuple[tuple[Route, ...], tuple[str, ...]]:
        """Return the routes of a file to import, and notes on what can't be taken over.

        :raises tunnelui.errors.ConfigError: it can't be read, or is no such file.
        """

    @abstractmethod
    async def copy(self, text: str, what: str) -> None:
        """Copy *text* and say so; *what* names it."""
