"""A route as it was set up: what it says, and what holds where it says nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunnelui.tui.lines.command_line import equivalent_command
from tunnelui.tui.lines.connect_as import client_command
from tunnelui.tui.lines.format import duration
from tunnelui.tui.lines.words import safe

if TYPE_CHECKING:
    from tunnelui.engine.model import TunnelSnapshot

__all__ = ["config_rows"]


def config_rows(tunnel: TunnelSnapshot) -> list[tuple[str, str, bool]]:
    """Return name, value, and whether the route says so itself, for every setting of the route."""
    route = tunnel.route
    usual = " ".join(client_command(tunnel))
    rows = [
        ("Name", route.name, ""),
        ("Destination", route.destination, ""),
        ("Local", route.listen, "any free port of this machine"),
        ("Profile", route.profile, ""),
        ("Proxy", route.proxy_url, f"{tunnel.proxy or 'none'}, by the profile or the destination"),
        ("Tags", ", ".join(route.tags), "none"),
        ("Autostart", "yes" if route.autostart else "", "no"),
        ("Program", route.command, f"{usual}, the usual one" if usual else "none"),
        ("Note", route.note, "none"),
        ("Connections", f"at most {route.max_connections}" if route.max_connections else "", "as many as come"),
        ("Idle end", f"after {duration(route.idle_timeout)}" if route.idle_timeout else "", "never"),
        ("Stage limit", f"{route.connect_timeout:g} s" if route.connect_timeout else "", "the usual ones"),
        ("Origin", f"discovered at {route.source}" if route.source else "", "made by hand"),
        ("Command", "", " ".join(equivalent_command(route))),
    ]
    return [(name, safe(said, 400) or safe(default, 400), bool(said)) for name, said, default in rows]
