"""What a day at the screen leaves in memory: every screen opened and closed, and everything that comes in meanwhile.

``python benchmarks/day_probe.py screens ROUNDS``: every screen, dialog and bar that there is, so many times.
``python benchmarks/day_probe.py day HOURS``: as much as happens in so many hours. An hour is 60 connections that come
and go with their log lines, 30 s of traffic, two sign-ins that expire and are renewed, a theme, a size of the
terminal, a filter that is typed, and one round of a quarter of the screens.

Both print JSON: how many KiB (Pss) and how many objects there are more at the end than after the first fifth, by round
or by hour; and what lives on screens and is more. Themes and sizes come again every twelve hours: a number of hours of
which a fifth and the whole are twelve times something compares like with like (60, 120).
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.screens import LARGE, SMALL, drive
from tests.support.tunnel_scenes import NOW, every_state, identity
from tests.support.ways import WAYS, count_things, engine_for_all, leave, quiet, walk
from tunnelui.engine.model import ConnectionSnapshot, ConnectionState, Event
from tunnelui.tui.style.theme import THEMES

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Awaitable, Callable

    from tests.support.screens import Driven

_CONNECTIONS: Final = 60
_MOVES: Final = 60
_SIZES: Final = (LARGE, SMALL, (100, 30), (200, 60))


class _Reading:
    """Memory and objects at one moment."""

    def __init__(self, driven: Driven) -> None:
        self.things: Counter[str] = count_things(driven)
        self.objects = len(gc.get_objects())
        self.pss = _pss()

    def more_than(self, before: _Reading, times: int) -> dict[str, Any]:
        things = {name: count - before.things[name] for name, count in self.things.items()}
        return {
            "times": times,
            "KiB each": round((self.pss - before.pss) * 1024 / times, 1),
            "objects each": round((self.objects - before.objects) / times, 1),
            "more": {name: count for name, count in things.items() if count > 0},
        }


def _pss() -> float:
    for row in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if row.startswith("Pss:"):
            return int(row.split()[1]) / 1024
    raise SystemExit("this system does not tell how much memory a process has")


async def _screens(driven: Driven, number: int) -> None:
    for way in WAYS.values():
        await walk(driven, way)
        await leave(driven)
    driven.app.clear_notifications()
    await quiet(driven)


async def _hour(driven: Driven, number: int) -> None:
    """One hour, the *number*-th."""
    engine, app, tunnels = driven.engine, driven.app, every_state()
    for each in range(_CONNECTIONS):
        one = ConnectionSnapshot(number * 1000 + each, "127.0.0.1:50000", ConnectionState.OPEN, NOW)
        gone = replace(one, state=ConnectionState.CLOSED, closed_at=NOW, cause="both sides ended")
        for connection, kind in ((one, "open"), (gone, "closed")):
            engine.set(replace(tunnels[0], connections=(connection,)), *tunnels[1:])
            await engine.tell(Event(kind, NOW + each, f"{kind} {number}/{each}", route=tunnels[0].route.name))
            app.poll()
            await quiet(driven)
    for each in range(_MOVES):
        driven.clock.at += 0.5
        engine.set(replace(tunnels[0], bytes_in=tunnels[0].bytes_in + each * 100_000), *tunnels[1:])
        app.poll()
        await quiet(driven)
    for signing_in in (True, False, True, False):
        engine.set(*tunnels, identities=[identity(sign_in=signing_in)])
        app.poll()
        await quiet(driven)
    app.theme = list(THEMES.values())[number % len(THEMES)].name
    await driven.pilot.resize_terminal(*_SIZES[number % len(_SIZES)])
    await walk(driven, ["slash", *f"r{number % 10}d"])
    await leave(driven)
    for way in list(WAYS.values())[number % 4 :: 4]:
        await walk(driven, way)
        await leave(driven)
    app.clear_notifications()
    await quiet(driven)


async def _measure(does: Callable[[Driven, int], Awaitable[None]], times: int) -> dict[str, Any]:
    async with drive(engine_for_all(), size=LARGE) as driven:
        first = max(1, times // 5)
        for number in range(first):
            await does(driven, number)
        before, cpu = _Reading(driven), time.process_time()
        for number in range(first, times):
            await does(driven, number)
        cpu = time.process_time() - cpu
        found = _Reading(driven).more_than(before, times - first)
        driven.expected_faults = driven.app.faults
    return {**found, "CPU, s each": round(cpu / (times - first), 2)}


def main(what: str, times: int) -> None:
    print(json.dumps(asyncio.run(_measure({"screens": _screens, "day": _hour}[what], times)), indent=1))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
