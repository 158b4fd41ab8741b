"""Choosing a theme: the screen behind shows each one as the cursor comes to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.containers import Vertical

from tunnelui.tui.keys.bindings import CHOICE
from tunnelui.tui.lines.connect_as import Way
from tunnelui.tui.lines.key_hints import hints
from tunnelui.tui.lines.words import line
from tunnelui.tui.screens.base import Dialog
from tunnelui.tui.style.theme import ABOUT, THEMES
from tunnelui.tui.widgets.choice_list import ChoiceList
from tunnelui.tui.widgets.line_view import LineView

if TYPE_CHECKING:
    from textual import events
    from textual.app import ComposeResult
    from textual.binding import BindingType

__all__ = ["ThemeChoice"]

_WAYS = [Way(str(number), name, ABOUT[name]) for number, name in enumerate(THEMES, 1)]


class ThemeChoice(Dialog[str]):
    """Ends with the name of the theme, or with nothing and the theme of before."""

    BINDINGS: ClassVar[list[BindingType]] = [*CHOICE]

    def compose(self) -> ComposeResult:
        self._before = self.app.theme
        title, foot = LineView(classes="title"), LineView(classes="foot")
        with Vertical(id="box"):
            yield title
            yield ChoiceList(self.tunnels.glyphs, _WAYS, id="ways")
            yield foot
        title.show(line(("Theme", "bold $ink")), line(""))
        foot.show(
            line(""),
            hints(("enter", "keep", "screen.choose"), ("esc", "as before", "screen.close")),
        )

    def on_mount(self) -> None:
        ways = self.query_one(ChoiceList)
        ways.focus()
        names = [theme.name for theme in THEMES.values()]
        if self._before in names:
            ways.move_cursor(names.index(self._before))

    def on_key(self, event: events.Key) -> None:
        for index, way in enumerate(_WAYS):
            if event.character == way.key:
                event.stop()
                self._take(index)
                return

    def on_row_list_moved(self, event: ChoiceList.Moved) -> None:
        self.app.theme = THEMES[_WAYS[event.rows.cursor].title].name

    def on_choice_list_chosen(self, event: ChoiceList.Chosen) -> None:
        self._take(event.index)

    def action_choose(self) -> None:
        self._take(self.query_one(ChoiceList).cursor)

    def _take(self, index: int) -> None:
        self.app.theme = THEMES[_WAYS[index].title].name
        self.dismiss(_WAYS[index].title)

    def action_close(self) -> None:
        self.app.theme = self._before
        self.dismiss()
