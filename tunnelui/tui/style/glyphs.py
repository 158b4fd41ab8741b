"""The signs on the screen: in Unicode, as the Linux console has them, and in ASCII.

The Unicode signs are of ambiguous width in East Asian locales, and some terminals speak no UTF-8 at all, so there is a
set in ASCII. A font of the console has room for a few hundred signs: lines and arrows are among them, hardly any of the
others. A state is never told by its sign alone: a word and a colour stand beside it.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tunnelui.engine.model import State
from tunnelui.frozen import frozen
from tunnelui.tui.style.theme import is_linux_console, is_plain_terminal

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ASCII", "COLOURS", "CONSOLE", "UNICODE", "Glyphs", "choose_glyphs"]

# The name of the theme colour of each state.
COLOURS: Final[Mapping[State, str]] = {
    State.OFF: "off",
    State.READY: "ready",
    State.LIVE: "live",
    State.AUTH: "auth",
    State.RETRY: "retry",
    State.DENIED: "denied",
    State.PORT_BUSY: "trouble",
    State.ERROR: "denied",
}


@frozen
class Glyphs:
    """One set of signs, each one cell wide but for words; ``graph`` goes from nothing to full,
    ``tees`` are where rules meet: open to the left, right, below, above; ``bars`` are the part of a scroll bar that is
    in sight and the rest, empty where grounds show them."""

    name: str
    states: Mapping[State, str]
    bar: str
    bar_without_focus: str
    mark: str
    star: str
    open: str
    folded: str
    rule: str
    column: str
    separator: str
    ascending: str
    descending: str
    down: str
    up: str
    arrow: str
    back: str
    proxy: str
    ellipsis: str
    block: str
    good: str
    bad: str
    graph: str
    tees: str
    bars: str = ""

    def state(self, state: State) -> str:
        return self.states[state]


UNICODE: Final = Glyphs(
    name="Unicode",
    states={
        State.OFF: "○",
        State.READY: "◉",
        State.LIVE: "●",
        State.AUTH: "◌",
        State.RETRY: "↻",
        State.DENIED: "✕",
        State.PORT_BUSY: "▲",
        State.ERROR: "▲",
    },
    bar="▌",
    bar_without_focus="▏",
    mark="✓",
    star="★",
    open="▾",
    folded="▸",
    rule="─",
    column="│",
    separator="│",
    ascending="▲",
    descending="▼",
    down="↓",
    up="↑",
    arrow="→",
    back="‹",
    proxy="⇄",
    ellipsis="…",
    block="━",
    good="✓",
    bad="✕",
    graph="▁▂▃▄▅▆▇█",
    tees="┤├┬┴",
)

ASCII: Final = Glyphs(
    name="ASCII",
    states={
        State.OFF: "-",
        State.READY: "+",
        State.LIVE: "*",
        State.AUTH: "~",
        State.RETRY: "@",
        State.DENIED: "x",
        State.PORT_BUSY: "!",
        State.ERROR: "!",
    },
    bar=">",
    bar_without_focus=":",
    mark="#",
    star="*",
    open="v",
    folded=">",
    rule="-",
    column="|",
    separator="|",
    ascending="^",
    descending="v",
    down="v",
    up="^",
    arrow="->",
    back="<",
    proxy="<>",
    ellipsis="~",
    block="=",
    good="ok",
    bad="x",
    graph="_.:|",
    tees="||++",
    bars="#|",
)

CONSOLE: Final = replace(
    ASCII,
    name="Linux console",
    bar="█",
    bar_without_focus="│",
    mark="■",
    open="▼",
    folded="▶",
    rule="─",
    column="│",
    separator="│",
    ascending="▲",
    descending="▼",
    down="↓",
    up="↑",
    arrow="→",
    back="←",
    block="═",
    graph="·░▒█",
    tees="┤├┬┴",
    bars="█│",
)
"""What the kernel's own font has as well as those that distributions load in its place."""


def choose_glyphs(
    ascii_only: bool | None = None, *, environ: Mapping[str, str] = os.environ, encoding: str | None = None
) -> Glyphs:
    """Return the set to draw with.

    *ascii_only* is the user's setting; without one ``TUNNELUI_ASCII`` decides (anything but empty, ``0``, ``no``,
    ``false`` means yes), then the terminal and its encoding: only UTF-8 gets more than ASCII, and the Linux console
    gets what its fonts have.
    """
    if ascii_only is None:
        wanted = environ.get("TUNNELUI_ASCII", "").strip().lower()
        ascii_only = None if not wanted else wanted not in {"0", "no", "false", "off"}
    if ascii_only is not None:
        return ASCII if ascii_only else UNICODE
    if encoding is None:
        encoding = getattr(sys.__stderr__, "encoding", None) or "ascii"
    if encoding.lower().replace("-", "").replace("_", "") != "utf8" or _is_c_locale(environ):
        return ASCII
    if is_linux_console(environ):
        return CONSOLE
    return ASCII if is_plain_terminal(environ) else UNICODE


def _is_c_locale(environ: Mapping[str, str]) -> bool:
    # Python turns UTF-8 mode on in the C locale (PEP 538, 540), so that its streams say nothing about the terminal. It
    # also sets LC_CTYPE then, where it was not set, beside a LANG that says what the terminal was opened with.
    coerced = not environ.get("LC_ALL") and environ.get("LC_CTYPE") in {"C.UTF-8", "C.utf8"}
    for name in ("LC_ALL", "LANG") if coerced else ("LC_ALL", "LC_CTYPE", "LANG"):
        if value := environ.get(name):
            return value in {"C", "POSIX"}
    return False
