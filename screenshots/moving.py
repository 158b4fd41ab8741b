"""An SVG that shows one screen after the other, by CSS alone: it moves wherever a picture may stand."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["moving_svg"]

_THEME: Final = TerminalTheme(
    (19, 21, 25), (215, 221, 229), [(39, 44, 51)] + [(145, 156, 171)] * 7, [(86, 96, 112)] * 8
)
_LAST: Final = 3.0
"""Seconds for the last screen."""


def moving_svg(frames: Sequence[tuple[float, str]], width: int, height: int) -> str:
    """Return *frames* (when, in seconds, and the screen with its colours as escapes) as one SVG that repeats."""
    whole = frames[-1][0] + _LAST
    pictures: list[str] = []
    rules: list[str] = []
    head = ""
    for index, (at, shown) in enumerate(frames):
        head, styles, body = _parts(shown, width, height, f"f{index}")
        end = frames[index + 1][0] if index + 1 < len(frames) else whole
        begin, over = at / whole * 100, end / whole * 100
        rules.append(styles)
        rules.append(
            f"@keyframes k{index}{{0%,{begin:.3f}%{{visibility:{'visible' if not index else 'hidden'}}}"
            f"{begin + 0.001:.3f}%,{over:.3f}%{{visibility:visible}}{over + 0.001:.3f}%,100%{{visibility:hidden}}}}"
            f".k{index}{{visibility:hidden;animation:k{index} {whole:.2f}s step-end infinite}}"
        )
        pictures.append(f'<g class="k{index}">{body}</g>')
    return f"{head}<style>{''.join(rules)}</style>{''.join(pictures)}</svg>\n"


def _parts(shown: str, width: int, height: int, name: str) -> tuple[str, str, str]:
    """Return the opening tag, the rules and the drawing of one screen; *name* makes its classes its own."""
    console = Console(
        file=io.StringIO(), record=True, width=width, height=height, color_system="truecolor", force_terminal=True,
        legacy_windows=False,
    )  # fmt: skip
    rows = [*shown.split("\n"), *[""] * height][:height]
    for row in rows:
        console.print(Text.from_ansi(row), no_wrap=True, crop=True, overflow="crop", highlight=False)
    svg = console.export_svg(title="tunnelui", theme=_THEME, unique_id=name)
    opened = re.match(r"<svg[^>]*>", svg)
    styles = re.search(r"<style>(.*?)</style>", svg, re.DOTALL)
    if opened is None or styles is None:
        raise ValueError("no picture")
    rules = re.sub(r"@font-face \{.*?\}", "", styles[1], flags=re.DOTALL)
    body = svg[styles.end() : svg.rindex("</svg>")]
    return opened[0], re.sub(r"\s+", " ", rules), re.sub(r">\s+<", "><", body)
