"""The warm connections of an engine: one pool for each profile at each proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunnelui.engine.reach import Stages, reach
from tunnelui.engine.warm import WarmPool

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from anyio.abc import TaskGroup

    from tunnelui.config.profile import Profile
    from tunnelui.engine.identities import Contexts
    from tunnelui.engine.reach import Deadlines
    from tunnelui.transport.dial import Resolver
    from tunnelui.transport.endpoint import SocketEndpoint
    from tunnelui.wire.destination import ProxyOrigin

__all__ = ["WarmPools"]


class WarmPools:
    """Makes pools as they are asked for."""

    def __init__(
        self,
        size: int,
        group: Callable[[], TaskGroup],
        contexts: Contexts,
        *,
        deadlines: Deadlines,
        resolve: Resolver,
    ) -> None:
        """
        :param size: connections kept in each pool; with 0 there are no pools.
        :param group: what owns their tasks; asked for with the first pool.
        """
        self._size = size
        self._group = group
        self._contexts = contexts
        self._deadlines = deadlines
        self._resolve = resolve
        self._pools: dict[tuple[Profile, ProxyOrigin], WarmPool] = {}

    def get(self, profile: Profile, proxy: ProxyOrigin) -> WarmPool | None:
        """The one pool of *profile* and *proxy*: their connections look alike to the proxy until a token is sent."""
        if not self._size:
            return None

        async def connect(stages: Stages) -> SocketEndpoint:
            context = await self._contexts.get(profile) if proxy.scheme == "https" else None
            return await reach(proxy, context, stages, deadlines=self._deadlines, resolve=self._resolve)

        key = profile, proxy
        if key not in self._pools:
            self._pools[key] = WarmPool(connect, self._group(), size=self._size)
        return self._pools[key]

    def values(self) -> Collection[WarmPool]:
        return self._pools.values()

    def clear(self) -> None:
        """Close every connection that waits; the pools stay."""
        for pool in self._pools.values():
            pool.clear()
