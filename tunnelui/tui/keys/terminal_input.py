"""What comes from the terminal, where Textual would take it for something else.

* Escape and another key soon after it. To a terminal, alt and a key is escape and that key. Textual names most letters
  and digits so ("alt+j"), and `key_turns` takes that apart again. A sign, enter or space it passes on without a word of
  the escape before it, and some keys it takes for what they mean in a shell ("alt+f": a word on) or on a Mac ("alt+1":
  "¡").
  Tab, backspace, ``[`` and ``]`` soon after an escape stay without it: they are shift and tab on the Linux console, a
  word back in a field, and the begin of a longer sequence, which a slow line may have torn. An escape too many could
  discard what somebody typed.
* Escapes in pasted text: what follows one would be keys, and do what they do.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from textual._xterm_parser import BRACKETED_PASTE_END, BRACKETED_PASTE_START, XTermParser
from textual.events import Key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from textual.driver import Driver
    from textual.message import Message

__all__ = ["WORD_KEYS", "TerminalInput", "read_by_us"]

WORD_KEYS: Final[Mapping[str, str]] = {"alt+f": "ctrl+right", "alt+b": "ctrl+left"}
"""What a field takes these for: a word on, a word back."""

_PARSER: Final = "XTermParser"
_ESCAPE: Final = "\x1b"
_MEANT_OTHERWISE: Final = frozenset("fb0123456789-=")
_BEGIN_MORE: Final = "[]"
"""What begins longer sequences: one that came in parts over a slow line, or that nobody knows, is no escape."""


class TerminalInput(XTermParser):
    """Reads keys, the mouse and pasted text."""

    def __init__(self, debug: bool = False) -> None:
        super().__init__(debug)
        self._is_pasting = False
        self._begun = ""
        """What may be the beginning of the end of a paste."""

    def feed(self, data: str) -> Iterable[Message]:
        kept = self._without_escapes(data)
        return super().feed(kept) if kept or not data else ()

    def _without_escapes(self, data: str) -> str:
        """Take all escapes out of pasted text but those of its begin and end."""
        data, self._begun = self._begun + data, ""
        kept: list[str] = []
        while data:
            if not self._is_pasting:
                before, start, data = data.partition(BRACKETED_PASTE_START)
                kept += (before, start)
                self._is_pasting = bool(start)
                continue
            text, end, data = data.partition(BRACKETED_PASTE_END)
            if not end:
                text, self._begun = _split_before(text, BRACKETED_PASTE_END)
            kept += (text.replace(_ESCAPE, ""), end)
            self._is_pasting = not end
        return "".join(kept)

    def _sequence_to_key_events(self, sequence: str, alt: bool = False) -> Iterable[Key]:
        if len(sequence) == 2 and sequence[0] == _ESCAPE and sequence[1] in _MEANT_OTHERWISE:
            sequence, alt = sequence[1], True
        keys = list(super()._sequence_to_key_events(sequence, alt))
        if alt and keys and sequence not in _BEGIN_MORE and not keys[0].key.startswith("alt+"):
            yield Key("escape", _ESCAPE)
        yield from keys


def _split_before(text: str, end: str) -> tuple[str, str]:
    """Split off what *text* ends with if *end* begins with it."""
    size = next((size for size in range(len(end) - 1, 0, -1) if text.endswith(end[:size])), 0)
    return text[: len(text) - size], text[len(text) - size :]


def read_by_us(driver: type[Driver]) -> type[Driver]:
    """Let *driver* read with `TerminalInput`; it makes its parser by the name that its module has for it."""
    names = vars(sys.modules[driver.__module__])
    if names.get(_PARSER) is XTermParser:
        names[_PARSER] = TerminalInput
    return driver
