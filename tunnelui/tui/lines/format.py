"""Numbers as short words: bytes, rates, durations, times of day. Everything here is pure ASCII and bounded in width."""

from __future__ import annotations

import time

__all__ = ["age", "bytes_long", "bytes_short", "clock", "duration", "milliseconds", "rate_long", "rate_short"]

_UNITS = ("B", "K", "M", "G", "T", "P")


def _scaled(value: float) -> tuple[str, str]:
    """Return digits and the letter of the unit: at most three digits, one after the point below ten."""
    unit = 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value /= 1024
        unit += 1
    if unit and value < 9.95:
        return f"{value:.1f}", _UNITS[unit]
    return f"{value:.0f}", _UNITS[unit]


def bytes_short(value: float) -> str:
    """``0``, ``512``, ``1.8M``: at most four characters, for columns."""
    digits, unit = _scaled(value)
    return digits if unit == "B" else digits + unit


def bytes_long(value: float) -> str:
    """``512 B``, ``1.8 MB``; a kilobyte is 1024 bytes."""
    digits, unit = _scaled(value)
    return f"{digits} {unit if unit == 'B' else unit + 'B'}"


def rate_short(value: float) -> str:
    """``312K/s``."""
    return bytes_short(value) + "/s"


def rate_long(value: float) -> str:
    """``312 KB/s``."""
    return bytes_long(value) + "/s"


def duration(seconds: float) -> str:
    """``8s``, ``4m12s``, ``9h12m``, ``41d``: at most two units; negative counts as nothing."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    minutes, whole = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}m{whole:02}s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours}h{minutes:02}m"
    return f"{hours // 24}d"


def age(seconds: float) -> str:
    """``<1m``, ``4m``, ``9h12m``, ``41d``: how long something has been there. It changes once a minute at most, so that
    a screen with nothing else to tell sits still.
    """
    minutes = max(0, int(seconds)) // 60
    return "<1m" if not minutes else f"{minutes}m" if minutes < 60 else duration(seconds)


def milliseconds(seconds: float | None) -> str:
    """``61 ms``, ``2.4 s``, or ``-`` where nothing was measured."""
    if seconds is None:
        return "-"
    if seconds < 0.00005:
        return "0 ms"
    if seconds < 0.0095:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s"


def clock(at: float, *, seconds: bool = True) -> str:
    """The local time of day of a Unix time: ``12:41:07`` or ``12:41``."""
    return time.strftime("%H:%M:%S" if seconds else "%H:%M", time.localtime(at))
