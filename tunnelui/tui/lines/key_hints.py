"""Keys that stand in a text with what they do. A click on one does it, so that a mouse is enough everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.style import Style

from tunnelui.tui.lines.words import line

if TYPE_CHECKING:
    from textual.content import Content

__all__ = ["clickable", "hints"]


def clickable(content: Content, action: str, start: int = 0, end: int | None = None) -> Content:
    """Return *content*; a click on it, or on the signs from *start* to *end*, does *action*, one of our own:
    ``screen.back``, ``app.help``.
    """
    return content.stylize(Style.from_meta({"@click": action}), start, end)


def hints(*keys: tuple[str, str, str]) -> Content:
    """Return a line of *keys*: the key as people read it, what it does, and the action."""
    parts = [clickable(line((key, "bold $brand"), (f" {words}", "$muted")), action) for key, words, action in keys]
    return line("  ").join(parts)
