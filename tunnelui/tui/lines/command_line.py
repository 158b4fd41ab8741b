"""The shell command that does what a route does."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from tunnelui.config.route import DEFAULT_PROFILE

if TYPE_CHECKING:
    from tunnelui.config.route import Route

__all__ = ["equivalent_command"]


def equivalent_command(route: Route) -> list[str]:
    """Return the parts of the command, each of which may stand on a line of its own."""
    parts = [f"tunnelui tcp {shlex.quote(route.destination)}"]
    if route.proxy_url:
        parts.append(f"--proxy-url {shlex.quote(route.proxy_url)}")
    if route.listen:
        parts.append(f"--listen {shlex.quote(route.listen)}")
    if route.profile not in ("", DEFAULT_PROFILE):
        parts.append(f"--profile {shlex.quote(route.profile)}")
    return parts
