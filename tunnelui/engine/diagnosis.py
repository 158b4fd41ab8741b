"""Walks the way of one connection and says where it ends: names, TCP, TLS, the proxy, the token, CONNECT, first byte.

Nothing is changed by it: no sign-in begins, no token is forgotten, nothing is tried twice.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import anyio

from tunnelui.auth.login_url import fetch_login_url
from tunnelui.config.route import DEFAULT_PROFILE
from tunnelui.engine.backoff import NO_RETRIES
from tunnelui.engine.connector import Connector, Opened
from tunnelui.engine.findings import STAGES, Finding, Outcome
from tunnelui.engine.probe import QuietObserver
from tunnelui.engine.reach import DEADLINES, Deadlines, add_tls, dial_proxy
from tunnelui.errors import AuthError, PeerError, ProxyError, SignInNeeded, TunnelError
from tunnelui.text import clean
from tunnelui.transport.certificate import certificate_names, certificate_validity
from tunnelui.transport.dial import look_up
from tunnelui.transport.resolver import system_resolver
from tunnelui.transport.tls import TLSEndpoint
from tunnelui.transport.way_out import outgoing_proxy

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
    from typing import TypeAlias

    from tunnelui.auth.credentials import Credentials
    from tunnelui.auth.tokens import Token
    from tunnelui.config.profile import Profile
    from tunnelui.engine.identities import Contexts
    from tunnelui.transport.dial import AddrInfo, Resolver
    from tunnelui.transport.endpoint import SocketEndpoint
    from tunnelui.wire.destination import Destination, ProxyOrigin

    Context: TypeAlias = Callable[[], Awaitable[ssl.SSLContext]]

__all__ = ["STAGES", "Finding", "Outcome", "diagnose", "diagnose_as"]

_SOON: Final = 14 * 86400.0
_GREETING: Final = 1.0
"""Seconds for a service that speaks first."""
_SHOWN_NAMES: Final = 8
_NOBODY_LISTENS: Final = "http://127.0.0.1:49151/diagnose"
"""A port that is reserved and never given out; servers refuse those below 1024."""
_WITHOUT_TLS: Final = "Use https:// for a proxy on another machine."


def diagnose_as(
    profile: Profile,
    destination: Destination,
    credentials: Credentials,
    contexts: Contexts,
    *,
    resolve: Resolver = system_resolver,
    deadlines: Deadlines = DEADLINES,
) -> AsyncGenerator[Finding, None]:
    """`diagnose` with what *profile* says of TLS."""

    async def login() -> Any:
        return await fetch_login_url(destination.proxy, _NOBODY_LISTENS, ssl_context=lambda: contexts.make(profile))

    return diagnose(
        destination,
        credentials,
        lambda: contexts.get(profile),
        login=login,
        resolve=resolve,
        deadlines=deadlines,
    )


async def diagnose(
    destination: Destination,
    credentials: Credentials,
    context: Context,
    *,
    login: Callable[[], Any],
    resolve: Resolver = system_resolver,
    deadlines: Deadlines = DEADLINES,
) -> AsyncGenerator[Finding, None]:
    """Yield one finding for each of `STAGES`, as they pass.

    :param context: gives the TLS settings for the proxy (a coroutine function); called for ``https`` alone.
    :param login: asks the proxy for its sign-in address (a coroutine function), to see whether it speaks the protocol.
    """
    failed = False
    reason = ""
    async for finding in _way_to_the_proxy(destination, context, resolve, deadlines):
        failed = failed or finding.outcome is Outcome.FAIL
        yield finding
    if failed:
        reason = "the proxy was not reached"
        yield Finding("proxy", Outcome.SKIP, reason)
    else:
        yield await _sign_in_protocol(login, deadlines)
    token, finding = await _token(credentials)
    yield finding
    if failed:
        yield Finding("connect", Outcome.SKIP, reason)
        yield Finding("first_byte", Outcome.SKIP, reason)
        return
    opened: Opened | None = None
    try:
        opened, finding = await _connect(
            destination, _AsItIs(token, _sign_in_hint(credentials)), context, resolve, deadlines
        )
        yield finding
        if opened is None:
            yield Finding("first_byte", Outcome.SKIP, "there is no tunnel")
        else:
            yield await _first_byte(opened.far)
    finally:
        if opened is not None:
            opened.far.close()


class _AsItIs:
    """An identity that uses the token at hand and never asks for another (`tunnelui.engine.connector.Identity`)."""

    def __init__(self, token: Token | None, hint: str) -> None:
        self._token = token
        self._hint = hint

    async def current(self) -> Token | None:
        return self._token

    async def renew(self, rejected: Token | None, *, route: str = "") -> Token:
        if rejected is None:
            raise SignInNeeded("the proxy asks for a sign-in", hint=self._hint)
        raise SignInNeeded(
            "the proxy does not take this token any more", code="expired", hint="Run: tunnelui logout, tunnelui login"
        )


async def _way_to_the_proxy(
    destination: Destination, context: Context, resolve: Resolver, deadlines: Deadlines
) -> AsyncIterator[Finding]:
    way = _Way(destination.proxy, context, resolve, deadlines)
    broken = False
    try:
        for stage, walk in (("dns", way.look_up), ("tcp", way.dial), ("tls", way.add_tls)):
            if broken:
                yield Finding(stage, Outcome.SKIP, "the stage before it failed")
                continue
            try:
                finding = await walk()
            except TunnelError as error:
                broken = True
                finding = _failure(stage, error)
            yield finding
    finally:
        way.close()


class _Way:
    """The way to *proxy*, a stage at a time, as `tunnelui.engine.reach.reach` goes it at once."""

    def __init__(self, proxy: ProxyOrigin, context: Context, resolve: Resolver, deadlines: Deadlines) -> None:
        self._proxy = proxy
        self._context = context
        self._resolve = resolve
        self._deadlines = deadlines
        self._stages = QuietObserver()
        self._sock: socket.socket | None = None
        self._far: SocketEndpoint | None = None

    async def look_up(self) -> Finding:
        proxy = self._proxy
        if (outgoing := outgoing_proxy(proxy.scheme, proxy.host)) is not None:
            return Finding("dns", Outcome.OK, f"{proxy.host} is looked up by the outgoing proxy {outgoing.address}")
        began = time.monotonic()
        found = await look_up(proxy.address, timeout=self._deadlines.dns, resolve=self._resolve, error=ProxyError)
        seconds = time.monotonic() - began
        words = "resolves" if found[0].sockaddr[0] != proxy.host else "is an address, not a name"

        async def known(host: str, port: int) -> Sequence[AddrInfo]:
            return found

        self._resolve = known
        return Finding("dns", Outcome.OK, f"{proxy.host} {words}", seconds=seconds)

    async def dial(self) -> Finding:
        self._sock = await dial_proxy(self._proxy, self._stages, deadlines=self._deadlines, resolve=self._resolve)
        return Finding("tcp", Outcome.OK, f"{self._proxy.address} answers", seconds=self._stages.timings.tcp)

    async def add_tls(self) -> Finding:
        if self._proxy.scheme != "https" or self._sock is None:
            return Finding("tls", Outcome.WARNING, "the proxy is reached without TLS", _WITHOUT_TLS)
        context = await self._context()
        sock, self._sock = self._sock, None
        self._far = await add_tls(sock, self._proxy, context, self._stages, deadlines=self._deadlines)
        words, facts = _tls_words(self._far, self._stages), _tls_facts(self._far)
        return _about_certificate(Finding("tls", Outcome.OK, words, seconds=self._stages.timings.tls, facts=facts))

    def close(self) -> None:
        if self._sock is not None:
            self._sock.close()
        if self._far is not None:
            self._far.close()


def _tls_words(far: SocketEndpoint | None, stages: QuietObserver) -> str:
    cipher = far.cipher if isinstance(far, TLSEndpoint) else ""
    return f"{stages.tls} {cipher}".strip()


def _tls_facts(far: SocketEndpoint | None) -> dict[str, Any]:
    der = far.peer_certificate if isinstance(far, TLSEndpoint) else None
    if der is None:
        return {}
    validity = certificate_validity(der)
    names = [clean(name, 260) for name in certificate_names(der)[:_SHOWN_NAMES]]
    return {"names": names, "valid_from": validity and validity[0], "valid_until": validity and validity[1]}


def _about_certificate(finding: Finding) -> Finding:
    until = finding.facts.get("valid_until")
    if until is None:
        return finding
    names = ", ".join(finding.facts["names"]) or "no names"
    day = time.strftime("%Y-%m-%d", time.gmtime(until))
    message = f"{finding.message}; a certificate for {names}, valid until {day}"
    if until - time.time() > _SOON:
        return Finding(finding.stage, finding.outcome, message, "", finding.seconds, finding.facts)
    hint = "Tell the proxy's administrator that the certificate ends soon."
    return Finding(finding.stage, Outcome.WARNING, message, hint, finding.seconds, finding.facts)


async def _sign_in_protocol(login: Callable[[], Any], deadlines: Deadlines) -> Finding:
    began = time.monotonic()
    try:
        with anyio.fail_after(deadlines.connect):
            await login()
    except TimeoutError:
        return Finding("proxy", Outcome.WARNING, "it does not answer when asked for a sign-in address", _NOT_POMERIUM)
    except TunnelError as error:
        # A service account needs no sign-in, so this alone stops nobody.
        return Finding("proxy", Outcome.WARNING, str(error), error.hint or _NOT_POMERIUM)
    return Finding("proxy", Outcome.OK, "it speaks Pomerium's sign-in protocol", seconds=time.monotonic() - began)


_NOT_POMERIUM: Final = "Check that this is an identity-aware proxy, and not some other web server."


def _sign_in_hint(credentials: Credentials) -> str:
    key = credentials.key
    return f"Run: tunnelui login {key.proxy}" + (f" --profile {key.profile}" if key.profile != DEFAULT_PROFILE else "")


async def _token(credentials: Credentials) -> tuple[Token | None, Finding]:
    try:
        token = await credentials.current()
    except TunnelError as error:
        return None, _failure("token", error)
    status = credentials.status()
    facts = {"status": str(status.status), "store": status.store, "expires_at": status.expires_at}
    if token is None:
        message = "the token has expired" if status.status == "expired" else "nobody is signed in"
        return None, Finding("token", Outcome.WARNING, message, _sign_in_hint(credentials), facts=facts)
    who = f" as {clean(status.name, 200)}" if status.name else ""
    where = f", kept in {status.store}" if status.store else ""
    return token, Finding("token", Outcome.OK, f"{status.status}{who}{where}", facts=facts)


async def _connect(
    destination: Destination,
    identity: _AsItIs,
    context: Context,
    resolve: Resolver,
    deadlines: Deadlines,
) -> tuple[Opened | None, Finding]:
    observer = QuietObserver()
    connector = Connector(destination, identity, context, deadlines=deadlines, retries=NO_RETRIES, resolve=resolve)
    try:
        opened = await connector.open(observer)
    except TunnelError as error:
        return None, _failure("connect", error, observer.request_id)
    words = f"the proxy opened a tunnel to {destination.authority}"
    facts = {"request_id": observer.request_id, "half_close": opened.half_close}
    return opened, Finding("connect", Outcome.OK, words, seconds=observer.timings.connect, facts=facts)


async def _first_byte(far: SocketEndpoint) -> Finding:
    began = time.monotonic()
    try:
        with anyio.fail_after(_GREETING):
            data = await far.receive(1)
    except TimeoutError:
        return Finding("first_byte", Outcome.OK, "the service waits for the client to speak first")
    except PeerError as error:
        return Finding("first_byte", Outcome.WARNING, str(error), error.hint)
    if data:
        return Finding("first_byte", Outcome.OK, "the service spoke first", seconds=time.monotonic() - began)
    hint = "Check that the service behind the proxy runs, and takes connections from there."
    return Finding("first_byte", Outcome.WARNING, "the service ended the connection at once", hint)


def _failure(stage: str, error: TunnelError, request_id: str | None = None) -> Finding:
    facts: dict[str, Any] = {"code": error.code}
    if number := error.request_id or request_id:
        facts["request_id"] = number
    kind = Outcome.FAIL
    if stage == "connect" and isinstance(error, AuthError):
        facts["needs"] = "sign-in" if isinstance(error, SignInNeeded) else "permission"
    return Finding(stage, kind, str(error), error.hint, facts=facts)
