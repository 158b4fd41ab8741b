"""The one cleaning function for text from elsewhere: servers, files, peers.

Control and escape characters could drive the terminal, bidirectional marks could reorder what a person reads, and an
endless string could fill the screen or the log. Every such string passes through `clean` before it is shown or logged.
"""

from __future__ import annotations

__all__ = ["clean", "without_query"]

_REPLACEMENT = "\ufffd"
# Cc: C0, DEL, C1. Cf: bidi marks, zero-width, tags. Cs: lone surrogates. Co, Cn: no agreed picture. Zl, Zp: breaks.
_REMOVED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Zero Width Joiner builds one picture from several emoji and can't reorder text.
_KEPT = frozenset({"\u200d"})


def clean(text: str | bytes, limit: int = 200) -> str:
    """Return *text* fit for a terminal or a log line.

    Bytes are read as UTF-8 with replacement. Tabs and line breaks become one space; every other control, format,
    private, unassigned or surrogate character becomes U+FFFD; what exceeds *limit* characters is cut and marked ``…``.
    """
    if isinstance(text, bytes):
        text = text[: limit * 4 + 4].decode("utf-8", "replace")
    cut = len(text) > limit
    if not cut and text.isascii() and text.isprintable():  # as almost all text is
        return text
    out = "".join(_clean_character(character) for character in text[:limit])
    return out[: limit - 1] + "…" if cut else out


def without_query(url: str) -> str:
    """Return *url* as a log may have it: scheme, host and path.

    What follows may hold a secret (``state``, a code, a token); ``?…`` stands for it. A user name and a password
    go, too. The text is not cleaned.
    """
    end = min((place for sign in "?#" if (place := url.find(sign)) >= 0), default=len(url))
    begin = start + 3 if 0 <= (start := url.find("://", 0, end)) < url.find("/") else 0
    host, slash, path = url[begin:end].partition("/")
    return f"{url[:begin]}{host.rpartition('@')[2]}{slash}{path}{'?…' if end < len(url) else ''}"


def _clean_character(character: str) -> str:
    if character.isascii() and character.isprintable():
        return character
    if character in "\t\n\r":
        return " "
    if character in _KEPT:
        return character
    from unicodedata import category  # here: most text is ASCII, and many a command ends without another

    return _REPLACEMENT if category(character) in _REMOVED else character
