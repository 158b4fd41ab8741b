"""The themes, and the names of colours that lines may use.

A state has a colour of its own, always beside a glyph and a word. Every colour of words keeps a contrast of at least
4.5 to 1 against every ground that it stands on (WCAG AA; `contrast` 7 to 1): `tests/tui/test_theme.py` measures them.
``faint`` has 3 to 1 there and is for shapes: the bar of a list without the focus, a graph at rest. ``rule`` is for
ornament only. `tests/tui/test_accessible.py` measures what is drawn.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

from textual.theme import Theme

from tunnelui.errors import ConfigError
from tunnelui.text import clean

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ABOUT", "DARK", "LIGHT", "THEMES", "choose_theme", "find_theme", "is_linux_console", "is_plain_terminal"]

_CONSOLE: Final = ("linux", "screen.linux")
_PLAIN: Final = (*_CONSOLE, "vt", "ansi", "cons", "dumb")
"""How the names of terminals begin that have 16 colours and few signs."""


def _theme(name: str, *, dark: bool, ground: str, raised: str, panel: str, chosen: str, **colours: str) -> Theme:
    """*chosen* is the ground of what has the focus in a dialog, and of selected text."""
    return Theme(
        name=f"tunnelui-{name}",
        dark=dark,
        ansi=ground == "ansi_default",
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
            "ansi-background": ground,
            "ansi-foreground": colours["ink"],
            "border-blurred": colours["rule"],
            "ground": ground,
            "raised": raised,
            "panel": panel,
            "chosen": chosen,
            "scrollbar": colours["faint"],
            "scrollbar-hover": colours["muted"],
            "scrollbar-active": colours["brand"],
            "scrollbar-background": ground,
            "scrollbar-background-hover": ground,
            "scrollbar-background-active": ground,
            "input-cursor-background": colours["brand"],
            "input-cursor-foreground": "ansi_black" if ground == "ansi_default" else ground,
            "input-selection-background": chosen,
            "input-selection-foreground": colours["ink"],
            "block-cursor-background": chosen,
            "block-cursor-foreground": colours["ink"],
            "block-cursor-text-style": "bold",
            "block-hover-background": raised,
        },
    )


DARK: Final = _theme(
    "dark",
    dark=True,
    ground="#131519",
    raised="#191c21",
    panel="#20242a",
    chosen="#37475a",
    ink="#d7dde5",
    muted="#919cab",
    faint="#6c7686",
    rule="#2f3339",
    bar="#1d2e42",
    brand="#8cb8dc",
    live="#82c99b",
    ready="#73b7bd",
    auth="#d9b870",
    retry="#dba669",
    trouble="#e39a72",
    denied="#e5868d",
    off="#8f99a8",
)

LIGHT: Final = _theme(
    "light",
    dark=False,
    ground="#fbfaf7",
    raised="#f2f1ee",
    panel="#eae9e6",
    chosen="#b9cfe2",
    ink="#20262d",
    muted="#59636f",
    faint="#7c848e",
    rule="#d8d7d0",
    bar="#d9e9f7",
    brand="#275d8a",
    live="#246a3b",
    ready="#1a666c",
    auth="#775400",
    retry="#864a06",
    trouble="#963e13",
    denied="#a82934",
    off="#5b646f",
)

_DUSK: Final = _theme(
    "dusk",
    dark=True,
    ground="#1d2130",
    raised="#232838",
    panel="#2a3043",
    chosen="#445279",
    ink="#e3e6f2",
    muted="#a4aec7",
    faint="#7b85a4",
    rule="#3a415a",
    bar="#2f3a5c",
    brand="#a5b8f3",
    live="#9bd3a2",
    ready="#86cbd8",
    auth="#e8c888",
    retry="#ecb584",
    trouble="#f0ab8e",
    denied="#f3a0ac",
    off="#a4adc3",
)

_SAND: Final = _theme(
    "sand",
    dark=False,
    ground="#f6eedb",
    raised="#efe5cf",
    panel="#e8ddc4",
    chosen="#d3bf8d",
    ink="#2b241a",
    muted="#615642",
    faint="#85785c",
    rule="#d6c9ab",
    bar="#e9dab0",
    brand="#1f5673",
    live="#3d5d12",
    ready="#155f57",
    auth="#704a00",
    retry="#7c4306",
    trouble="#8a3a10",
    denied="#972330",
    off="#61573f",
)

_CONTRAST: Final = _theme(
    "contrast",
    dark=True,
    ground="#000000",
    raised="#000000",
    panel="#0a0a0a",
    chosen="#004a8f",
    ink="#ffffff",
    muted="#d6d6d6",
    faint="#9a9a9a",
    rule="#8a8a8a",
    bar="#00294f",
    brand="#7cc7ff",
    live="#5cf08a",
    ready="#5ce6f2",
    auth="#ffe14d",
    retry="#ffc04d",
    trouble="#ffa970",
    denied="#ff9d9d",
    off="#c8c8c8",
)

_ANSI: Final = _theme(
    "ansi",
    dark=True,
    ground="ansi_default",
    raised="ansi_default",
    panel="ansi_default",
    chosen="ansi_blue",
    ink="ansi_default",
    muted="ansi_default",
    faint="ansi_bright_black",
    rule="ansi_bright_black",
    bar="ansi_default",
    brand="ansi_cyan",
    live="ansi_green",
    ready="ansi_cyan",
    auth="ansi_yellow",
    retry="ansi_yellow",
    trouble="ansi_magenta",
    denied="ansi_red",
    off="ansi_default",
)

THEMES: Final[Mapping[str, Theme]] = {
    theme.name.removeprefix("tunnelui-"): theme for theme in (DARK, LIGHT, _DUSK, _SAND, _CONTRAST, _ANSI)
}
"""The themes by the names that people give."""

ABOUT: Final[Mapping[str, str]] = {
    "dark": "quiet colours on near black",
    "light": "quiet colours on near white",
    "dusk": "pastels on dark blue",
    "sand": "earth colours on paper",
    "contrast": "bright on black, at least 7 to 1",
    "ansi": "the terminal's own 16 colours",
}


def find_theme(name: str, place: str) -> Theme:
    """Return the theme *name*.

    :raises ConfigError: there is none; *place* says where the name was given.
    """
    theme = THEMES.get(name.strip().lower())
    if theme is None:
        near = difflib.get_close_matches(name.strip().lower(), THEMES, n=1)
        raise ConfigError(
            f"there is no theme “{clean(name, 40)}”" + (f"; did you mean “{near[0]}”?" if near else ""),
            place=place,
            hint=f"There are: {', '.join(THEMES)}.",
        )
    return theme


def choose_theme(
    environ: Mapping[str, str], configured: str = "", remembered: str = "", *, few_colours: bool = False
) -> str:
    """Return the name of the theme to begin with.

    ``NO_COLOR`` goes before all else, because only the terminal's own colours can be left out; then ``TUNNELUI_THEME``,
    then *configured* (``config.toml``), then the one that was chosen on the screen, then what fits the terminal.

    :param few_colours: the terminal has 16 at most.
    :raises ConfigError: the environment names one that there is not.
    """
    wanted = environ.get("TUNNELUI_THEME", "").strip()
    if wanted:
        find_theme(wanted, "TUNNELUI_THEME")
    if environ.get("NO_COLOR"):
        return "ansi"
    if wanted or configured:
        return (wanted or configured).lower()
    if remembered in THEMES:
        return remembered
    return "ansi" if few_colours or is_plain_terminal(environ) else "dark"


def is_plain_terminal(environ: Mapping[str, str]) -> bool:
    """Whether the terminal is one like the Linux console: 16 colours, and a font with few signs."""
    return environ.get("TERM", "").startswith(_PLAIN)


def is_linux_console(environ: Mapping[str, str]) -> bool:
    """Whether the terminal is the Linux console itself, or GNU screen there."""
    return environ.get("TERM", "").startswith(_CONSOLE)
