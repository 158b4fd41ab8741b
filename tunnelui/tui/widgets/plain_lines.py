"""Widgets that draw line by line, with nothing around: a line that has not changed costs next to nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from textual.strip import Strip
from textual.widget import Widget

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self, TypeAlias

    from textual.geometry import Region

    _Key: TypeAlias = int | str

__all__ = ["PlainLines"]

_MOST: Final = 500
"""Lines that are kept, at most: what a long list leaves behind as it scrolls is made anew some time."""


class PlainLines(Widget):
    """The base; a subclass makes its lines in `render_line`, with `kept`.

    Textual keeps lines by their place, so that all of a list is made anew when it scrolls; for each line it looks for
    borders, padding and the like, which takes as long as the line itself; and it asks for all that lies between two
    changes on the screen. Here a line is made once, then looked up, with what the compositor has made of it.
    """

    def __init__(
        self,
        *children: Widget,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
        disabled: bool = False,
    ) -> None:
        super().__init__(*children, name=name, id=id, classes=classes, disabled=disabled)
        self._kept: dict[_Key, Strip] = {}
        self._kept_for: tuple[object, ...] = ()

    def kept(self, key: _Key, make: Callable[[], Strip]) -> Strip:
        """Return the line *key*: as it was made last, unless it was forgotten, or size or colours are others now."""
        strip = self._kept.get(key)
        if strip is None:
            if len(self._kept) >= _MOST:
                self._kept = {}
            strip = self._kept[key] = make()
        return strip

    def blank(self) -> Strip:
        """Return a line where nothing stands."""
        return self.kept("", lambda: Strip.blank(self.size.width, self.rich_style))

    def forget(self, key: _Key) -> None:
        """Have the line *key* made anew when it is drawn next."""
        self._kept.pop(key, None)

    def forget_all(self) -> None:
        """Have every line made anew."""
        self._kept = {}

    def forget_unless(self, wanted: Callable[[_Key], bool]) -> None:
        """Forget the lines whose keys are not *wanted*."""
        self._kept = {key: strip for key, strip in self._kept.items() if wanted(key)}

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """Repaint the *regions*, with lines that are kept; without any region all lines are made anew."""
        if not regions:
            self.forget_all()
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def render_lines(self, crop: Region) -> list[Strip]:
        look = (self.size.width, self.visual_style, self.app.theme)
        if look != self._kept_for:
            self._kept, self._kept_for = {}, look
        if self._needs_more:
            return super().render_lines(crop)
        filters, background = self.get_line_filters(), self.background_colors[1]
        strips = [self.render_line(y) for y in crop.line_range]
        for one in filters:
            strips = [strip.apply_filter(one, background) for strip in strips]
        if crop.column_span != (0, self.size.width):
            strips = [strip.crop(*crop.column_span) for strip in strips]
        return strips

    @property
    def _needs_more(self) -> bool:
        """Whether Textual has to draw: something around the lines or over them, or a link that the mouse is on."""
        styles = self.styles
        if styles.gutter or styles.tint.a or styles.text_opacity != 1.0 or self.opacity != 1.0:
            return True
        return bool(self.highlight_link_id) or any(kind for kind, _ in styles.outline)
