"""The audit trail of tunnels: one line when a CONNECT is decided, one when its tunnel ends."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tunnelui_server.observe.logs import AUDIT_LOGGER

if TYPE_CHECKING:
    from tunnelui.wire.address import HostPort
    from tunnelui_server.identity.person import Person
    from tunnelui_server.policy import Decision, Route

__all__ = ["TunnelAudit"]

_LOG: Final = logging.getLogger(AUDIT_LOGGER)


@dataclass(slots=True)
class TunnelAudit:
    """The story of one CONNECT. ``request_id`` is in the answer too and joins it all.

    Exactly one ``tunnel decided`` line is written; ``tunnel ended`` follows where a tunnel was opened.
    """

    request_id: str
    client: str
    authority: HostPort
    route: Route | None = None
    person: Person | None = None
    session_id: str | None = None
    _began: float = field(default_factory=time.monotonic)

    def decided(self, decision: Decision, status: int, *, cause: str = "", detail: str = "", peer: str = "") -> None:
        """Say what was decided and what the client was told.

        :param cause: why an allowed tunnel was not opened: ``limit_user``, ``upstream_refused``, ...
        :param peer: the address that was dialled.
        """
        facts: dict[str, Any] = {
            "status": status,
            "allow": decision.allow,
            "rule": decision.rule,
            "reasons": decision.reasons,
            "duration": time.monotonic() - self._began,
        }
        if cause:
            facts["cause"] = cause
        if detail:
            facts["detail"] = detail
        if peer:
            facts["peer"] = peer
        self._write("tunnel decided", facts)

    def ended(self, *, cause: str, detail: str, to_client: int, to_upstream: int, seconds: float) -> None:
        """Say how the tunnel ended, and what it moved."""
        self._write(
            "tunnel ended",
            {
                "cause": cause,
                "detail": detail,
                "bytes_to_client": to_client,
                "bytes_to_upstream": to_upstream,
                "duration": seconds,
            },
        )

    def _write(self, event: str, facts: dict[str, Any]) -> None:
        fields: dict[str, Any] = {
            "request_id": self.request_id,
            "client": self.client,
            "authority": str(self.authority),
        }
        if self.person is not None:
            fields["user"] = self.person.email or self.person.user_id
            fields["user_id"] = self.person.user_id
        if self.session_id:
            fields["session"] = self.session_id[:12]
        if self.route is not None:
            fields |= {"route": self.route.label, "route_id": self.route.id, "upstream": str(self.route.to)}
        # Who calls is known, and finding out would take as long as looking through every field for secrets.
        if _LOG.isEnabledFor(logging.INFO):
            extra = {"audit": fields | facts}
            _LOG.handle(_LOG.makeRecord(_LOG.name, logging.INFO, __file__, 0, event, (), None, extra=extra))
