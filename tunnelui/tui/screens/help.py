"""The keys of the screen below, made from its live bindings, in groups, narrowed by typing."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from textual.binding import Binding
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Input

from tunnelui.engine.model import State
from tunnelui.frozen import frozen
from tunnelui.tui.keys.bindings import BACK, GROUPS, TABLE
from tunnelui.tui.lines.key_hints import clickable, hints
from tunnelui.tui.lines.words import line, pad
from tunnelui.tui.screens.base import TunnelScreen
from tunnelui.tui.style.glyphs import COLOURS
from tunnelui.tui.widgets.field import Field
from tunnelui.tui.widgets.line_view import LineView
from tunnelui.tui.widgets.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.app import ComposeResult
    from textual.binding import ActiveBinding, BindingType
    from textual.content import Content
    from textual.screen import Screen

__all__ = ["HelpScreen", "KeyEntry", "entries_of"]

_COLUMN = 26
_KEYS = 5
_LEGEND = (State.LIVE, State.READY, State.AUTH, State.RETRY, State.PORT_BUSY, State.DENIED, State.OFF)
_LEGEND_WORDS = {State.AUTH: "sign-in", State.RETRY: "retrying", State.PORT_BUSY: "trouble"}


@frozen
class KeyEntry:
    """One action, or several with the same words: each key with what it is bound to, and what they do."""

    group: str
    bound: tuple[tuple[str, ActiveBinding], ...]
    words: str

    @property
    def keys(self) -> str:
        return " ".join(key for key, _ in self.bound)


def entries_of(screen: Screen[object]) -> list[KeyEntry]:
    """Return what the keys of *screen* do now, every action once, in the order of its bindings."""
    order = {id: place for place, id in enumerate(TABLE)}
    found = [active for active in screen.active_bindings.values() if "." in (active.binding.id or "")]
    found.sort(key=lambda active: order.get(active.binding.id or "", len(order)))  # Textual's own keys have no id
    keys: dict[tuple[str, str], dict[str, ActiveBinding]] = defaultdict(dict)
    shared: dict[str, str | None] = {}
    for active in found:
        binding = active.binding
        group = (binding.id or "").partition(".")[0]
        display = screen.app.get_key_display(binding)
        if binding.key_display and binding.id != shared.setdefault(display, binding.id):
            continue  # several keys under one name, "1-4"
        if binding.key_display and any(binding.key_display in shown for shown in keys.values()):
            display = screen.app.get_key_display(Binding(binding.key, ""))  # the second key of the same action
        keys[group, binding.tooltip or binding.description].setdefault(display, active)
    return [
        KeyEntry(group, tuple(sorted(shown.items(), key=lambda one: (len(one[0]) > 1, not one[0].isascii()))), words)
        for (group, words), shown in keys.items()
    ]


class HelpScreen(TunnelScreen[None]):
    """Over another screen; any text typed narrows the list. A click on a key or its words does what it does there; so
    does enter when there is one line left.
    """

    BINDINGS: ClassVar[list[BindingType]] = [BACK, Binding("question_mark", "back", show=False)]

    def __init__(self, title: str, entries: Iterable[KeyEntry]) -> None:
        super().__init__()
        self._title_words = title
        self._entries = list(entries)
        self._acts = [active for entry in self._entries for _, active in entry.bound]
        self._only: KeyEntry | None = None

    def compose(self) -> ComposeResult:
        glyphs = self.tunnels.glyphs
        top = LineView(id="help-title")
        top.show(line((f" {glyphs.back} ", "$brand"), ("Keys", "bold $ink"), "  ", (self._title_words, "$ink")))
        with Horizontal(id="search-row"):
            yield top
            yield Field(placeholder="type to search", compact=True, id="search", max_length=40)
        yield Rule(glyphs)
        with VerticalScroll(id="help", can_focus=False):
            yield LineView(id="keys")
        yield LineView(id="legend")
        yield Rule(glyphs)
        yield LineView(id="foot")

    def on_mount(self) -> None:
        self.query_one(Input).focus()
        parts: list[tuple[str, str]] = []
        for state in _LEGEND:
            words = _LEGEND_WORDS.get(state, state.value)
            parts += [(self.tunnels.glyphs.state(state), f"${COLOURS[state]}"), (f" {words}  ", "$muted")]
        self.query_one("#legend", LineView).show(line("  ", *parts))

    def on_resize(self) -> None:
        self.call_after_refresh(self._show)

    def on_input_changed(self) -> None:
        self._show()

    def action_back(self) -> None:
        field = self.query_one(Input)
        if field.value:
            field.value = ""
        else:
            self.dismiss()

    def on_input_submitted(self) -> None:
        if self._only:
            self.action_do(self._acts.index(self._only.bound[0][1]))

    def action_do(self, number: int) -> None:
        """Go back, and do what the key with this number does there."""
        act = self._acts[number]
        self.dismiss()
        self.app.call_later(self.app.run_action, act.binding.action, act.node)

    def _show(self) -> None:
        words = self.query_one(Input).value.casefold().split()
        found = [
            entry
            for entry in self._entries
            if all(
                word in f"{GROUPS.get(entry.group, entry.group)} {entry.keys} {entry.words}".casefold()
                for word in words
            )
        ]
        self._only = found[0] if len(found) == 1 and words else None
        enter = [("enter", "do it", f"screen.do({self._acts.index(self._only.bound[0][1])})")] if self._only else []
        self.query_one("#foot", LineView).show(line(" ") + hints(*enter, ("esc", "close", "screen.back")))
        groups = [(title, [entry for entry in found if entry.group == id]) for id, title in GROUPS.items()]
        groups = [(title, entries) for title, entries in groups if entries]
        rows = self._beside(groups) if groups else [line("  ", ("No key does that here.", "$muted"))]
        self.query_one("#keys", LineView).show(*rows)

    def _beside(self, groups: list[tuple[str, list[KeyEntry]]]) -> list[Content]:
        """Put the groups into as many columns as there is room for, each group whole, the columns about even."""
        count = max(1, min(self.size.width // _COLUMN, 4, len(groups)))
        share = sum(len(entries) + 2 for _, entries in groups) / count
        columns: list[list[tuple[str, list[KeyEntry]]]] = [[]]
        filled = 0
        for group in groups:
            size = len(group[1]) + 2
            if len(columns) < count and filled and filled + size / 2 > share:
                columns.append([])
                filled = 0
            columns[-1].append(group)
            filled += size
        sizes = [_Sizes.of(column) for column in columns]
        spare = max(0, self.size.width - sum(size.whole for size in sizes) - 2) // len(sizes)
        blocks = [self._column_lines(column, size, min(spare, 8)) for column, size in zip(columns, sizes, strict=True)]
        height = max(len(rows) for rows in blocks)
        return [
            line("").join([rows[index] if index < len(rows) else line(" " * rows[0].cell_length) for rows in blocks])
            for index in range(height)
        ]

    def _column_lines(self, groups: list[tuple[str, list[KeyEntry]]], sizes: _Sizes, spare: int) -> list[Content]:
        rows: list[Content] = []
        for title, entries in groups:
            rows.append(line("  ", (pad(title, sizes.whole - 2 + spare), "bold $ink")))
            for entry in entries:
                does = [f"screen.do({self._acts.index(active)})" for _, active in entry.bound]
                keys = [
                    clickable(line((key, "bold $brand")), act) for (key, _), act in zip(entry.bound, does, strict=True)
                ]
                gap = " " * (sizes.keys - cell_len(entry.keys) + 2)
                words = line((entry.words, "$muted"))
                rest = " " * (sizes.words + 1 + spare - words.cell_length)
                rows.append(line("  ") + line(" ").join(keys) + line(gap) + clickable(words, does[0]) + line(rest))
            rows.append(line(" " * (sizes.whole + spare)))
        return rows[:-1]


@frozen
class _Sizes:
    """Cells of one column of the help."""

    keys: int
    words: int

    @classmethod
    def of(cls, groups: list[tuple[str, list[KeyEntry]]]) -> _Sizes:
        entries = [entry for _, entries in groups for entry in entries]
        return cls(
            max(_KEYS, *(cell_len(entry.keys) for entry in entries)), max(cell_len(entry.words) for entry in entries)
        )

    @property
    def whole(self) -> int:
        return 2 + self.keys + 2 + self.words + 1
