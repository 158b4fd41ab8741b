"""Where a route leads, once its profile is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunnelui.wire.destination import Destination, parse_destination

if TYPE_CHECKING:
    from tunnelui.config.profile import Profile
    from tunnelui.config.route import Route

__all__ = ["resolve_destination"]


def resolve_destination(route: Route, profile: Profile) -> Destination:
    """Return the target and the proxy of *route*.

    The proxy is, in this order: the route's own ``proxy_url``; the one that the destination names itself
    (``tcp+https://PROXY/HOST:PORT``); the profile's; the one that follows from the destination's host.

    :raises tunnelui.wire.destination.DestinationError: the destination or a proxy URL does not parse.
    """
    destination = parse_destination(route.destination, proxy_url=route.proxy_url or None)
    if route.proxy_url or destination.is_bastion or not profile.proxy_url:
        return destination
    return parse_destination(route.destination, proxy_url=profile.proxy_url)
