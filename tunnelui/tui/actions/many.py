"""One verb for many tunnels, one after the other, whatever becomes of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunnelui.errors import TunnelError
from tunnelui.tui.lines.words import safe

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from tunnelui.tui.host import Host

__all__ = ["ManyTunnels"]


class ManyTunnels:
    """Starts, stops and restarts, and says how many it was and what went wrong first. Who stops tunnels that are still
    to be started means those as well.
    """

    def __init__(self, app: Host) -> None:
        self._app = app
        self._to_start: set[str] = set()
        self._started: dict[str, None] = {}
        """By the starts under way: the view may not have them yet."""

    @property
    def to_start(self) -> bool:
        """Whether any are still to be started."""
        return bool(self._to_start)

    def start(self, names: Sequence[str]) -> None:
        self._to_start.update(names)
        self._app.carry_out(self._start(names))

    def restart(self, names: Sequence[str]) -> None:
        self._app.carry_out(self._for_each(names, self._app.engine.restart, "Restarted"))

    def stop(self, names: Sequence[str], *, all_others: bool = False) -> None:
        """Stop *names*, and start none of them; with *all_others* nothing else either."""
        if all_others:
            names = tuple(dict.fromkeys((*names, *self._started)))
            self._to_start.clear()
        self._to_start.difference_update(names)
        self._app.carry_out(self._for_each(names, self._app.engine.stop, "Stopped"))

    async def _start(self, names: Sequence[str]) -> None:
        async def start(name: str) -> None:
            try:
                await self._app.engine.start(name)
                self._started[name] = None
                if name not in self._to_start:
                    await self._app.engine.stop(name)
            finally:
                self._to_start.discard(name)

        try:
            await self._for_each((name for name in names if name in self._to_start), start, "Started")
        finally:
            self._to_start.difference_update(names)
            if not self._to_start:
                self._started.clear()

    async def _for_each(self, names: Iterable[str], act: Callable[[str], Awaitable[None]], done: str) -> None:
        failed: list[TunnelError] = []
        count = 0
        for name in names:
            try:
                await act(name)
            except TunnelError as error:
                failed.append(error)
            else:
                count += 1
        if failed:
            whole = count + len(failed)
            self._app.say(f"{done} {count} of {whole}. First trouble: {safe(str(failed[0]), 200)}", "error")
        elif count:
            self._app.say(f"{done} 1 tunnel." if count == 1 else f"{done} {count} tunnels.", about="many tunnels")
