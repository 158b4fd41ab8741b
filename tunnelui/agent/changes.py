"""What is new in a snapshot, as JSON types: only the tunnels that changed, and the order of all if that did.

::

    {"version": 7, "order": ["db", "web"], "tunnels": [{…}], "identities": […], "profiles": […], "notes": […],
     "proxy_mode": {…}}

Every key but ``version`` may be missing, which means: as before. Many changed tunnels come in pieces, the last of which
has the new version and the order; until then, those that are new stand behind the others.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from tunnelui.agent.codec import decode, encode
from tunnelui.engine.model import (
    EngineSnapshot,
    IdentitySnapshot,
    ProfileSnapshot,
    ProxyModeSnapshot,
    TunnelSnapshot,
)
from tunnelui.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PIECE", "apply", "difference"]

PIECE: Final = 100
"""Tunnels in one change at most; to encode or to decode as many takes some milliseconds."""


def difference(old: EngineSnapshot | None, new: EngineSnapshot) -> Iterator[dict[str, Any]]:
    """Yield what turns *old* into *new*, applied one after the other; ``None`` for a reader that knows nothing yet.

    Each is made when it is asked for, and is about as much work as any other. No difference yields nothing.
    """
    if old is not None and old.version == new.version and old == new:
        return
    before = old or EngineSnapshot(-1)
    tunnels, same_order = _changed(before.tunnels, new.tunnels)
    while len(tunnels) > PIECE:
        yield {"version": before.version, "tunnels": encode(tunnels[:PIECE])}
        del tunnels[:PIECE]
    changes: dict[str, Any] = {"version": new.version}
    if old is None or not same_order:
        changes["order"] = [tunnel.route.name for tunnel in new.tunnels]
    if tunnels:
        changes["tunnels"] = encode(tunnels)
    for name in ("identities", "profiles", "notes", "proxy_mode"):
        value = getattr(new, name)
        if value != getattr(before, name):
            changes[name] = encode(value)
    yield changes


def _changed(old: tuple[TunnelSnapshot, ...], new: tuple[TunnelSnapshot, ...]) -> tuple[list[TunnelSnapshot], bool]:
    """Return which of *new* are not in *old* as they are, and whether the names are the same in the same order.

    A tunnel in which nothing has changed is the same object as before, so that it costs a glance.
    """
    if len(old) == len(new):
        news = [(before, after) for before, after in zip(old, new, strict=True) if before is not after]
        if all(before.route.name == after.route.name for before, after in news):
            return [after for before, after in news if before != after], True
    known = {tunnel.route.name: tunnel for tunnel in old}
    return [tunnel for tunnel in new if known.get(tunnel.route.name) != tunnel], False


def apply(old: EngineSnapshot, changes: dict[str, Any]) -> EngineSnapshot:
    """Return *old* with *changes*.

    :raises ProtocolError: they do not fit.
    """
    told = decode(tuple[TunnelSnapshot, ...], changes.get("tunnels", []))
    news = {tunnel.route.name: tunnel for tunnel in told}
    if "order" in changes:
        tunnels = _in_order({tunnel.route.name: tunnel for tunnel in old.tunnels} | news, changes["order"])
    elif news:
        kept = [news.pop(tunnel.route.name, tunnel) for tunnel in old.tunnels]
        tunnels = (*kept, *news.values())
    else:
        tunnels = old.tunnels
    new = replace(old, version=decode(int, changes.get("version")), tunnels=tunnels)
    if "identities" in changes:
        new = replace(new, identities=decode(tuple[IdentitySnapshot, ...], changes["identities"]))
    if "profiles" in changes:
        new = replace(new, profiles=decode(tuple[ProfileSnapshot, ...], changes["profiles"]))
    if "notes" in changes:
        new = replace(new, notes=decode(tuple[str, ...], changes["notes"]))
    if "proxy_mode" in changes:
        new = replace(new, proxy_mode=decode(ProxyModeSnapshot, changes["proxy_mode"]))
    return new


def _in_order(tunnels: dict[str, TunnelSnapshot], order: object) -> tuple[TunnelSnapshot, ...]:
    if not isinstance(order, list) or any(name not in tunnels for name in order):
        raise ProtocolError("changes speak of a tunnel that was never told")
    return tuple(tunnels[name] for name in order)
