"""How many colours the terminal can be asked for, as the environment tells.

ssh takes ``TERM`` along and leaves ``COLORTERM`` behind; GNU screen hands on a ``COLORTERM`` that speaks of the
terminal around it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["colour_system", "has_few_colours"]

_FULL: Final = "truecolor"
_EMULATORS: Final = (
    *("alacritty", "contour", "foot", "foot-extra", "ghostty", "rio", "wezterm"),
    *("xterm-direct", "xterm-ghostty", "xterm-kitty"),
)
"""What terminals call themselves that have every colour, where the name does not say so."""


def colour_system(environ: Mapping[str, str]) -> str:
    """Return what to ask the terminal for, as Textual calls it; empty where Textual finds that out as well."""
    term = environ.get("TERM", "")
    if not environ.get("COLORTERM"):
        return _FULL if term in _EMULATORS else ""
    if environ.get("STY") and term.startswith("screen"):
        # More than screen has comes out as other colours, underlined or blinking.
        return "256" if "256color" in term else "standard"
    return ""


def has_few_colours(environ: Mapping[str, str]) -> bool:
    """Whether the terminal can be asked for 16 colours at most: other ones would turn into greys."""
    asked = environ.get("TEXTUAL_COLOR_SYSTEM") or colour_system(environ)
    if asked and asked != "auto":
        return asked not in (_FULL, "256")
    term = environ.get("TERM", "").strip().lower()
    if term not in ("dumb", "unknown") and environ.get("COLORTERM", "").strip().lower() in (_FULL, "24bit"):
        return False
    return not term.endswith(("256color", "-kitty"))
