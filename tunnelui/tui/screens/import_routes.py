"""The routes of a file, before they are saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tunnelui.config.exchange import merge
from tunnelui.config.route import DEFAULT_PROFILE
from tunnelui.tui.edits.proposals import of_merge
from tunnelui.tui.keys.bindings import REVIEW
from tunnelui.tui.screens.review import ReviewScreen

if TYPE_CHECKING:
    from textual.binding import BindingType
    from textual.widgets import Input

__all__ = ["ImportScreen"]


class ImportScreen(ReviewScreen):
    """Takes our own TOML and the export of Pomerium Desktop."""

    BINDINGS: ClassVar[list[BindingType]] = [*REVIEW]
    HELP_TITLE: ClassVar[str] = "Import"
    TITLE_WORDS: ClassVar[str] = "Import"
    LABEL: ClassVar[str] = "File"
    PLACEHOLDER: ClassVar[str] = "~/Downloads/pomerium.json or routes.toml, then enter"

    def __init__(self) -> None:
        super().__init__()
        self._path = ""

    @property
    def source(self) -> str:
        return self._path or "no file yet"

    def on_mount(self) -> None:
        self.where.focus()
        self.show_words(
            ("Which file? One that tunnelui routes export wrote, or the export of Pomerium Desktop (JSON).", "$ink"),
            ("You see what is in it before anything is saved.", "$muted"),
        )

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self._path = event.value.strip()
        self.action_again()

    async def load(self) -> None:
        routes, notes = await self.tunnels.routes_in(self._path)
        snapshot = self.tunnels.view.snapshot
        leads = {(tunnel.target, tunnel.proxy): tunnel.route for tunnel in reversed(snapshot.tunnels)}
        usual = next((one.proxy_url for one in snapshot.profiles if one.name == DEFAULT_PROFILE), "")
        found = merge([tunnel.route for tunnel in snapshot.tunnels], routes, leads=leads, proxy_url=usual)
        notes = (*notes, *found.notes, *(f"{route.name} is saved already" for route in found.known))
        if found.added:
            self.propose(of_merge(found, snapshot), notes)
        else:
            words = "All of its routes are saved already." if routes else "It has no routes."
            self.show_words(("Nothing to do.", "bold $ink"), (words, "$ink"), *((note, "$muted") for note in notes[:5]))

    def action_again(self) -> None:
        if self._path:
            self.begin_loading("Reading the file.")
