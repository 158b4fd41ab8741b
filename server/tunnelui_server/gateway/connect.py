"""One CONNECT, from its head to the end of its tunnel.

The authority is looked up among the routes and is never dialled. Every answer but 200 reads the same for a destination
that exists and for one that does not, and towards pomerium-cli no status is used that would make it drop its token.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tunnelui.errors import LocalError, PeerError, ProtocolError, UpstreamError
from tunnelui.transport.dial import DialTimeouts, dial, system_resolver
from tunnelui.transport.endpoint import PlainEndpoint
from tunnelui.transport.scope import Scope
from tunnelui_server.gateway.answers import Refusal, opened
from tunnelui_server.gateway.open_tunnel import OpenTunnel
from tunnelui_server.gateway.quota import Exceeded, Quota, address_key
from tunnelui_server.observe import TunnelAudit
from tunnelui_server.policy import Decision, Route, RouteTable, decide
from tunnelui_server.sessions import InvalidToken, SessionStore, StoreError, TokenSigner, find_token

if TYPE_CHECKING:
    from collections.abc import Callable

    from tunnelui.transport.dial import Resolver
    from tunnelui.transport.endpoint import Endpoint
    from tunnelui.wire.address import HostPort
    from tunnelui.wire.answering import RequestHead
    from tunnelui_server.config import ServerConfig
    from tunnelui_server.gateway.live import LiveTunnel, LiveTunnels
    from tunnelui_server.gateway.quota import Lease

__all__ = ["Tunneller"]

BAD_REQUEST: Final = Refusal(400, "bad_request")
DENIED: Final = Refusal(403, "denied")
BUSY: Final = Refusal(503, "busy", retry_after=5)
UPSTREAM_UNAVAILABLE: Final = Refusal(503, "upstream_unavailable", retry_after=5)
UNAVAILABLE: Final = Refusal(503, "unavailable", retry_after=2)

_UNDECIDED: Final = Decision(False, False, "", ())
_SESSION_CAUSES: Final = ("session_expired", "session_revoked")


@dataclass(frozen=True)
class _Request:
    """What is known about the CONNECT while it is decided."""

    endpoint: Endpoint
    head: RequestHead
    peer: str
    sign_in_url: Callable[[], str]
    audit: TunnelAudit
    settle: Callable[[], None]
    leave: Callable[[], None]


@dataclass(frozen=True)
class Tunneller:
    """Decides and carries tunnels.

    :param resolve: looks up upstream names.
    """

    config: ServerConfig
    store: SessionStore
    signer: TokenSigner
    live: LiveTunnels
    quota: Quota
    resolve: Resolver = system_resolver
    routes: RouteTable = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "routes", RouteTable(self.config.routes))

    async def serve(
        self,
        endpoint: Endpoint,
        head: RequestHead,
        authority: HostPort,
        peer: str,
        *,
        sign_in_url: Callable[[], str],
        settle: Callable[[], None],
        leave: Callable[[], None],
    ) -> bytes | None:
        """Open the tunnel that *head* asks for. It goes on by itself.

        :param authority: what the CONNECT names.
        :param peer: the client's address.
        :param sign_in_url: tells where a person signs in.
        :param settle: called once the client has proved that it may be here.
        :param leave: called at the end of the tunnel, if there is one.
        :returns: the answer to send when there is no tunnel; None when there is one, or was: *endpoint* is its own.
        """
        audit = TunnelAudit(str(uuid.uuid4()), peer, authority, route=self.routes.find(authority))
        request = _Request(endpoint, head, peer, sign_in_url, audit, settle, leave)
        refusal = await self._serve(request)
        return refusal.render(audit.request_id, head.headers) if refusal else None

    async def _serve(self, request: _Request) -> Refusal | None:
        route, audit = request.audit.route, request.audit
        session_id = None
        reason = ""
        if route is None or not route.is_public:
            try:
                token = find_token(request.head.headers.get_all)
                session_id = self.signer.verify(token) if token else None
            except ProtocolError as error:
                audit.decided(_UNDECIDED, 400, cause="bad_request", detail=error.message)
                return BAD_REQUEST
            except InvalidToken as error:
                reason = f"token-{error.code}"
        audit.session_id = session_id
        refusal: Refusal | None = None
        tunnel = self.live.add(session_id)
        try:
            with Scope() as tunnel.scope:
                refusal = await self._decide(request, tunnel, reason)
        finally:
            tunnel.scope = None
            if not tunnel.opened:
                self.live.remove(tunnel)
        if refusal is not None or tunnel.opened:
            return refusal
        # It was cut before it was open, and the client still waits for a word.
        cause = tunnel.cause or "shutdown"
        if cause in _SESSION_CAUSES:
            audit.decided(decide(route, None, self.config.groups), 302, cause=cause)
            return Refusal(302, "sign_in_needed", location=request.sign_in_url())
        audit.decided(_UNDECIDED, 503, cause=cause)
        return UNAVAILABLE

    async def _decide(self, request: _Request, tunnel: LiveTunnel, reason: str) -> Refusal | None:
        audit, session = request.audit, None
        if tunnel.session_id is not None:
            try:
                session = await self.store.get(tunnel.session_id)
            except StoreError as error:
                audit.decided(_UNDECIDED, 503, cause="store_unavailable", detail=error.message)
                return UNAVAILABLE
            reason = "" if session else "session-ended"
        if session is not None:
            audit.person, tunnel.expires_at = session.person, session.expires_at
        decision = decide(audit.route, audit.person, self.config.groups)
        if decision.needs_sign_in:
            audit.decided(decision, 302, cause=reason)
            return Refusal(302, "sign_in_needed", location=request.sign_in_url())
        if not decision.allow or audit.route is None:
            audit.decided(decision, 403)
            return DENIED
        request.settle()
        user = f"user:{session.person.user_id}" if session else f"address:{address_key(request.peer)}"
        try:
            lease = self.quota.tunnel(user, audit.route.id)
        except Exceeded as exceeded:
            audit.decided(decision, 503, cause=exceeded.cause)
            return BUSY
        try:
            return await self._open(request, audit.route, decision, tunnel, lease)
        finally:
            if not tunnel.opened:
                lease.release()

    async def _open(
        self, request: _Request, route: Route, decision: Decision, tunnel: LiveTunnel, lease: Lease
    ) -> Refusal | None:
        limits = self.config.limits
        try:
            dialed = await dial(
                route.to,
                timeouts=DialTimeouts(tcp=limits.upstream_connect_timeout),
                error=UpstreamError,
                resolve=self.resolve,
                allow=route.may_dial,
            )
        except (UpstreamError, LocalError) as error:
            # What exactly is wrong is the administrator's to read, not the client's.
            request.audit.decided(decision, 503, cause=f"upstream_{error.code}", detail=error.message)
            return UPSTREAM_UNAVAILABLE
        if tunnel.cause is not None:  # cut in the very moment when the dial succeeded: no scope stops us any more
            dialed.sock.close()
            return None
        carried = OpenTunnel(
            request.endpoint,
            PlainEndpoint(dialed.sock, address=str(route.to), error=UpstreamError),
            tunnel=tunnel,
            live=self.live,
            lease=lease,
            audit=request.audit,
            leave=request.leave,
            idle_timeout=route.idle_timeout,
            max_age=route.timeout,
        )
        try:
            request.audit.decided(decision, 200, peer=str(dialed.peer))
            with request.endpoint.within(limits.head_timeout):
                await request.endpoint.send_all(opened(request.audit.request_id))
        except (PeerError, TimeoutError) as error:
            carried.end("client_lost", str(error) or "the answer could not be sent")
        except BaseException:
            carried.end("shutdown", "")
            raise
        else:
            carried.start()
        return None
