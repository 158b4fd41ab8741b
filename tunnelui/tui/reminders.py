"""A word before a session ends that running tunnels use: once for each, ten minutes ahead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tunnelui.engine.model import IdentityStatus, State
from tunnelui.tui.feed import News
from tunnelui.tui.lines.words import safe

if TYPE_CHECKING:
    from tunnelui.tui.view import View

__all__ = ["AHEAD", "reminders"]

AHEAD: Final = 600.0
"""Seconds before the end."""


def reminders(view: View, told: set[tuple[str, str, float]], key: str) -> list[News]:
    """Return what has to be said now and is not *told* yet; it is, afterwards. *key* is the key that signs in."""
    used = {(one.route.profile, one.proxy) for one in view.snapshot.tunnels if one.state is not State.OFF}
    news: list[News] = []
    for identity in view.snapshot.identities:
        ends, who = identity.expires_at, (identity.profile, identity.proxy)
        if ends is None or identity.status is not IdentityStatus.SIGNED_IN or who not in used or identity.sign_in:
            continue
        if 0 < ends - view.now <= AHEAD and (*who, ends) not in told:
            told.add((*who, ends))
            minutes = max(1, round((ends - view.now) / 60))
            news.append(
                News(f"The session at {safe(identity.proxy)} ends in {minutes} min. {key} renews it.", "warning")
            )
    return news
