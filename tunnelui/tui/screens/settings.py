"""Settings: what is in force and from where; what can be changed here; the file for the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tunnelui.tui.keys.bindings import SETTINGS
from tunnelui.tui.lines.key_hints import hints
from tunnelui.tui.lines.words import cut_middle, line, safe, wrap
from tunnelui.tui.screens.base import TunnelScreen
from tunnelui.tui.widgets.key_footer import KeyFooter
from tunnelui.tui.widgets.line_view import LineView
from tunnelui.tui.widgets.rules import Rule
from tunnelui.tui.widgets.setting_list import SettingList

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from tunnelui.tui.view import View
    from tunnelui.tui.widgets.row_list import RowList

__all__ = ["SettingsScreen"]


class SettingsScreen(TunnelScreen[None]):
    """Nothing is written here: the file is the user's."""

    HELP_TITLE: ClassVar[str] = "Settings"
    BINDINGS: ClassVar[list[BindingType]] = [*SETTINGS]

    def compose(self) -> ComposeResult:
        glyphs = self.tunnels.glyphs
        yield LineView(id="top")
        yield Rule(glyphs)
        yield SettingList(glyphs, id="settings")
        yield Rule(glyphs)
        yield LineView(id="about")
        yield Rule(glyphs)
        yield KeyFooter()

    def on_mount(self) -> None:
        self.rows.focus()
        self.show_view(self.tunnels.view)

    @property
    def rows(self) -> SettingList:
        return self.query_one(SettingList)

    def on_resize(self) -> None:
        self.call_after_refresh(self.show_view, self.tunnels.view)

    def show_view(self, view: View) -> None:
        self.rows.show(self.tunnels.options.rows())
        self._show_selected()

    def on_row_list_moved(self) -> None:
        self._show_selected()

    def on_row_list_opened(self, event: RowList.Opened) -> None:
        self.action_change()

    def _show_selected(self) -> None:
        glyphs, width = self.tunnels.glyphs, self.size.width
        path = str(self.tunnels.options.config_file or "")
        left = line((f" {glyphs.back} ", "$brand"), ("Settings", "bold $ink"))
        shown = cut_middle(safe(path, 4096), max(8, width - left.cell_length - 4), glyphs.ellipsis)
        space = " " * max(1, width - left.cell_length - line(shown).cell_length - 1)
        self.query_one("#top", LineView).show(left + line(space, (shown, "$muted"), limit=4096))
        row, problem = self.rows.selected, self.tunnels.options.problem
        if problem:
            rows = [line("  ", (each, "$denied")) for each in wrap(safe(problem, 2000), width - 4, 5)]
            key = self.tunnels.key_name("app.edit_config")
            rows.append(line("  ") + hints((key, "opens the file again", "app.edit_config")))
        elif row is None:
            rows = []
        else:
            rows = [line("  ", (each, "$ink")) for each in wrap(safe(row.value, 1000), width - 4, 3)]
            rows += [line("  ", (each, "$muted")) for each in wrap(row.meaning, width - 4, 2)]
            if row.action:
                key = self.tunnels.key_name("settings.change")
                rows.append(line("  ") + hints((key, "changes it", "screen.change")))
        self.query_one("#about", LineView).show(*rows)

    # Actions.

    def action_change(self) -> None:
        row = self.rows.selected
        if row is None or not row.action:
            key = self.tunnels.key_name("app.edit_config")
            self.tunnels.say(f"That is set in config.toml or by the system; {key} opens the file.", "warning")
        else:
            self.tunnels.options.change(row.action)
            self.show_view(self.tunnels.view)

    async def action_copy_value(self) -> None:
        if self.rows.selected is not None:
            await self.tunnels.copy(self.rows.selected.value, self.rows.selected.label.lower())

    def action_back(self) -> None:
        self.dismiss()
