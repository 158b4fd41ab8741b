"""Two quiet themes, dark and light, and the names of colours that lines may use.

A state has a colour of its own, always beside a glyph and a word. Text colours keep a contrast of at least 4.5 to 1
against the background (WCAG AA); ``faint`` and ``rule`` are for ornament only.
"""

from __future__ import annotations

from typing import Final

from textual.theme import Theme

__all__ = ["DARK", "LIGHT"]


def _theme(name: str, *, dark: bool, ground: str, raised: str, panel: str, **colours: str) -> Theme:
    return Theme(
        name=name,
        dark=dark,
        primary=colours["brand"],
        secondary=colours["ready"],
        accent=colours["brand"],
        success=colours["live"],
        warning=colours["auth"],
        error=colours["denied"],
        foreground=colours["ink"],
        background=ground,
        surface=raised,
        panel=panel,
        variables={
            **colours,
            "ground": ground,
            "raised": raised,
            "scrollbar": colours["rule"],
            "scrollbar-hover": colours["faint"],
            "scrollbar-active": colours["muted"],
            "scrollbar-background": ground,
            "scrollbar-background-hover": ground,
            "scrollbar-background-active": ground,
            "input-cursor-background": colours["brand"],
            "input-cursor-foreground": ground,
            "input-selection-background": colours["brand"] + " 35%",
        },
    )


DARK: Final = _theme(
    "tunnelui-dark",
    dark=True,
    ground="#131519",
    raised="#191c21",
    panel="#20242a",
    ink="#d7dde5",
    muted="#919cab",
    faint="#566070",
    rule="#2f3339",
    bar="#272c33",
    brand="#8cb8dc",
    live="#82c99b",
    ready="#73b7bd",
    auth="#d9b870",
    retry="#dba669",
    trouble="#e39a72",
    denied="#e5868d",
    off="#8a94a4",
)

LIGHT: Final = _theme(
    "tunnelui-light",
    dark=False,
    ground="#fbfaf7",
    raised="#f2f1ee",
    panel="#eae9e6",
    ink="#20262d",
    muted="#59636f",
    faint="#a3a9b1",
    rule="#d8d7d0",
    bar="#e6e8ea",
    brand="#275d8a",
    live="#27713f",
    ready="#1c6c72",
    auth="#7f5a00",
    retry="#8d4f08",
    trouble="#9c4216",
    denied="#ac2c38",
    off="#5f6873",
)
