"""The block of tunnelui in an ssh configuration: made, put into a text between markers, and taken out again."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Final

from tunnelui.errors import ConfigError
from tunnelui.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["check_pattern", "put_block", "remove_block", "render_block"]

_BEGIN: Final = "# >>> tunnelui >>>"
_END: Final = "# <<< tunnelui <<<"
_PATTERN: Final = re.compile(r"!?[A-Za-z0-9*?][A-Za-z0-9*?._:-]*", re.ASCII)


def check_pattern(text: str) -> str:
    """Return *text* when it can stand behind ``Host`` (ssh_config(5), PATTERNS).

    :raises ConfigError: it can't.
    """
    if not _PATTERN.fullmatch(text):
        raise ConfigError(
            f"“{clean(text, 60)}” is no pattern for ssh", place="PATTERN", hint="For example: *.corp.example.com"
        )
    return text


def render_block(patterns: Sequence[str], command: Sequence[str]) -> str:
    """Return the lines for hosts that match *patterns*; *command* is the program with its arguments, before ``%h:%p``.

    :raises ConfigError: a pattern is wrong.
    """
    hosts = " ".join(map(check_pattern, patterns))
    # The line goes to the user's shell, and ssh expands percent signs first.
    words = " ".join(shlex.quote(word).replace("%", "%%") for word in command)
    return f"Host {hosts}\n    ProxyCommand {words} %h:%p\n"


def put_block(text: str, block: str, place: str = "") -> str:
    """Return *text* with *block* between the markers: in the old one's place, or first, since ssh takes the first value
    that it finds.

    :raises ConfigError: the markers in *text* do not fit.
    """
    marked = f"{_BEGIN}\n{block.rstrip()}\n{_END}\n"
    found = _find(text, place)
    if found is None:
        return f"{marked}\n{text}" if text else marked
    return text[: found[0]] + marked + text[found[1] :]


def remove_block(text: str, place: str = "") -> str:
    """Return *text* without the block, and without the empty line that `put_block` has put behind it.

    :raises ConfigError: the markers in *text* do not fit.
    """
    found = _find(text, place)
    if found is None:
        return text
    rest = text[found[1] :]
    return text[: found[0]] + (rest.removeprefix("\n") if found[0] == 0 else rest)


def _find(text: str, place: str) -> tuple[int, int] | None:
    """Return where the block begins and ends, markers included."""
    marks = [(match.start(), match[0].strip()) for match in re.finditer(r"(?m)^[ \t]*# (>>>|<<<) tunnelui \1.*$", text)]
    if not marks:
        return None
    if [mark for _, mark in marks] != [_BEGIN, _END]:
        line = text.count("\n", 0, marks[0][0]) + 1
        raise ConfigError(
            "the markers of tunnelui do not fit together; nothing was changed",
            place=f"{place}:{line}" if place else f"line {line}",
            hint=f"There has to be one line “{_BEGIN}” and after it one “{_END}”, or none of both.",
        )
    end = text.find("\n", marks[1][0])
    return marks[0][0], len(text) if end < 0 else end + 1
