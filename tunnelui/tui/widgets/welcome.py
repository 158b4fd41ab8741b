"""What a new user sees: no routes yet, and how to get the first one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.cells import cell_len
from textual.strip import Strip
from textual.widget import Widget

from tunnelui.tui.lines.words import cut_middle, line, safe
from tunnelui.tui.widgets.line_view import to_strip

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual import events

    from tunnelui.tui.style.glyphs import Glyphs

__all__ = ["Welcome"]

_KEYS_FROM: Final = 4
"""The row of the first key."""
_ACTS: Final = ("screen.discover", "screen.add", "screen.import_routes", "app.help")


class Welcome(Widget):
    """A few lines in the middle of the screen; a click on a key or its words does it."""

    ALLOW_SELECT = False

    def __init__(
        self, glyphs: Glyphs, key_name: Callable[[str], str], config_path: str = "", *, id: str | None = None
    ) -> None:
        super().__init__(id=id)
        self.glyphs = glyphs
        self._key_name = key_name
        self._config_path = config_path

    def _rows(self, width: int) -> list[list[tuple[str, str]]]:
        add = self._key_name("route.add")
        keys = [
            (self._key_name("route.discover"), "load the routes that your proxy lets you use"),
            (add, "add one by hand: tcp+https://proxy.example/db.internal:5432"),
            (self._key_name("route.import"), "import a file: routes.toml, or Pomerium Desktop's export"),
            (self._key_name("app.help"), "all keys"),
        ]
        room = max(cell_len(words) for _, words in keys)
        rows: list[list[tuple[str, str]]] = [
            [("No routes yet.", "bold $ink")],
            [],
            [("A route opens a private service on a port of this machine.", "$muted")],
            [],
            *([(key, "bold $brand"), (f"  {words}{' ' * (room - cell_len(words))}", "$ink")] for key, words in keys),
        ]
        if self._config_path:
            path = cut_middle(safe(self._config_path, 4096), width - 12, self.glyphs.ellipsis)
            rows += [[], [("Config: ", "$muted"), (path, "$muted")]]
        return rows

    async def on_click(self, event: events.Click) -> None:
        index = event.y - self._top(len(self._rows(self.size.width))) - _KEYS_FROM
        if 0 <= index < len(_ACTS):
            await self.run_action(_ACTS[index])

    def _top(self, count: int) -> int:
        return max(0, (self.size.height - count) // 2)

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        rows = self._rows(width)
        index = y - self._top(len(rows))
        if not 0 <= index < len(rows):
            return Strip.blank(width, self.rich_style)
        room = max(0, (width - sum(cell_len(text) for text, _ in rows[index])) // 2)
        return to_strip(line(" " * room, *rows[index]), width, self.visual_style, self)
