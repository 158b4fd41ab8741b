"""How a tunnel ended."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from tunnelui.frozen import frozen

if TYPE_CHECKING:
    from tunnelui.errors import PeerError

__all__ = ["RelayCause", "RelayResult"]


class RelayCause(StrEnum):
    """Why a tunnel ended. Only `FINISHED` and `LINGER` are orderly; otherwise both peers have seen a reset."""

    FINISHED = "finished"
    """Both directions ended, and everything was delivered."""
    LINGER = "linger"
    """One side ended, could not be told of it, and the other side then said nothing for the linger time."""
    IDLE = "idle"
    """No byte in either direction for the idle time."""
    ABORTED = "aborted"
    """`Relay.abort` was called."""
    NEAR_RESET = "near_reset"
    FAR_RESET = "far_reset"
    NEAR_TRUNCATED = "near_truncated"
    """TLS ended without ``close_notify``."""
    FAR_TRUNCATED = "far_truncated"
    NEAR_FAILED = "near_failed"
    """Any other failure: time-out of the network, broken TLS record."""
    FAR_FAILED = "far_failed"


@frozen
class RelayResult:
    """How a tunnel ended.

    :param detail: one clause in words, for logs and audit lines.
    :param error: what broke the near or the far side, for those causes.
    """

    cause: RelayCause
    detail: str
    error: PeerError | None = None
