"""Driving a `TunnelApp` in tests: a frozen clock, and the screen as text."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from textual.command import Command, CommandList
from textual.events import Paste
from textual.pilot import WaitForScreenTimeout

from tests.support.scripted_engine import ScriptedEngine
from tests.support.tunnel_scenes import IDENTITY, NOW, PROFILES, every_state
from tunnelui.tui.app import TunnelApp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from textual.pilot import Pilot
    from textual.screen import Screen

    from tunnelui.tui.fault_report import Fault

__all__ = ["Clock", "Driven", "drive", "screen_lines"]

SMALL = (80, 24)
LARGE = (120, 36)
_LONG = 12


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, at: float = NOW) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


class Driven:
    """An application on a scripted engine, with its pilot."""

    def __init__(self, app: TunnelApp, engine: ScriptedEngine, clock: Clock, pilot: Pilot[None]) -> None:
        self.app = app
        self.engine = engine
        self.clock = clock
        self.pilot = pilot
        self.expected_faults: tuple[Fault, ...] = ()

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.settle()

    async def enter_text(self, text: str) -> None:
        """Type *text* into whatever has the focus; a long one is pasted, which takes one step and not forty."""
        if len(text) > _LONG and self.app.focused is not None:
            self.app.focused.post_message(Paste(text))
        else:
            await self.pilot.press(*({" ": "space"}.get(character, character) for character in text))
        await self.settle()

    async def find_command(self, words: str) -> None:
        """Type *words* into the palette, and wait until `enter` would run a command that has them."""
        await self.enter_text(words)
        while not self._is_found(words):
            await self._pause(0.02)

    def _is_found(self, words: str) -> bool:
        commands = self.app.screen.query_one(CommandList)
        found = commands.highlighted_option
        return isinstance(found, Command) and words.casefold() in (found.hit.text or "").casefold()

    async def settle(self) -> None:
        """Let keys, requests and their consequences reach the screen."""
        await self._pause()
        while self.app.keys_wait:
            await self._pause(0.01)
        self.app.poll()
        await self._pause()

    async def _pause(self, delay: float | None = None) -> None:
        """Wait, and draw what waits to be drawn. A picture that fails is the application's to tell, as by its timer."""
        try:
            await self.pilot.pause(delay)
        except WaitForScreenTimeout:
            raise
        except Exception as error:
            self.app._handle_exception(error)

    async def wait(self, seconds: float) -> None:
        """Move the clock, and let the screen know."""
        self.clock.at += seconds
        await self.settle()

    def shows(self, kind: type[Screen[Any]]) -> bool:
        """Whether the screen on top is of this *kind*."""
        return isinstance(self.app.screen, kind)

    @property
    def lines(self) -> list[str]:
        return screen_lines(self.app.screen)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def toasts(self) -> list[str]:
        return [notification.message for notification in self.app._notifications]


def screen_lines(screen: Screen[Any]) -> list[str]:
    """Return what stands on the screen, row by row."""
    return ["".join(segment.text for segment in strip) for strip in screen._compositor.render_strips()]


@asynccontextmanager
async def drive(
    engine: ScriptedEngine | None = None, *, size: tuple[int, int] = SMALL, clock: Clock | None = None, **options: Any
) -> AsyncIterator[Driven]:
    """Run the application on *engine* (one tunnel in every state by default) in a terminal of *size* cells."""
    engine = engine or ScriptedEngine(every_state(), [IDENTITY], profiles=PROFILES)
    clock = clock or Clock()
    app = TunnelApp(engine, now=clock, monotonic=clock, ascii_only=options.pop("ascii_only", False), **options)
    async with app.run_test(size=size, notifications=True) as pilot:
        driven = Driven(app, engine, clock, pilot)
        await driven.settle()
        yield driven
        assert driven.app.faults == driven.expected_faults, "a fault that no test asked for"
