"""Tunnels: what a started route is, how one connection comes about, and the `Engine` that screens and commands use.

`states` holds the law of a tunnel's state; `connector` opens one connection and says what is tried again; `tunnel`
joins a listener, its connections and its state; `local` runs tunnels in this process; `stdio` runs a single one
without a listener. Import `tunnelui.engine.local` for an engine: this package itself loads only values.
"""

from __future__ import annotations

from tunnelui.engine.interface import Engine
from tunnelui.engine.model import (
    ConnectionSnapshot,
    ConnectionState,
    EngineSnapshot,
    Event,
    IdentitySnapshot,
    IdentityStatus,
    Problem,
    SignInSnapshot,
    StageTimings,
    State,
    TunnelSnapshot,
    to_json,
)

__all__ = [
    "ConnectionSnapshot",
    "ConnectionState",
    "Engine",
    "EngineSnapshot",
    "Event",
    "IdentitySnapshot",
    "IdentityStatus",
    "Problem",
    "SignInSnapshot",
    "StageTimings",
    "State",
    "TunnelSnapshot",
    "to_json",
]
