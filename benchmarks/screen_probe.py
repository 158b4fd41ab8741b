"""The screen on an engine that only tells: what it takes to draw, to keep up, and to sit still.

``python screen_probe.py show ROUTES LIVE`` draws on the terminal until it is ended. The other words draw on none and
print one number as JSON: ``tick ROUTES`` (ms of CPU for a look at the engine with two routes on the screen changed),
``still ROUTES`` (the same with none changed), ``filter ROUTES`` (ms of CPU from a key to the filtered list), ``growth
ROUTES TIMES`` (MiB more after so many changes).
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tunnelui.config.route import Route
from tunnelui.engine.model import EngineSnapshot, IdentitySnapshot, IdentityStatus, State, TunnelSnapshot

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from textual.pilot import Pilot

    from tunnelui.engine.model import Event
    from tunnelui.tui.app import TunnelApp

_PROXY: Final = "https://proxy.example.com:443"
_SIZE: Final = (120, 36)
_TICKS: Final = 100
_WARM_UP: Final = 20
_KEYS: Final = "route-1"


class Telling:
    """The part of an engine that a screen reads; nothing is asked of it here."""

    def __init__(self, routes: int, live: int = 0) -> None:
        now = time.time()
        tunnels = tuple(
            TunnelSnapshot(
                Route(f"route-{number:05}", f"host-{number}.example.com:5432", tags=(f"team-{number % 20}",)),
                State.LIVE if number < live else State.READY,
                local=f"127.0.0.1:{10_000 + number}",
                proxy=_PROXY,
                target=f"host-{number}.example.com:5432",
                live=1 if number < live else 0,
                started_at=now,
            )
            for number in range(routes)
        )
        person = IdentitySnapshot(
            "default", _PROXY, IdentityStatus.SIGNED_IN, "alice@example.com", expires_at=now + 36_000
        )
        self.state = EngineSnapshot(1, tunnels, (person,))

    def snapshot(self) -> EngineSnapshot:
        return self.state

    async def history(self, route: str = "") -> tuple[Event, ...]:
        return ()

    async def events(self) -> AsyncIterator[Event]:
        await asyncio.Event().wait()
        yield NotImplemented

    def move(self, count: int) -> None:
        """Let bytes pass through the first *count* routes, and leave the other tunnels the objects they are."""
        busy = tuple(replace(one, bytes_in=one.bytes_in + 100_000) for one in self.state.tunnels[:count])
        self.state = replace(self.state, version=self.state.version + 1, tunnels=(*busy, *self.state.tunnels[count:]))


async def _ticks(app: TunnelApp, pilot: Pilot[None], engine: Telling, moving: int) -> float:
    """Return ms of CPU for one look at the engine."""
    for number in range(_WARM_UP + _TICKS):
        if number == _WARM_UP:
            gc.collect()
            began = time.process_time()
        if moving:
            engine.move(moving)
        app.poll()
        await pilot.pause()
    return (time.process_time() - began) / _TICKS * 1000


async def _filter(app: TunnelApp, pilot: Pilot[None]) -> float:
    """Return ms of CPU from a key to the filtered list, the slowest of a few."""
    await pilot.press("slash")
    slowest = 0.0
    for key in [*_KEYS, "backspace", "backspace"]:
        began = time.process_time()
        await pilot.press("minus" if key == "-" else key)
        await pilot.pause()
        slowest = max(slowest, time.process_time() - began)
    return slowest * 1000


def _pss() -> float:
    for row in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if row.startswith("Pss:"):
            return int(row.split()[1]) / 1024
    raise SystemExit("this system does not tell how much memory a process has")


async def _growth(app: TunnelApp, pilot: Pilot[None], engine: Telling, times: int) -> float:
    """Return MiB more after *times* changes, the first tenth of them left out."""
    before = 0.0
    for number in range(times):
        if number == times // 10:
            gc.collect()
            before = _pss()
        engine.move(5)
        app.poll()
        if not number % 10:
            await pilot.pause()
    gc.collect()
    return _pss() - before


async def _measure(what: str, routes: int, times: int) -> float:
    from tunnelui.tui.app import TunnelApp

    engine = Telling(routes)
    app = TunnelApp(engine)  # type: ignore[arg-type]  # nothing is asked of it
    app.set_interval = lambda *_, **__: None  # type: ignore[method-assign, assignment]  # no looks but ours
    async with app.run_test(size=_SIZE) as pilot:
        await pilot.pause()
        if what == "filter":
            return await _filter(app, pilot)
        if what == "growth":
            return await _growth(app, pilot, engine, times)
        return await _ticks(app, pilot, engine, 2 if what == "tick" else 0)


def main(what: str, routes: int, count: int) -> None:
    if what == "show":
        from tunnelui.cli.ui import show

        asyncio.run(show(Telling(routes, count)))  # type: ignore[arg-type]  # nothing is asked of it
    else:
        print(json.dumps(asyncio.run(_measure(what, routes, count))))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0)
