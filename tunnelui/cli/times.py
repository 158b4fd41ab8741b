"""Points in time as a person says them."""

from __future__ import annotations

import time

__all__ = ["remaining", "until"]


def remaining(seconds: float) -> str:
    """Return a duration in its two largest units: ``9h12m``, ``41d 3h``, ``50s``."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m"
    if whole < 48 * 3600:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"{whole // 86400}d {whole % 86400 // 3600}h"


def until(moment: float | None, now: float) -> str:
    """Return ``, until 21:53 (9h12m)`` for a moment that is known and to come, else nothing."""
    if moment is None or moment <= now:
        return ""
    shape = "%H:%M" if moment - now < 24 * 3600 else "%d %b %H:%M"
    return f", until {time.strftime(shape, time.localtime(moment))} ({remaining(moment - now)})"
