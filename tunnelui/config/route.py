"""A route: a saved destination."""

from __future__ import annotations

from tunnelui.frozen import frozen

__all__ = ["DEFAULT_PROFILE", "Route"]

DEFAULT_PROFILE = "default"


@frozen
class Route:
    """What the user saved. Every field is text that was valid when it was saved; parsing happens where it is used.

    :param name: unique, 1 to 64 characters.
    :param destination: as `tunnelui.wire.destination.parse_destination` reads it.
    :param listen: as `tunnelui.wire.address.parse_listen` reads it; empty means any free loopback port.
    :param profile: whose proxy, identity and TLS settings are used.
    :param proxy_url: overrides the proxy of destination and profile; empty means no override.
    :param note: one line for people.
    :param command: the program that uses the route, with ``{host}`` and ``{port}``: ``psql -h {host} -p {port}``.
    :param max_connections: at the same time; 0 means as many as there may be.
    :param idle_timeout: seconds without a byte after which a connection is ended; 0 means never.
    :param connect_timeout: seconds for each stage of opening a tunnel; 0 means the usual ones.
    :param source: where a discovered route came from; empty for one that a person made.
    """

    name: str
    destination: str
    listen: str = ""
    profile: str = DEFAULT_PROFILE
    proxy_url: str = ""
    tags: tuple[str, ...] = ()
    autostart: bool = False
    note: str = ""
    command: str = ""
    max_connections: int = 0
    idle_timeout: float = 0.0
    connect_timeout: float = 0.0
    source: str = ""
