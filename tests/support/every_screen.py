"""Finds the screens of the application by itself, so that a new one can't be forgotten by a test of all of them."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING, Any

from textual.widgets import Input

import tunnelui.tui.screens
from tunnelui.tui.keys.bindings import MOVE
from tunnelui.tui.screens.base import Dialog, TunnelScreen
from tunnelui.tui.screens.fault import FaultPanel

if TYPE_CHECKING:
    from textual.screen import Screen

    from tests.support.screens import Driven

__all__ = ["find_ways", "go", "screen_kinds", "step"]

_LEAVE = {
    *("app.quit_now", "app.interrupt", "app.palette"),
    *(binding.id for binding in MOVE),
    # These change which routes there are to go on with.
    *("tunnel.toggle", "route.hide_stopped", "route.group", "tunnel.mark", "tunnel.mark_shown", "move.zoom"),
}
_DEPTH = 3
_COMMAND = "command "
"""A step with this in front is the name of a command of the palette, and not a key."""


def screen_kinds() -> set[type[Screen[Any]]]:
    """Return every class of screen that is used as such: those that no other one is made from."""
    for module in pkgutil.iter_modules(tunnelui.tui.screens.__path__):
        importlib.import_module(f"tunnelui.tui.screens.{module.name}")
    found: set[type[Screen[Any]]] = set()

    def add(kind: type[Screen[Any]]) -> None:
        below = [one for one in kind.__subclasses__() if one.__module__.startswith("tunnelui.")]
        if not below:
            found.add(kind)
        for one in below:
            add(one)

    add(TunnelScreen)
    add(Dialog)
    return found - {FaultPanel}  # no key leads there: tests/tui/test_faults.py


async def find_ways(driven: Driven) -> dict[type[Screen[Any]], tuple[str, ...]]:
    """Return the way from the first screen to each one that keys and commands lead to. Presses every key of each, but
    for those that do elsewhere what they did already.
    """
    app = driven.app
    ways: dict[type[Screen[Any]], tuple[str, ...]] = {type(app.screen): ()}
    new: list[tuple[type[Screen[Any]], tuple[str, ...]]] = [(type(app.screen), ())]
    wanted = len(screen_kinds())
    start = driven.engine.state
    tried: set[tuple[str | None, str]] = set()
    for command in [each.title for each in app.get_system_commands(app.screen) if ", key " not in each.help]:
        way = (f"{_COMMAND}{command}",)
        await go(driven, way)
        ways.setdefault(type(app.screen), way)
    for _ in range(_DEPTH):
        begun, new = new, []
        for kind, way in reversed(begun):
            await go(driven, way)
            keys = {
                (active.binding.id, active.binding.action): active.binding.key
                for active in app.screen.active_bindings.values()
                if "." in (active.binding.id or "") and active.binding.id not in _LEAVE
            }
            for does, key in keys.items():
                if does in tried:
                    continue
                tried.add(does)
                if len(ways) == wanted:
                    return ways
                driven.engine.set(*start.tunnels, identities=start.identities)
                await go(driven, way)
                if type(app.screen) is not kind:
                    break
                await driven.pilot.press(key)
                reached = type(app.screen)
                if reached not in ways and reached.__module__.startswith("tunnelui."):
                    ways[reached] = (*way, key)
                    new.append((reached, ways[reached]))
    return ways


async def go(driven: Driven, way: tuple[str, ...]) -> None:
    """Go back to the first screen, whatever is on it, and from there by the keys of *way*."""
    while len(driven.app.screen_stack) > 1:
        driven.app.pop_screen()
    if isinstance(driven.app.focused, Input):  # of a filter
        await driven.pilot.press("escape")
    for one in way:
        await step(driven, one)


async def step(driven: Driven, key: str) -> None:
    """Press *key*, or carry out a command of the palette: ``command Theme``."""
    command = key.removeprefix(_COMMAND)
    if command == key:
        await driven.press(key)
        return
    offered = {each.title: each for each in driven.app.get_system_commands(driven.app.screen)}
    offered[command].callback()
    await driven.settle()
