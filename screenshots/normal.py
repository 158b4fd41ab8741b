"""Takes out of a picture what is another thing at every run: ports, times of day, request ids, nonces.

What stands in their place is as long, so that nothing moves, and the same everywhere in a picture.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["normal"]

_TEXT: Final = re.compile(r"(<text [^>]*>)([^<]*)(</text>)")
_CLOCK: Final = re.compile(r"\b(\d\d):(\d\d):(\d\d)(\.\d{3})?\b")
_MINUTE: Final = re.compile(r"(?<![\d:.])(\d\d):(\d\d)(?!:?\d)(?=(&#160;| )\()?")
"""A time of day without seconds, or one that something stands over; with a time left behind it, it is still to come."""
_LEFT: Final = re.compile(r"\b13h\d\dm\b")
"""What is left of the demo's sessions, which last 14 hours."""
_DAY: Final = re.compile(r"\b20\d{6}-\d{6}\b")
_PORT: Final = re.compile(r"(?<=[\d\]*; ]:)(\d{4,5})\b(?!:)")
_REQUEST: Final = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b[0-9a-f]{16,}\b")
_NONCE: Final = re.compile(
    r"(?=[A-Za-z0-9_-]*\d)(?=[A-Za-z0-9_-]*[A-Z])(?=[A-Za-z0-9_-]*[a-z])[A-Za-z0-9_-]{22,}|(?<=request=)[A-Za-z0-9_-]+"
)
_FOLDER: Final = re.compile(r"tunnelui-demo-\w{8}")
_PASSWORD: Final = re.compile(r"\b[a-z]+-[a-z]+-\d{2}\b")
_COMMAND: Final = re.compile(r"(\bpid(?:&#160;| ))\d+(,(?:&#160;| )for(?:&#160;| ))\w+")
_FIXED: Final = frozenset({"1080", "1090", "2222"})
"""Ports that are the same at every run."""
_NOON: Final = 12 * 3600 + 41 * 60 + 7
_PATTERN: Final = "3f1c9d207be14c55a8e6"


def normal(svg: str) -> str:
    """Return the picture with made-up values in those places."""
    texts = [match[2].replace("&#160;", " ") for match in _TEXT.finditer(svg)]
    whole = "\n".join(texts)
    clocks = sorted({_seconds(match) for match in _CLOCK.finditer(whole)})
    newest = clocks[-1] if clocks else 0
    ports = [port for port in dict.fromkeys(_PORT.findall(whole)) if port not in _FIXED]
    port_of = {port: _port(port, place) for place, port in enumerate(ports)}

    def text(match: re.Match[str]) -> str:
        words = match[2]
        words = _COMMAND.sub(r"\g<1>4711\g<2>2m", words)
        words = _CLOCK.sub(lambda found: _clock(found, newest), words)
        words = _MINUTE.sub(lambda found: "12:41" if found[3] is None else "02:40", words)
        words = _LEFT.sub("13h59m", words)
        words = _DAY.sub("20261126-124107", words)
        words = _REQUEST.sub(lambda found: _hex(found[0]), words)
        words = _PASSWORD.sub(lambda found: "amber-falcon-29" if len(found[0]) == 15 else found[0], words)
        for port, other in port_of.items():
            words = re.sub(rf"(?<![\d.]){port}(?!\d)", other, words)
        words = _NONCE.sub(lambda found: _nonce(found[0]), words)
        words = _FOLDER.sub("tunnelui-demo-3f1c9d20", words)
        return match[1] + words + match[3]

    return _TEXT.sub(text, svg)


def _seconds(match: re.Match[str]) -> int:
    return int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3])


def _clock(match: re.Match[str], newest: int) -> str:
    at = _NOON - (newest - _seconds(match)) % 86_400
    thousandths = f".{(at * 37) % 1000:03}" if match[4] else ""
    return f"{at // 3600 % 24:02}:{at // 60 % 60:02}:{at % 60:02}{thousandths}"


def _port(port: str, place: int) -> str:
    return str(51_220 + 7 * place) if len(port) == 5 else str(5_122 + 7 * place)


def _hex(text: str) -> str:
    pattern = iter(_PATTERN * 10)
    return "".join("-" if character == "-" else next(pattern) for character in text)


def _nonce(text: str) -> str:
    return (_PATTERN * (len(text) // len(_PATTERN) + 1))[: len(text)]
