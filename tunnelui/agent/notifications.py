"""What needs a person: a reminder before a session ends, and, where it is asked for, words on the desktop."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

import anyio

from tunnelui.engine.model import Event, IdentityStatus, State
from tunnelui.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tunnelui.engine.local import LocalEngine

__all__ = ["remind", "reminders", "show_notifications", "words_for"]

logger = logging.getLogger(__name__)

_AHEAD: Final = 600.0
"""Seconds before the end of a session."""
_LOOK: Final = 30.0
_QUIET: Final = 60.0
"""Seconds in which the same thing is not said again."""
_PATIENCE: Final = 5.0
_TROUBLES: Final = (State.DENIED, State.ERROR, State.RETRY)
# Arguments, so that no word of ours or of a server's is read as a script.
_APPLE: Final = (
    "osascript",
    *("-e", "on run argv"),
    *("-e", "display notification (item 2 of argv) with title (item 1 of argv)"),
    *("-e", "end run"),
)


async def remind(engine: LocalEngine) -> None:
    """Publish a note, once, when a session that running tunnels use ends soon; until cancelled."""
    told: set[tuple[str, str, float]] = set()
    while True:
        for event in reminders(engine, told, time.time()):
            engine.publish(event)
        await anyio.sleep(_LOOK)


def reminders(engine: LocalEngine, told: set[tuple[str, str, float]], now: float) -> list[Event]:
    """Return what has to be said at *now* and is not *told* yet; it is, afterwards."""
    snapshot = engine.snapshot()
    used = {(one.route.profile, one.proxy) for one in snapshot.tunnels if one.state is not State.OFF}
    events = []
    for identity in snapshot.identities:
        ends, who = identity.expires_at, (identity.profile, identity.proxy)
        if ends is None or identity.status is not IdentityStatus.SIGNED_IN or who not in used:
            continue
        key = (*who, ends)
        if 0 < ends - now <= _AHEAD and key not in told:
            told.add(key)
            minutes = max(1, round((ends - now) / 60))
            message = (
                f"the session at {identity.proxy} ends in {minutes} min; tunnelui login {identity.proxy} renews it"
            )
            data = {"code": "session_ends", "profile": who[0], "proxy": who[1], "expires_at": ends}
            events.append(Event("note", now, message, "warning", data=data))
    return events


def words_for(event: Event) -> str:
    """Return what to show on the desktop for *event*, or nothing."""
    if event.kind == "sign_in":
        return f"Sign in at {event.data.get('proxy', '')} to go on"
    if event.kind == "note" and event.data.get("code") == "session_ends":
        return event.message
    if event.kind == "state" and event.data.get("state") in _TROUBLES:
        return f"{event.route}: {event.message}"
    if event.kind == "closed" and event.data.get("lost"):
        return f"{event.route or 'tunnelui'}: {event.data.get('cause', '')}"
    return ""


async def show_notifications(engine: LocalEngine) -> None:
    """Show what needs a person, until the engine ends."""
    program = _program()
    if not program:
        message = "notifications are wanted, and this system has neither notify-send nor osascript"
        engine.publish(Event("note", time.time(), message, "warning"))
        return
    last: dict[str, float] = {}
    async for event in engine.events():
        words = clean(words_for(event), 300)
        now = time.monotonic()
        if words and now - last.get(words, -_QUIET) >= _QUIET:
            last = {old: at for old, at in last.items() if now - at < _QUIET} | {words: now}
            await _show([*program, "tunnelui", words])


def _program() -> Sequence[str]:
    if sys.platform == "darwin":
        return _APPLE
    found = shutil.which("notify-send")
    # Behind “--”, words that begin with a dash are words.
    return (found, "--app-name=tunnelui", "--") if found else ()


async def _show(command: Sequence[str]) -> None:
    try:
        with anyio.fail_after(_PATIENCE):
            await anyio.run_process(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=False,
            )
    except (OSError, TimeoutError) as error:
        logger.warning("a notification was not shown: %s", error)
