"""How many colours a terminal is asked for, from what its environment says."""

from __future__ import annotations

import pytest
from rich.console import Console

from tunnelui.cli.colours import colour_system, has_few_colours

TERMS = [
    *("", "dumb", "linux", "vt100", "ansi", "xterm", "xterm-16color", "xterm-256color", "xterm-kitty", "screen"),
    *("screen-256color", "tmux", "tmux-256color", "alacritty", "foot", "xterm-ghostty", "rxvt-unicode-256color"),
]


@pytest.mark.parametrize(
    ("environ", "system"),
    [
        ({"TERM": "screen-256color", "STY": "1.x", "COLORTERM": "truecolor"}, "256"),
        ({"TERM": "screen", "STY": "1.x", "COLORTERM": "truecolor"}, "standard"),
        ({"TERM": "screen.xterm-256color", "STY": "1.x", "COLORTERM": "24bit"}, "256"),
        ({"TERM": "screen-256color", "STY": "1.x"}, ""),  # Textual goes by TERM then
        ({"TERM": "screen-256color", "COLORTERM": "truecolor", "TMUX": "/tmp/x,1,0"}, ""),  # tmux translates
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor", "STY": "1.x"}, ""),  # a terminal opened from there
    ],
)
def test_gnu_screen_is_asked_for_no_more_colours_than_it_has(environ: dict[str, str], system: str) -> None:
    assert colour_system(environ) == system


@pytest.mark.parametrize(
    ("environ", "system"),
    [
        ({"TERM": "alacritty"}, "truecolor"),
        ({"TERM": "xterm-ghostty"}, "truecolor"),
        ({"TERM": "alacritty", "COLORTERM": "truecolor"}, ""),
        ({"TERM": "xterm"}, ""),
        ({"TERM": "xterm-256color"}, ""),
        ({"TERM": "linux"}, ""),
        ({}, ""),
    ],
)
def test_ssh_leaves_colorterm_behind_and_a_name_says_as_much(environ: dict[str, str], system: str) -> None:
    assert colour_system(environ) == system


@pytest.mark.parametrize("colorterm", ["", "truecolor", "24bit", "yes"])
@pytest.mark.parametrize("term", TERMS)
def test_few_colours_are_what_would_be_drawn(term: str, colorterm: str) -> None:
    """As rich decides, whose decision Textual takes; of our own choice where there is one."""
    environ = {"TERM": term, "COLORTERM": colorterm}
    drawn = Console(force_terminal=True, legacy_windows=False, _environ=environ).color_system
    system = colour_system(environ) or drawn
    assert has_few_colours(environ) == (system not in ("truecolor", "256"))


def test_what_textual_is_told_counts() -> None:
    assert has_few_colours({"TERM": "xterm-256color", "TEXTUAL_COLOR_SYSTEM": "standard"})
    assert not has_few_colours({"TERM": "xterm", "TEXTUAL_COLOR_SYSTEM": "truecolor"})
    assert has_few_colours({"TERM": "xterm", "TEXTUAL_COLOR_SYSTEM": "auto"})
