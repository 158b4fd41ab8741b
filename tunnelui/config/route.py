"""A route: a saved destination."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFAULT_PROFILE", "Route"]

DEFAULT_PROFILE = "default"


@dataclass(frozen=True, slots=True)
class Route:
    """What the user saved. Every field is text that was valid when it was saved; parsing happens where it is used.

    :param name: unique, 1 to 64 characters.
    :param destination: as `tunnelui.wire.destination.parse_destination` reads it.
    :param listen: as `tunnelui.wire.address.parse_listen` reads it; empty means any free loopback port.
    :param profile: whose proxy, identity and TLS settings are used.
    :param proxy_url: overrides the proxy of destination and profile; empty means no override.
    """

    name: str
    destination: str
    listen: str = ""
    profile: str = DEFAULT_PROFILE
    proxy_url: str = ""
    tags: tuple[str, ...] = ()
    autostart: bool = False
