"""The file of routes, followed while an engine runs: whoever edits it need not start anything again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import anyio

from tunnelui.engine.model import Event
from tunnelui.errors import TunnelError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tunnelui.engine.local import LocalEngine

__all__ = ["follow_file"]

_LOOK: Final = 1.0


async def _nothing() -> None: ...


async def follow_file(engine: LocalEngine, also: Callable[[], Awaitable[None]] = _nothing) -> None:
    """Take the file of routes over whenever somebody has changed it, and is done: two looks find the same. Runs until
    it is cancelled.

    One that does not parse changes nothing, and is told once.

    :param also: what is done after each look.
    """
    told = ""
    while True:
        await anyio.sleep(_LOOK)
        try:
            await engine.reload(at_rest=True)
            await also()
            told = ""
        except TunnelError as error:
            if str(error) != told:
                told = str(error)
                engine.publish(Event("note", time.time(), f"The saved routes are as before: {error}", "error"))
