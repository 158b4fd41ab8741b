"""The audit trail of sign-ins: one line each, on the logger ``tunnelui_server.audit``.

The fields are attributes of the log record under ``audit``; the log formatter of `tunnelui_server.observe` writes them
as JSON. No token, password, code, cookie or typed-in name is ever among them.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from tunnelui.text import clean

if TYPE_CHECKING:
    from starlette.requests import Request

    from tunnelui_server.sessions import Session

__all__ = ["audit", "client_address", "request_id"]

_LOG: Final = logging.getLogger("tunnelui_server.audit")


def audit(request: Request, event: str, session: Session | None = None, **facts: str | int | float) -> None:
    """Write one line: the event, who, from where, and *facts*, all cleaned."""
    fields: dict[str, str | int | float] = {"request_id": request_id(request), "client": client_address(request)}
    if session is not None:
        fields |= {
            "user": clean(session.person.email or session.person.user_id),
            "session": session.id[:12],
            "provider": session.provider,
        }
    fields |= {key: clean(value) if isinstance(value, str) else value for key, value in facts.items()}
    _LOG.info(event, extra={"audit": fields})


def request_id(request: Request) -> str:
    """The id that this request's answer and log lines carry."""
    return str(request.scope.get("state", {}).get("request_id", ""))


def client_address(request: Request) -> str:
    """The client's IP address, as the gateway told it; empty when it did not."""
    return request.client.host if request.client else ""
