"""Signs and scroll bars, at the start and when they change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.scrollbar import ScrollBar, ScrollBarRender

from tunnelui.tui.style.glyphs import ASCII, CONSOLE

if TYPE_CHECKING:
    from tunnelui.tui.host import Host
    from tunnelui.tui.style.glyphs import Glyphs

__all__ = ["begin_with", "draw_with"]


def begin_with(app: Host, glyphs: Glyphs) -> None:
    """Let *app* draw with *glyphs*, and with scroll bars and frames that go with them."""
    app.glyphs = glyphs
    ScrollBar.renderer = ScrollBarRender
    if glyphs.bars or app.no_color:
        from tunnelui.tui.style.plain_bar import bar_of

        ScrollBar.renderer = bar_of(glyphs.bars or ASCII.bars)
    app.set_class(glyphs is ASCII, "-ascii")
    app.set_class(glyphs is CONSOLE, "-console")


def draw_with(app: Host, glyphs: Glyphs) -> None:
    """Draw everything with *glyphs* from now on."""
    begin_with(app, glyphs)
    for screen in app.screen_stack:
        for widget in (screen, *screen.query("*")):
            for name in ("glyphs", "_glyphs"):
                if name in vars(widget):
                    setattr(widget, name, glyphs)
        screen.refresh(layout=True)
        for widget in screen.query("*"):
            widget.refresh()
            if widget.show_vertical_scrollbar:
                widget.vertical_scrollbar.refresh()
    app.show_again()
