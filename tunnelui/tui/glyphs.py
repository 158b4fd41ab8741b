"""The signs on the screen, in Unicode and in ASCII.

The Unicode signs are of ambiguous width in East Asian locales, and some terminals speak no UTF-8 at all, so there is a
second set. A state is never told by its sign alone: a word and a colour stand beside it.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

from tunnelui.engine.model import State
from tunnelui.frozen import frozen
from tunnelui.tui.theme import is_plain_terminal

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ASCII", "COLOURS", "UNICODE", "Glyphs", "choose_glyphs"]

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
    ``tees`` are where rules meet: open to the left, right, below, above."""

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

    def state(self, state: State) -> str:
        return self.states[state]


UNICODE: Final = Glyphs(
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
)


def choose_glyphs(
    ascii_only: bool | None = None, *, environ: Mapping[str, str] = os.environ, encoding: str | None = None
) -> Glyphs:
    """Return the set to draw with.

    *ascii_only* is the user's setting; without one ``TUNNELUI_ASCII`` decides (anything but empty, ``0``, ``no``,
    ``false`` means yes), then the terminal (the Linux console has few signs) and its encoding: only UTF-8 gets the
    Unicode set.
    """
    if ascii_only is None:
        wanted = environ.get("TUNNELUI_ASCII", "").strip().lower()
        ascii_only = None if not wanted else wanted not in {"0", "no", "false", "off"}
    if ascii_only is None and is_plain_terminal(environ):
        ascii_only = True
    if ascii_only is None:
        if encoding is None:
            encoding = getattr(sys.__stderr__, "encoding", None) or "ascii"
        ascii_only = encoding.lower().replace("-", "").replace("_", "") != "utf8" or _is_c_locale(environ)
    return ASCII if ascii_only else UNICODE


def _is_c_locale(environ: Mapping[str, str]) -> bool:
    # Python turns UTF-8 mode on in the C locale (PEP 538, 540), so that its streams say nothing about the terminal. It
    # also sets LC_CTYPE then, where it was not set, beside a LANG that says what the terminal was opened with.
    coerced = not environ.get("LC_ALL") and environ.get("LC_CTYPE") in {"C.UTF-8", "C.utf8"}
    for name in ("LC_ALL", "LANG") if coerced else ("LC_ALL", "LC_CTYPE", "LANG"):
        if value := environ.get(name):
            return value in {"C", "POSIX"}
    return False
