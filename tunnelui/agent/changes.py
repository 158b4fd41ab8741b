"""What is new in a snapshot, as JSON types: only the tunnels that changed, and their order if that did.

::

    {"version": 7, "order": ["db", "web"], "tunnels": [{…}], "identities": […], "profiles": […], "notes": […],
     "proxy_mode": {…}}

Every key but ``version`` may be missing, which means: as before.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tunnelui.agent.codec import decode, encode
from tunnelui.engine.model import (
    EngineSnapshot,
    IdentitySnapshot,
    ProfileSnapshot,
    ProxyModeSnapshot,
    TunnelSnapshot,
)
from tunnelui.errors import ProtocolError

__all__ = ["apply", "difference"]


def difference(old: EngineSnapshot | None, new: EngineSnapshot) -> dict[str, Any]:
    """Return what turns *old* into *new*; ``None`` for a reader that knows nothing yet. Empty: nothing."""
    if old is not None and old.version == new.version and old == new:
        return {}
    before = old or EngineSnapshot(-1)
    known = {tunnel.route.name: tunnel for tunnel in before.tunnels}
    order = [tunnel.route.name for tunnel in new.tunnels]
    changes: dict[str, Any] = {"version": new.version}
    if old is None or order != list(known):
        changes["order"] = order
    tunnels = [tunnel for tunnel in new.tunnels if known.get(tunnel.route.name) != tunnel]
    if tunnels:
        changes["tunnels"] = encode(tunnels)
    for name in ("identities", "profiles", "notes", "proxy_mode"):
        value = getattr(new, name)
        if value != getattr(before, name):
            changes[name] = encode(value)
    return changes


def apply(old: EngineSnapshot, changes: dict[str, Any]) -> EngineSnapshot:
    """Return *old* with *changes*.

    :raises ProtocolError: they do not fit.
    """
    tunnels = {tunnel.route.name: tunnel for tunnel in old.tunnels}
    tunnels |= {tunnel.route.name: tunnel for tunnel in decode(tuple[TunnelSnapshot, ...], changes.get("tunnels", []))}
    order = changes.get("order", list(tunnels))
    if not isinstance(order, list) or any(name not in tunnels for name in order):
        raise ProtocolError("changes speak of a tunnel that was never told")
    new = replace(old, version=decode(int, changes.get("version")), tunnels=tuple(tunnels[name] for name in order))
    if "identities" in changes:
        new = replace(new, identities=decode(tuple[IdentitySnapshot, ...], changes["identities"]))
    if "profiles" in changes:
        new = replace(new, profiles=decode(tuple[ProfileSnapshot, ...], changes["profiles"]))
    if "notes" in changes:
        new = replace(new, notes=decode(tuple[str, ...], changes["notes"]))
    if "proxy_mode" in changes:
        new = replace(new, proxy_mode=decode(ProxyModeSnapshot, changes["proxy_mode"]))
    return new
