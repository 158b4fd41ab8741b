"""Connections in words and in JSON types, for events."""

from __future__ import annotations

import time
from dataclasses import fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from tunnelui.engine.model import Event, StageTimings
from tunnelui.errors import ConfigError, PeerError

if TYPE_CHECKING:
    from tunnelui.engine.connection import Connection
    from tunnelui.errors import TunnelError

__all__ = ["connection_facts", "ended_message", "error_facts", "opened_message", "trouble", "woke"]

_STAGES: Final = tuple(field.name for field in fields(StageTimings))
_seconds_of: Final = attrgetter(*_STAGES)


def connection_facts(connection: Connection, error: TunnelError | None = None) -> dict[str, Any]:
    """Return ``peer``, ``timings`` (seconds for each stage reached), and what else is known by now.

    ``bytes_in``, ``bytes_out``, ``duration``, ``cause`` and ``lost`` (the network lost it) once it was open and ended;
    ``code``, ``message``, ``hint``, ``stage`` and ``status`` with an error.
    """
    each = zip(_STAGES, _seconds_of(connection.stages), strict=True)
    # In this form much quicker than with a number of digits.
    timings = {stage: round(seconds * 1e6) / 1e6 for stage, seconds in each if seconds is not None}
    facts: dict[str, Any] = {"peer": connection.peer, "timings": timings, "request_id": connection.request_id}
    if connection.tls:
        facts["tls"] = connection.tls
    if connection.closed_at is not None:
        facts |= {
            "bytes_in": connection.bytes_in,
            "bytes_out": connection.bytes_out,
            "duration": round(connection.closed_at - connection.opened_at, 6),
            "cause": connection.cause,
            "lost": connection.lost,
        }
    if error is not None:
        facts |= error_facts(error)
    return facts


def error_facts(error: TunnelError) -> dict[str, Any]:
    """Return the error as JSON types."""
    facts: dict[str, Any] = {"code": error.code, "message": str(error), "hint": error.hint}
    if error.request_id is not None:
        facts["request_id"] = error.request_id
    if isinstance(error, PeerError):
        facts |= {"stage": error.stage, "address": error.address, "detail": error.detail, "status": error.status}
    if isinstance(error, ConfigError):
        facts["place"] = error.place
    return facts


def opened_message(connection: Connection) -> str:
    handshake = connection.timings.handshake or 0.0
    tls = f" ({connection.tls})" if connection.tls else ""
    return f"tunnel open in {handshake * 1000:.0f} ms{tls}"


def ended_message(connection: Connection) -> str:
    seconds = (connection.closed_at or time.time()) - connection.opened_at
    who = f"{connection.peer} closed" if connection.peer else "closed"
    return f"{who} after {seconds:.1f} s, in {connection.bytes_in} out {connection.bytes_out} bytes: {connection.cause}"


def woke(lost: float) -> Event:
    """Return what is said after *lost* seconds in which everything stood still."""
    message = f"everything stood still for {lost:.0f} s; open connections are checked"
    return Event("note", time.time(), message, data={"code": "woke", "seconds": round(lost, 1)})


def trouble(error: TunnelError, route: str) -> Event:
    """Return a note that *route* has an *error* that stops nothing."""
    return Event("note", time.time(), str(error), "warning", route, data={"code": error.code})
