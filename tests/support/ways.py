"""A way to every screen, dialog and bar, written down: to open and close all of them many times takes seconds.

`tests.support.every_screen.find_ways` finds the screens by pressing every key; a test holds these ways against it.
"""

from __future__ import annotations

import asyncio
import gc
import heapq
import threading
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from textual.command import CommandPalette
from textual.dom import DOMNode
from textual.events import Key
from textual.message_pump import MessagePump
from textual.timer import Timer
from textual.worker import Worker

from tests.support.scripted_engine import ScriptedEngine
from tests.support.tunnel_scenes import OFFER, PROFILES, PROXY, diagnosis, events, every_state, identity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.support.screens import Driven

__all__ = ["FAULT", "THEME", "WAYS", "count_things", "engine_for_all", "leave", "quiet", "walk"]

THEME: Final = "a theme is to be chosen"
FAULT: Final = "a fault is told"
WAYS: Final[Mapping[str, Sequence[str]]] = {
    "HelpScreen": ("f1",),
    "DetailScreen": ("enter", "right_square_bracket", "right_square_bracket"),
    "LogScreen": ("l",),
    "SaveAs": ("L", "ctrl+s"),
    "RouteForm": ("a",),
    "Question": ("X",),
    "CopyAs": ("Y",),
    "Probe": ("T",),
    "SignInScreen": ("i",),
    "ProfilesScreen": ("P",),
    "Unlock": ("P", "p"),
    "DiagnoseScreen": ("D",),
    "DiscoverScreen": ("R",),
    "ImportScreen": ("I",),
    "SettingsScreen": ("comma",),
    "OtherCommands": ("E",),
    "ThemeChoice": (THEME,),
    "FaultPanel": (FAULT,),
    "CommandPalette": ("ctrl+p", "h", "e", "l"),
    "the filter": ("slash", "d", "b"),
    "the bar for tags": ("t",),
    "the bar that finds": ("L", "slash", "o"),
}
"""Name of the screen on top, or of the bar on it, and the keys that lead there from the first screen."""
_PATIENCE: Final = 500
_COUNTED: Final = (DOMNode, MessagePump, Timer, Worker, asyncio.Task)


def engine_for_all() -> ScriptedEngine:
    """Return an engine that has something to show on every screen."""
    profiles = [replace(each, client_cert="/etc/me.pem") for each in PROFILES]
    engine = ScriptedEngine(every_state(), [identity(sign_in=True)], profiles=profiles)
    engine.findings = [*diagnosis("connect")]
    engine.offers["corp", PROXY] = OFFER
    engine.past = events()
    return engine


async def walk(driven: Driven, way: Sequence[str]) -> None:
    """Go *way*, step by step."""
    for step in way:
        if step == THEME:
            driven.app.action_choose_theme()
        elif step == FAULT:
            driven.app.tell_fault(RuntimeError(f"fault {len(driven.app.faults)} of a test"))
        else:
            driven.app.post_message(Key(step, step if len(step) == 1 else None))
        await quiet(driven)


async def leave(driven: Driven) -> None:
    """Go back to the first screen, as a person does; what asks or is under way is left in any case."""
    for _ in range(3):
        await walk(driven, ("escape",))
        if len(driven.app.screen_stack) == 1 and driven.app.focused is driven.app.screen.query_one("#routes"):
            break
    while len(driven.app.screen_stack) > 1:
        driven.app.pop_screen()
        await quiet(driven)


async def quiet(driven: Driven) -> None:
    """Let all that was asked for be done. Takes no longer than that: `Pilot.pause` waits for the processor to rest."""
    for _ in range(_PATIENCE):
        await driven.pilot._wait_for_screen()
        await asyncio.sleep(0)
        if not _is_busy(driven):
            break
    else:
        raise AssertionError(f"{driven.app.screen} never rests")
    driven.app.screen._on_timer_update()


def _is_busy(driven: Driven) -> bool:
    app = driven.app
    nodes = [node for screen in app.screen_stack for node in screen.walk_children(with_self=True)]
    at_work = (worker for worker in app.workers if worker.name != "events" and not worker.is_finished)
    searches = isinstance(app.screen, CommandPalette)  # its workers end with it
    waits = app.message_queue_size or any(node.message_queue_size for node in nodes)
    return bool(app.keys_wait or waits or (not searches and any(at_work)))


def _forget_cancelled_timers() -> None:
    """asyncio keeps them, and what they belonged to, until they would have been due: ten seconds for a message."""
    loop: Any = asyncio.get_running_loop()
    loop._scheduled[:] = [timer for timer in loop._scheduled if not timer.cancelled()]
    heapq.heapify(loop._scheduled)
    loop._timer_cancelled_count = 0


def count_things(driven: Driven) -> Counter[str]:
    """Count what is alive: by class what lives on screens, and what listens, waits, runs or is styled."""
    _forget_cancelled_timers()
    gc.collect()
    alive = gc.get_objects()
    counted = Counter(type(each).__name__ for each in alive if isinstance(each, _COUNTED))
    app, screen = driven.app, driven.app.screen
    signals = (screen.bindings_updated_signal, screen.screen_layout_refresh_signal, app.theme_changed_signal)
    counted["listeners"] = sum(len(found) for signal in signals for found in signal._subscriptions.values())
    counted["style sheets"] = len(app.stylesheet.source)
    counted["timers of the application"] = len(app._timers)
    counted["workers of the application"] = len(app.workers)
    counted["threads"] = threading.active_count()
    counted["thousands of objects"] = len(alive) // 1000
    return counted
