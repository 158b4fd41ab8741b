"""From an accepted connection to an open tunnel: token, dial, TLS, CONNECT, answer.

What is tried again, and what is not
====================================

Not one byte of the local program has been read while this runs, so a new try loses nothing. Trouble that often passes
by itself is tried again a few times within a few seconds (`tunnelui.engine.backoff.CONNECT_RETRIES`: up to four tries,
none begun later than five seconds after the first): a name that does not resolve, a refused or unreachable proxy, a
connection that is reset or closed before the answer, a 503. A local program that sees the proxy restart waits two
seconds instead of failing.

Not tried again: a timeout that has used up the window, a certificate or TLS fault, an answer that is not in the table
of `tunnelui.engine.answers`, a 403. Waiting mends none of these; the next accepted connection tries anew all the same.

A warm connection (`tunnelui.engine.warm`) that turns out dead before an answer is no failure: the same try goes on
with a dial.

The token
=========

The first try is made with whatever token is there, or none: public routes need none, and only the proxy can say what
a token is worth. An answer that asks for a sign-in hands the rejected token to ``renew``, which forgets it, joins or
begins the one sign-in, and returns the next token; the try after that is the last one. **No other outcome touches the
token**: not a timeout, a cancellation, a 404, a 5xx or a 403.

When even a token fresh from a sign-in is rejected, further connections fail at once for a while instead of opening one
browser tab each: asking the person again would change nothing.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, Protocol

from tunnelui.engine.answers import Meaning, half_close, meaning, refusal, request_id
from tunnelui.engine.backoff import CONNECT_RETRIES, RetryRule
from tunnelui.engine.model import StageTimings
from tunnelui.engine.reach import DEADLINES, Deadlines, reach
from tunnelui.errors import PeerError, ProtocolError, ProxyError, SignInFailed
from tunnelui.frozen import frozen
from tunnelui.transport.dial import system_resolver
from tunnelui.transport.exchange import read_response_head
from tunnelui.transport.scope import Scope
from tunnelui.transport.socket_options import unacknowledged
from tunnelui.wire.asking import connect_request

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

    from tunnelui.auth.tokens import Token
    from tunnelui.engine.warm import WarmPool
    from tunnelui.transport.dial import Resolver
    from tunnelui.transport.endpoint import SocketEndpoint
    from tunnelui.wire.asking import ResponseHead
    from tunnelui.wire.destination import Destination

__all__ = ["DEADLINES", "Connector", "Deadlines", "Identity", "Observer", "Opened", "is_transient"]

_TRANSIENT: Final = frozenset(
    {"dns", "refused", "unreachable", "timeout", "reset", "closed", "truncated", "unavailable"}
)
_MAX_SKIPPED: Final = 8  # interim answers before the real one
_MAX_BODY: Final = 4096
_HOPELESS: Final = 30.0  # seconds without a new sign-in after a fresh token was rejected
_SILENCE: Final = 1.0  # seconds for a request on a warm connection to be acknowledged
_GIVEN_UP: Final = 408
_ACCEPT: Final = "application/json, text/plain;q=0.9"


class Identity(Protocol):
    """Where tokens come from: `tunnelui.auth.credentials.Credentials`."""

    async def current(self) -> Token | None: ...

    async def renew(self, rejected: Token | None, *, route: str = "") -> Token: ...


class Observer(Protocol):
    """Who wants to know how a connection comes along."""

    timings: StageTimings
    tls: str
    request_id: str | None

    def on_try(self) -> None:
        """A try begins: dialling."""

    def on_sign_in(self) -> None:
        """The connection waits for a sign-in."""

    def on_retry(self, error: PeerError, delay: float) -> None:
        """A try failed; the next begins in *delay* seconds."""


@frozen
class Opened:
    """A tunnel as the proxy opened it, at *at* (monotonic). *half_close*: whether an end may be passed on alone."""

    far: SocketEndpoint
    half_close: bool
    at: float


@frozen
class _Rejected:
    status: int


class Connector:
    """Opens connections to one destination with one identity."""

    def __init__(
        self,
        destination: Destination,
        identity: Identity,
        context: Callable[[], Awaitable[ssl.SSLContext]],
        *,
        route: str = "",
        deadlines: Deadlines = DEADLINES,
        retries: RetryRule = CONNECT_RETRIES,
        resolve: Resolver = system_resolver,
        warm: WarmPool | None = None,
    ) -> None:
        """
        :param context: gives the TLS settings for the proxy; it is not called for a plain ``http`` proxy.
        :param warm: connections to the same proxy with the same settings, taken before one is dialled.
        """
        self.destination = destination
        self._identity = identity
        self._context = context
        self._route = route
        self._deadlines = deadlines
        self._retries = retries
        self._resolve = resolve
        self._warm = warm
        self._hopeless: tuple[Token, float] | None = None

    async def open(self, observer: Observer) -> Opened:
        """Return an open tunnel. Cancelling it leaves nothing behind.

        :raises tunnelui.errors.TunnelError: why there is none. ``ConfigError`` when the TLS settings can't be loaded.
        """
        began = time.monotonic()
        token = await self._identity.current()
        renewed = False
        first: float | None = None
        failures = 0
        while True:
            context = await self._context() if self.destination.proxy.scheme == "https" else None
            now = time.monotonic()
            first = now if first is None else first
            observer.timings = StageTimings(queue=now - began)
            observer.on_try()
            try:
                result = await self._try(token, context, observer)
            except PeerError as error:
                failures += 1
                delay = self._retries.delay(failures, time.monotonic() - first) if is_transient(error) else None
                if delay is None:
                    raise
                observer.on_retry(error, delay)
                await asyncio.sleep(delay)
                continue
            if isinstance(result, Opened):
                if self._warm is not None:
                    self._warm.used()
                return result
            if renewed or self._is_hopeless(token):
                raise self._rejected_again(token, result, observer)
            observer.on_sign_in()
            token = await self._identity.renew(token, route=self._route)
            renewed, first, failures = True, None, 0

    def cool(self) -> None:
        """Give the warm connections up: the next tunnel is dialled."""
        if self._warm is not None:
            self._warm.clear()

    async def _try(self, token: Token | None, context: ssl.SSLContext | None, observer: Observer) -> Opened | _Rejected:
        """Ask once, on a warm connection if there is one that lives."""
        warm = self._warm.take() if self._warm is not None else None
        if warm is not None:
            observer.tls = warm.tls
            result = await self._try_on(warm.far, token, observer, self._answer_if_alive)
            if result is not None:
                return result
        proxy = self.destination.proxy
        far = await reach(proxy, context, observer, deadlines=self._deadlines, resolve=self._resolve, ask_at_once=True)
        result = await self._try_on(far, token, observer, self._answer)
        assert result is not None  # noqa: S101  (an answer or an exception)
        return result

    async def _try_on(
        self,
        far: SocketEndpoint,
        token: Token | None,
        observer: Observer,
        ask: Callable[[SocketEndpoint, Token | None, Observer], Awaitable[ResponseHead | None]],
    ) -> Opened | _Rejected | None:
        """Act on the answer, if there is one; *far* is closed unless it opened."""
        opened: Opened | None = None
        try:
            head = await ask(far, token, observer)
            if head is None:
                return None
            what = meaning(head.status)
            if what is Meaning.OPEN:
                opened = Opened(far, half_close(head), time.monotonic())
                return opened
            if what is Meaning.SIGN_IN:
                return _Rejected(head.status)
            body = await self._read_body(far, head)
            name, secret = (token.name, token.value) if token else ("", "")
            raise refusal(head, body, self.destination, name, token=secret)
        finally:
            if opened is None:
                far.close()

    async def _answer_if_alive(
        self, far: SocketEndpoint, token: Token | None, observer: Observer
    ) -> ResponseHead | None:
        """`_answer` on a warm connection; ``None`` when that was dead, or given up by the proxy, before it came."""

        def look() -> None:
            # Its system acknowledges at once what a slow proxy answers late: the network has changed, or it is gone.
            if unacknowledged(far.sock):
                silence.cancel()

        silence = Scope()
        timer = asyncio.get_running_loop().call_later(_SILENCE, look)
        try:
            with silence:
                head = await self._answer(far, token, observer)
                return None if head.status == _GIVEN_UP else head
        except PeerError as error:
            if error.code in ("timeout", "answer"):
                raise
        finally:
            timer.cancel()
        return None

    async def _answer(self, far: SocketEndpoint, token: Token | None, observer: Observer) -> ResponseHead:
        """Ask and return the answer, within the deadline."""
        began = time.monotonic()
        try:
            with far.within(self._deadlines.connect):
                head = await self._ask(far, token)
        except TimeoutError:
            detail = f"no answer to CONNECT within {self._deadlines.connect:g} s"
            raise self._failure("timeout", detail) from None
        except ProtocolError as error:
            raise self._failure("answer", error.message) from error
        observer.timings = observer.timings.answered(time.monotonic() - began)
        observer.request_id = request_id(head)
        return head

    async def _ask(self, far: SocketEndpoint, token: Token | None) -> ResponseHead:
        """Send the CONNECT and return the answer's head, interim answers skipped."""
        request = connect_request(self.destination.authority, token=token.value if token else None, accept=_ACCEPT)
        await far.send_all(request)
        for _ in range(_MAX_SKIPPED):
            head = await read_response_head(far, timeout=None)
            if meaning(head.status) is not Meaning.SKIP:
                return head
        raise self._failure("answer", f"more than {_MAX_SKIPPED} interim answers")

    async def _read_body(self, far: SocketEndpoint, head: ResponseHead) -> bytes:
        """Return the beginning of a refusal's body: what comes soon enough, for the words in it."""
        length = head.headers.get("content-length") or ""
        limit = min(int(length), _MAX_BODY) if length.isdecimal() and len(length) < 10 else _MAX_BODY
        body = b""
        try:
            with far.within(self._deadlines.body):
                while len(body) < limit and (data := await far.receive(limit - len(body))):
                    body += data
        except (PeerError, TimeoutError):
            pass  # the answer counts, however its body ends
        return body

    def _failure(self, code: str, detail: str) -> ProxyError:
        return ProxyError(code, address=str(self.destination.proxy.address), stage="connect", detail=detail)

    def _is_hopeless(self, token: Token | None) -> bool:
        return self._hopeless is not None and self._hopeless[0] == token and time.monotonic() < self._hopeless[1]

    def _rejected_again(self, token: Token | None, result: _Rejected, observer: Observer) -> SignInFailed:
        if token is not None and not self._is_hopeless(token):
            self._hopeless = (token, time.monotonic() + _HOPELESS)
        return SignInFailed(
            f"the proxy {self.destination.proxy.address} asks for a sign-in again right after one ({result.status})",
            code="rejected",
            hint="Check that profile and proxy belong together; if they do, ask the proxy's administrator.",
            request_id=observer.request_id,
        )


def is_transient(error: PeerError) -> bool:
    """Whether the trouble may pass by itself."""
    return error.code in _TRANSIENT
