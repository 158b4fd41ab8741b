"""Text for the screen: cleaned, cut and padded by terminal cells, never read as markup.

`line` is the one place that makes `textual.content.Content`; every widget and every toast gets its text from here.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len, get_character_cell_size
from textual.content import Content

from tunnelui.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["capital", "cut", "cut_middle", "fit", "line", "literal", "pad", "reason", "safe", "wrap", "wrap_hard"]

_MAX_MARKS = 2
_SHORT: Final = 256
"""Up to so many characters, what became of a text is remembered: the same lines are made again and again."""


def safe(text: str, limit: int = 200) -> str:
    """Return *text* cleaned, and of a width that every terminal agrees on.

    Joiners and variation selectors go, because terminals disagree on the width of what they make; so do combining
    marks beyond two on one character, which would draw over the lines around.
    """
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text
    return _made_safe_once(text, limit) if len(text) <= _SHORT else _made_safe(text, limit)


def _made_safe(text: str, limit: int) -> str:
    text = clean(text, limit)
    if text.isascii():
        return text
    out: list[str] = []
    marks = 0
    for character in text:
        if character == "\u200d" or "\ufe00" <= character <= "\ufe0f":
            continue
        if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me"):
            marks += 1
            if marks > _MAX_MARKS:
                continue
        else:
            marks = 0
        out.append(character)
    return "".join(out)


_made_safe_once = lru_cache(maxsize=2048)(_made_safe)


def capital(text: str) -> str:
    """Return *text*, which may be part of a sentence elsewhere, with a capital letter at its start."""
    return text if text.startswith("tunnelui") else text[:1].upper() + text[1:]


def reason(error: Exception) -> str:
    """Return what an unforeseen error says, or at least what it is."""
    return safe(str(error), 400) or type(error).__name__


def line(*parts: str | tuple[str, str], limit: int = 400) -> Content:
    """Put parts together: plain text, or text with a style (``bold $live``). All of it is taken literally."""
    return Content.assemble(
        *(safe(part, limit) if isinstance(part, str) else (safe(part[0], limit), part[1]) for part in parts)
    )


def literal(text: str, style: str = "", limit: int = 400) -> Content:
    """Return one piece of text as content."""
    return Content.styled(safe(text, limit), style) if style else Content(safe(text, limit))


def cut(text: str, width: int, ellipsis: str = "…") -> str:
    """Cut *text* to at most *width* cells at its end."""
    if cell_len(text) <= width:
        return text
    room = width - cell_len(ellipsis)
    if room < 0:
        return ""
    return _head(text, room) + ellipsis


def cut_middle(text: str, width: int, ellipsis: str = "…") -> str:
    """Cut *text* to at most *width* cells in its middle, so that the start and the end stay; a port stays whole."""
    if cell_len(text) <= width:
        return text
    room = width - cell_len(ellipsis)
    if room < 2:
        return cut(text, width, ellipsis)
    port = text.rpartition(":")[2]
    tail = max(room // 2, len(port) + 1 if port.isdigit() and len(port) + 2 <= room else 0)
    return _head(text, room - tail) + ellipsis + _head(text[::-1], tail)[::-1]


def pad(text: str, width: int, *, right: bool = False) -> str:
    """Fill *text* with spaces to *width* cells; *right* puts the text to the right."""
    space = " " * (width - cell_len(text))
    return space + text if right else text + space


def fit(text: str, width: int, ellipsis: str = "…", *, right: bool = False, middle: bool = False) -> str:
    """Cut or fill *text* to exactly *width* cells."""
    cutter = cut_middle if middle else cut
    return pad(cutter(text, width, ellipsis), width, right=right)


def wrap(text: str, width: int, limit: int) -> list[str]:
    """Break *text* between words into at most *limit* lines of *width* cells; the last one is cut with an ellipsis."""
    rows: list[str] = []
    words = text.split()
    current = ""
    while words:
        word = words.pop(0)
        candidate = f"{current} {word}" if current else word
        if cell_len(candidate) <= width:
            current = candidate
        elif current:
            rows.append(current)
            current = ""
            words.insert(0, word)
        else:
            head = _head(word, max(1, width))
            if not head:
                break
            rows.append(head)
            if len(head) < len(word):
                words.insert(0, word[len(head) :])
    if current:
        rows.append(current)
    if len(rows) > limit:
        rows = [*rows[: limit - 1], cut(f"{rows[limit - 1]} {rows[limit]}", width)] if limit else []
    return rows


def wrap_hard(text: str, width: int) -> list[str]:
    """Break *text* at exactly *width* cells, losing nothing: for addresses that people copy."""
    rows: list[str] = []
    while text:
        head = _head(text, max(1, width)) or text[:1]
        rows.append(head)
        text = text[len(head) :]
    return rows


def _head(text: Iterable[str], room: int) -> str:
    out: list[str] = []
    for character in text:
        room -= get_character_cell_size(character)
        if room < 0:
            break
        out.append(character)
    return "".join(out)
