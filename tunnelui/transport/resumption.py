"""TLS sessions of the client that may be taken up again (RFC 8446 section 2.2, RFC 5077).

A resumed handshake checks neither the chain nor the name of the certificate again: both were checked when the session
began, under the settings of one context, for one name. So sessions belong to a context, which one profile has, and are
found by the name that was checked and the address that was dialled. They carry no token. Only a full handshake gives
one to remember: so every check is repeated within the hour.
"""

from __future__ import annotations

import ssl
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Place", "ResumingContext", "name_expected"]

Place = tuple[str, str]
"""The server name that is checked, and the address."""

_MOST: Final = 64
# Seconds. What was checked is checked anew after this at the latest, however long the server would allow.
_MAX_AGE: Final = 3600.0


class ResumingContext(ssl.SSLContext):
    """Client settings that remember the last session with each server, in memory, at most 64 of them."""

    _sessions: OrderedDict[Place, tuple[ssl.SSLSession, float]]
    clock: Callable[[], float] = staticmethod(time.time)
    server_name: str
    """The name that the server is asked for and its certificate must have; empty: that of the host."""

    def __new__(cls, protocol: int = ssl.PROTOCOL_TLS_CLIENT) -> ResumingContext:
        context: ResumingContext = super().__new__(cls, protocol)
        context._sessions = OrderedDict()
        context.server_name = ""
        return context

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """A library that knows only the host's name checks for ours as well."""
        return super().wrap_bio(incoming, outgoing, server_side, self.server_name or server_hostname, session)

    def session_for(self, place: Place) -> ssl.SSLSession | None:
        """The session to offer to *place*, unless it is too old."""
        found = self._sessions.get(place)
        if found is None:
            return None
        session, kept_at = found
        # The wall clock: a session ages while the machine sleeps. One from the future is of no use either.
        if not 0 <= self.clock() - kept_at < _lifetime(session):
            del self._sessions[place]
            return None
        return session

    def keep(self, place: Place, session: ssl.SSLSession | None) -> None:
        """Remember the *session* of a full handshake in place of an older one."""
        if session is None or not session.has_ticket:
            return
        self._sessions[place] = session, self.clock()
        self._sessions.move_to_end(place)
        while len(self._sessions) > _MOST:
            self._sessions.popitem(last=False)

    def forget(self, place: Place) -> None:
        """A handshake with the session failed."""
        self._sessions.pop(place, None)


def _lifetime(session: ssl.SSLSession) -> float:
    # A server that gives no hint means the session's own time-out.
    hint = session.ticket_lifetime_hint or session.timeout
    return min(float(session.timeout), float(hint), _MAX_AGE)


def name_expected(context: ssl.SSLContext, host: str) -> str:
    """Return the name to ask *host* for and to check its certificate against."""
    return (context.server_name if isinstance(context, ResumingContext) else "") or host
