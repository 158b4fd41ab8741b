"""What a tunnel needs of its engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from tunnelui.config.route import Route
    from tunnelui.engine.connector import Connector
    from tunnelui.engine.model import Event
    from tunnelui.engine.vigil import Vigil
    from tunnelui.transport.jobs import Jobs
    from tunnelui.wire.destination import Destination

__all__ = ["Host"]


class Host(Protocol):
    """The engine, as its tunnels see it (`tunnelui.engine.local.LocalEngine`)."""

    group: TaskGroup
    jobs: Jobs
    linger: float
    max_connections: int
    vigil: Vigil

    def connector(self, route: Route) -> Connector:
        """:raises tunnelui.errors.ConfigError: the route can't be used as it stands."""

    def destination(self, route: Route) -> Destination:
        """:raises tunnelui.errors.ConfigError: the route can't be used as it stands."""

    def next_id(self) -> int: ...

    def port_of(self, route: str) -> int:
        """Return the local port that *route* had the last time, or 0."""

    def got_port(self, route: str, port: int) -> None:
        """The system chose *port*."""

    def publish(self, event: Event) -> None:
        """Hand an event to every reader; the snapshot has changed."""
