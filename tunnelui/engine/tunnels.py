"""The tunnels of an engine, one for each route, and the file that their routes are saved in."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from tunnelui.config.route_changes import RouteChange, changed_routes
from tunnelui.config.route_rules import check_route
from tunnelui.config.routes import render_route
from tunnelui.engine.pieces import in_pieces
from tunnelui.engine.succession import new_names, renamed, succeed
from tunnelui.errors import ConfigError
from tunnelui.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from tunnelui.config.route import Route
    from tunnelui.config.routes import RouteFile
    from tunnelui.engine.model import TunnelSnapshot
    from tunnelui.engine.tunnel import Tunnel

__all__ = ["Tunnels"]


class Tunnels:
    """What changes thousands of routes at once does so in pieces: the tunnels that there are go on meanwhile."""

    def __init__(
        self,
        file: RouteFile | None,
        make: Callable[[Route], Tunnel],
        *,
        profiles: Collection[str],
        changed: Callable[[], None],
    ) -> None:
        """
        :param file: is written by every change; without one, routes are kept for this run alone.
        :param profiles: the names of those that routes may have.
        :param changed: is called when there are other tunnels.
        """
        self._file = file
        self._make = make
        self._profiles = profiles
        self._changed = changed
        self._tunnels: dict[str, Tunnel] = {}
        self._told: tuple[TunnelSnapshot, ...] = ()
        self._lock = anyio.Lock()

    def __iter__(self) -> Iterator[Tunnel]:
        return iter(self._tunnels.values())

    @property
    def routes(self) -> list[Route]:
        return [tunnel.route for tunnel in self._tunnels.values()]

    def get(self, name: str) -> Tunnel:
        """
        :raises ConfigError: there is no such route.
        """
        try:
            return self._tunnels[name]
        except KeyError:
            raise ConfigError(f"there is no route “{clean(name, 64)}”", place="name", code="no_such_route") from None

    def snapshot(self) -> tuple[TunnelSnapshot, ...]:
        """Return what can be said of each now: the same object as before where nothing has changed."""
        now = [tunnel.snapshot() for tunnel in self._tunnels.values()]
        if len(now) != len(self._told) or not all(map(operator.is_, now, self._told)):
            self._told = tuple(now)
        return self._told

    async def load(self) -> tuple[Route, ...]:
        """Return the routes of the file, for `begin`.

        :raises ConfigError: it does not parse; the message names every place.
        """
        return () if self._file is None else await anyio.to_thread.run_sync(self._file.load)

    def begin(self, routes: Iterable[Route]) -> None:
        """Make the first tunnels: those of *routes*."""
        self._tunnels = {route.name: self._make(route) for route in routes}

    async def reload(self, *, at_rest: bool = False) -> None:
        """Take the file over if it was changed (*at_rest*: if two calls find the same). What did not change there goes
        on undisturbed.

        :raises ConfigError: the file does not parse; everything stays as it is.
        """
        async with self._lock:
            await self._take_over(at_rest=at_rest)

    async def change(self, changes_now: Callable[[], Sequence[RouteChange]]) -> None:
        """Make changes to what the file says by now, save them, and let the tunnels follow.

        :raises ConfigError: one of them can't be made; nothing was done.
        :raises tunnelui.errors.LocalError: the file can't be written; nothing was done.
        """
        async with self._lock:
            await self._take_over()
            changes = changes_now()
            await _prepare(change.new for change in changes if change.new is not None)
            routes = changed_routes(self.routes, changes, profiles=self._profiles)
            if self._file is not None:
                await anyio.to_thread.run_sync(self._file.save, routes)
            await self._become(routes, new_names(changes))

    async def _take_over(self, *, at_rest: bool = False) -> None:
        """Make the tunnels those of the file, if somebody else changed it."""
        file = self._file
        if file is not None and await anyio.to_thread.run_sync(lambda: file.is_changed(at_rest=at_rest)):
            routes = await anyio.to_thread.run_sync(file.load)
            await self._become(routes, renamed(self.routes, routes))

    async def _become(self, routes: Sequence[Route], names: Mapping[str, str | None] | None = None) -> None:
        """Make the tunnels those of *routes*; *names* says which were renamed or removed."""
        kept, gone = succeed(self._tunnels, routes, names or {})
        after: dict[str, Tunnel] = {}
        async for route in in_pieces(routes):
            tunnel = after[route.name] = kept.get(route.name) or self._make(route)
            tunnel.snapshot()  # or the next look would make all of them at once
        self._tunnels = after
        self._changed()
        for tunnel in gone:
            await tunnel.stop()
        for route in routes:
            if (tunnel := after[route.name]).route != route:
                await tunnel.change_route(route)
        self._changed()


async def _prepare(routes: Iterable[Route]) -> None:
    """Check *routes*, and write down how they are saved, piece by piece. Both is remembered by who does it, so that
    next to nothing is left for `changed_routes`, which says what is wrong, and for `RouteFile.save`."""
    async for route in in_pieces(routes):
        try:
            check_route(route)
        except ConfigError:
            return
        render_route(route)
