"""The bottom line: the keys that work here, made from the bindings, each of which can be clicked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.binding import Binding
from textual.widget import Widget

from tunnelui.frozen import frozen
from tunnelui.tui.lines.words import line
from tunnelui.tui.widgets.line_view import to_strip

if TYPE_CHECKING:
    from textual import events
    from textual.binding import ActiveBinding
    from textual.screen import Screen
    from textual.strip import Strip

__all__ = ["KeyFooter"]

_FIRST_TO_STAY = ("app.help", "move.back")


@frozen
class _Item:
    """A key on the line, at the cells *x* to *end*."""

    key: str
    words: str
    active: ActiveBinding
    x: int = 0
    end: int = 0

    @property
    def size(self) -> int:
        return len(self.key) + 1 + len(self.words)

    @property
    def aside(self) -> bool:
        """Whether it stands on the right: the keys that work everywhere."""
        return (self.active.binding.id or "").startswith("app.")


class KeyFooter(Widget):
    """Keys in the order of the table; on a narrow line the last ones give way, but not help and the way back."""

    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._items: list[_Item] = []
        self._arranged_for = 0
        self._hovered: _Item | None = None

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._bindings_changed)

    def _bindings_changed(self, screen: Screen[object]) -> None:
        """Before it was drawn there is nothing to compare with: the first picture asks for the keys once."""
        if self._arranged_for and self.is_attached and screen is self.screen:
            items = self._arranged(self._arranged_for)
            if items != self._items:
                self._items, self._hovered = items, None
                self.refresh()

    def _arranged(self, width: int) -> list[_Item]:
        seen: set[str] = set()
        items: list[_Item] = []
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if binding.show and binding.action not in seen:
                seen.add(binding.action)
                items.append(_Item(self.app.get_key_display(binding), binding.description, active))
        order = {action_id: place for place, action_id in enumerate(self._order())}
        items.sort(key=lambda item: order.get(item.active.binding.id or "", -1))
        ranked = sorted(items, key=lambda item: (item.active.binding.id not in _FIRST_TO_STAY, item.aside))
        room = width - 2
        kept: set[int] = set()
        for item in ranked:
            if item.size <= room:
                kept.add(id(item))
                room -= item.size + 2
        left = [item for item in items if id(item) in kept and not item.aside]
        right = [item for item in items if id(item) in kept and item.aside]
        placed: list[_Item] = []
        x = 1
        for item in left:
            placed.append(_Item(item.key, item.words, item.active, x, x + item.size))
            x += item.size + 2
        x = width - 1 - sum(item.size + 2 for item in right) + 2
        for item in right:
            placed.append(_Item(item.key, item.words, item.active, x, x + item.size))
            x += item.size + 2
        return placed

    def _order(self) -> list[str]:
        """The ids of the screen's keys in its order, then the application's."""
        bindings = (*type(self.screen).BINDINGS, *type(self.app).BINDINGS)
        return [binding.id or "" for binding in bindings if isinstance(binding, Binding)]

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if width != self._arranged_for:
            self._items, self._arranged_for, self._hovered = self._arranged(width), width, None
        parts: list[tuple[str, str]] = []
        x = 0
        for item in self._items:
            parts.append((" " * (item.x - x), ""))
            enabled = item.active.enabled
            hovered = " on $bar" if item is self._hovered else ""
            parts.append((item.key, ("bold $brand" if enabled else "$off") + hovered))
            parts.append((f" {item.words}", ("$muted" if enabled else "$off") + hovered))
            x = item.end
        return to_strip(line(*parts), width, self.visual_style, self)

    def _item_at(self, x: int) -> _Item | None:
        return next((item for item in self._items if item.x <= x < item.end), None)

    async def on_click(self, event: events.Click) -> None:
        if item := self._item_at(event.x):
            await self.app.run_action(item.active.binding.action, item.active.node)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        self._hover(self._item_at(event.x))

    def on_leave(self) -> None:
        self._hover(None)

    def _hover(self, item: _Item | None) -> None:
        if item is not self._hovered:
            self._hovered = item
            self.refresh()
