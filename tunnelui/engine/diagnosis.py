"""Walks the way of one connection and says where it ends: names, TCP, TLS, the proxy, the token, CONNECT, first byte.

Nothing is changed by it: no sign-in begins, no token is forgotten, nothing is tried twice.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import anyio

from tunnelui.engine.backoff import NO_RETRIES
from tunnelui.engine.connector import Connector, Opened
from tunnelui.engine.probe import QuietObserver
from tunnelui.engine.reach import DEADLINES, Deadlines, reach
from tunnelui.errors import AuthError, PeerError, SignInNeeded, TunnelError
from tunnelui.text import clean
from tunnelui.transport.certificate import certificate_names, certificate_validity
from tunnelui.transport.resolver import system_resolver
from tunnelui.transport.tls import TLSEndpoint

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable

    from tunnelui.auth.credentials import Credentials
    from tunnelui.auth.tokens import Token
    from tunnelui.transport.dial import Resolver
    from tunnelui.transport.endpoint import SocketEndpoint
    from tunnelui.wire.destination import Destination

__all__ = ["STAGES", "Finding", "Outcome", "diagnose"]

STAGES: Final = ("dns", "tcp", "tls", "proxy", "token", "connect", "first_byte")
_SOON: Final = 14 * 86400.0
_GREETING: Final = 1.0
"""Seconds for a service that speaks first."""
_SHOWN_NAMES: Final = 8
_WITHOUT_TLS: Final = "Use https:// for a proxy on another machine."


class Outcome(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one stage came to.

    :param seconds: how long it took; ``None`` where that says nothing.
    :param hint: the next step, or empty.
    :param facts: JSON types only; never a token.
    """

    stage: str
    outcome: Outcome
    message: str
    hint: str = ""
    seconds: float | None = None
    facts: dict[str, Any] = field(default_factory=dict)


async def diagnose(
    destination: Destination,
    credentials: Credentials,
    context: Callable[[], ssl.SSLContext],
    *,
    login: Callable[[], Any],
    resolve: Resolver = system_resolver,
    deadlines: Deadlines = DEADLINES,
) -> AsyncIterator[Finding]:
    """Yield one finding for each of `STAGES`, as they pass.

    :param context: gives the TLS settings for the proxy; called for ``https`` alone.
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
        opened, finding = await _connect(destination, token, context, resolve, deadlines)
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

    def __init__(self, token: Token | None) -> None:
        self._token = token

    async def current(self) -> Token | None:
        return self._token

    async def renew(self, rejected: Token | None, *, route: str = "") -> Token:
        if rejected is None:
            raise SignInNeeded("the proxy asks for a sign-in", hint="Run: tunnelui login")
        raise SignInNeeded(
            "the proxy does not take this token any more", code="expired", hint="Run: tunnelui logout, tunnelui login"
        )


async def _way_to_the_proxy(
    destination: Destination, context: Callable[[], ssl.SSLContext], resolve: Resolver, deadlines: Deadlines
) -> AsyncIterator[Finding]:
    proxy, stages = destination.proxy, QuietObserver()
    error: TunnelError | None = None
    far: SocketEndpoint | None = None
    try:
        settings = context() if proxy.scheme == "https" else None
        far = await reach(proxy, settings, stages, deadlines=deadlines, resolve=resolve)
    except TunnelError as trouble:
        error = trouble
    try:
        broken = error.stage if isinstance(error, PeerError) else "dns" if error else ""
        passed: dict[str, tuple[str, float | None, dict[str, Any]]] = {
            "dns": (f"{proxy.host} resolves", stages.timings.dns, {}),
            "tcp": (f"{proxy.address} answers", stages.timings.tcp, {}),
            "tls": (_tls_words(far, stages), stages.timings.tls, _tls_facts(far)),
        }
        for stage, (message, seconds, facts) in passed.items():
            if stage == broken and error is not None:
                yield _failure(stage, error)
            elif broken and STAGES.index(stage) > STAGES.index(broken):
                yield Finding(stage, Outcome.SKIP, "the stage before it failed")
            elif stage == "tls" and proxy.scheme != "https":
                yield Finding(stage, Outcome.WARNING, "the proxy is reached without TLS", _WITHOUT_TLS)
            else:
                yield _about_certificate(Finding(stage, Outcome.OK, message, seconds=seconds, facts=facts))
    finally:
        if far is not None:
            far.close()


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


async def _token(credentials: Credentials) -> tuple[Token | None, Finding]:
    try:
        token = await credentials.current()
    except TunnelError as error:
        return None, _failure("token", error)
    status = credentials.status()
    facts = {"status": str(status.status), "store": status.store, "expires_at": status.expires_at}
    if token is None:
        message = "the token has expired" if status.status == "expired" else "nobody is signed in"
        return None, Finding("token", Outcome.WARNING, message, "Run: tunnelui login", facts=facts)
    who = f" as {clean(status.name, 200)}" if status.name else ""
    where = f", kept in {status.store}" if status.store else ""
    return token, Finding("token", Outcome.OK, f"{status.status}{who}{where}", facts=facts)


async def _connect(
    destination: Destination,
    token: Token | None,
    context: Callable[[], ssl.SSLContext],
    resolve: Resolver,
    deadlines: Deadlines,
) -> tuple[Opened | None, Finding]:
    async def settings() -> ssl.SSLContext:
        return context()

    observer = QuietObserver()
    connector = Connector(
        destination, _AsItIs(token), settings, deadlines=deadlines, retries=NO_RETRIES, resolve=resolve
    )
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
