"""A local proxy, SOCKS5 and HTTP CONNECT on one port: programs reach every route by its real name.

A destination that a route covers goes through that route's proxy; anything else is refused, or dialled from here where
that was asked for. The program gets its answer only when the tunnel is open, so it sees a refusal as one.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import anyio

from tunnelui.engine.connector import Opened
from tunnelui.engine.model import Event
from tunnelui.engine.report import error_facts
from tunnelui.engine.stdio import carry
from tunnelui.errors import AccessDenied, AuthError, LocalError, PeerError, ProtocolError, TunnelError, UpstreamError
from tunnelui.transport.dial import dial
from tunnelui.transport.endpoint import PlainEndpoint
from tunnelui.transport.exchange import read_request_head
from tunnelui.wire.answering import render_response
from tunnelui.wire.socks import NO_AUTHENTICATION, SocksError, SocksGreeting, SocksParser, SocksReply
from tunnelui.wire.socks import render_method as socks_method
from tunnelui.wire.socks import render_reply as socks_reply

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from tunnelui.engine.connection import Opener
    from tunnelui.engine.connector import Observer
    from tunnelui.engine.vigil import Vigil
    from tunnelui.transport.dial import Resolver
    from tunnelui.wire.address import HostPort

__all__ = ["ForwardProxy", "NotCovered"]

_SOCKS: Final = 5
_PATIENCE: Final = 30.0
"""Seconds for a program to say what it wants."""
_CONNECT_ONLY: Final = (
    "This proxy takes SOCKS5 (socks5h://) and CONNECT (curl: -p), and no other request.\n"
    "Set it as the SOCKS v5 host of a browser, with names looked up by the proxy."
)


_FOREIGN: Final = {
    4: ("a program speaks SOCKS4; SOCKS5 and CONNECT are taken (socks5h://, http://)", b"\x00\x5b" + bytes(6)),
    22: (
        "a program speaks TLS, which the way to this proxy does not need: set it as http:// or socks5h://",
        b"\x15\x03\x01\x00\x02\x02\x28",
    ),
}
"""The first byte of other languages: what to tell, and how they say no (a rejected request, a fatal alert)."""


class NotCovered(LocalError):
    """No route leads to the destination."""

    default_code = "not_covered"

    def __init__(self, authority: HostPort) -> None:
        super().__init__(
            f"no route covers {authority}",
            hint="Save one: tunnelui routes add. To dial from here instead, see: tunnelui proxy -h",
        )


class ForwardProxy:
    """Serves local programs, one call of `serve` each."""

    def __init__(
        self,
        find: Callable[[HostPort], tuple[str, Opener] | None],
        *,
        publish: Callable[[Event], None],
        next_id: Callable[[], int],
        vigil: Vigil,
        resolve: Resolver,
        direct: bool = False,
        linger: float = 30.0,
    ) -> None:
        """
        :param find: the route that covers a destination, and the way through it; ``None`` when there is none.
        :param direct: whether other destinations are dialled from here.
        """
        self._find = find
        self._publish = publish
        self._next_id = next_id
        self._vigil = vigil
        self._resolve = resolve
        self._direct = direct
        self._linger = linger

    async def serve(self, sock: socket.socket, peer: str) -> None:
        """Serve one accepted socket to its end. What goes wrong is told to the program and published."""
        near = PlainEndpoint(sock, address=peer or "the local program", error=PeerError)
        number = self._next_id()
        route = ""

        def publish(event: Event) -> None:
            self._publish(replace(event, route=route, connection=number))

        try:
            try:
                asked = await self._ask(near)
            except ProtocolError as error:
                publish(_failed(error))
                raise
            found = self._find(asked.authority)
            route = found[0] if found else str(asked.authority)
            way = found[1] if found else self._other(asked.authority)
            await carry(
                _Answering(way, asked),
                near,
                publish=publish,
                vigil=self._vigil,
                linger=self._linger,
                number=number,
                peer=peer,
            )
        except TunnelError:
            pass  # told and published where it was met
        finally:
            near.close()

    async def _ask(self, near: PlainEndpoint) -> _Asked:
        """Find out where the program wants to go.

        :raises TunnelError: it left, was too slow, or speaks neither language; it has been told.
        """
        try:
            with anyio.fail_after(_PATIENCE):
                first = await near.receive(1)
        except TimeoutError:
            raise near.failure("timeout", "nothing was asked for") from None
        if not first:
            raise near.failure("closed", "nothing was asked for")
        near.unread(first)
        if foreign := _FOREIGN.get(first[0]):
            words, answer = foreign
            await _say_last(near, answer)
            raise ProtocolError(words)
        return await (_ask_socks(near) if first[0] == _SOCKS else _ask_http(near))

    def _other(self, authority: HostPort) -> Opener:
        return _Direct(authority, self._resolve) if self._direct else _Refusal(NotCovered(authority))


async def _say_last(near: PlainEndpoint, data: bytes) -> None:
    with contextlib.suppress(PeerError):
        await near.send_all(data)
    await near.finish()


class _Asked:
    """A destination, and how to answer who asked for it."""

    def __init__(self, near: PlainEndpoint, authority: HostPort) -> None:
        self.authority = authority
        self._near = near

    async def accept(self) -> None: ...

    async def refuse(self, error: TunnelError) -> None: ...


class _AskedSocks(_Asked):
    async def accept(self) -> None:
        await self._near.send_all(socks_reply(SocksReply.SUCCEEDED))

    async def refuse(self, error: TunnelError) -> None:
        await _say_last(self._near, socks_reply(_reply(error)))


class _AskedHttp(_Asked):
    async def accept(self) -> None:
        await self._near.send_all(render_response(200))

    async def refuse(self, error: TunnelError) -> None:
        await _say_last(self._near, _page(_status(error), f"{error}\n{error.hint}".strip()))


async def _ask_socks(near: PlainEndpoint) -> _Asked:
    parser = SocksParser()
    try:
        with anyio.fail_after(_PATIENCE):
            while (message := parser.feed(await _some(near))) is None:
                pass
            if isinstance(message, SocksGreeting):
                if NO_AUTHENTICATION not in message.methods:
                    await _say_last(near, socks_method(None))
                    raise SocksError("the SOCKS client insists on a password, and none is needed here")
                await near.send_all(socks_method(NO_AUTHENTICATION))
                message = parser.feed(b"")
                while message is None:
                    message = parser.feed(await _some(near))
    except TimeoutError:
        raise near.failure("timeout", "no complete SOCKS request") from None
    except SocksError as error:
        if error.reply is not None:
            await _say_last(near, socks_reply(error.reply))
        raise
    assert not isinstance(message, SocksGreeting)  # noqa: S101  (the parser gives one only)
    if parser.remainder:
        near.unread(parser.remainder)
    return _AskedSocks(near, message.address)


async def _ask_http(near: PlainEndpoint) -> _Asked:
    try:
        head = await read_request_head(near, timeout=_PATIENCE, old_connect=True)
    except ProtocolError as error:
        if error.code == "not_a_path":
            error = ProtocolError("a request for a plain http:// address", status_hint=405)
        await _say_last(near, _page(error.status_hint, f"{error}\n{_CONNECT_ONLY}"))
        raise error from None
    if head.authority is None:
        await _say_last(near, _page(405, _CONNECT_ONLY, ("Allow", "CONNECT")))
        raise ProtocolError(f"a {head.method} request; only CONNECT and SOCKS5 are taken", status_hint=405)
    return _AskedHttp(near, head.authority)


async def _some(near: PlainEndpoint) -> bytes:
    data = await near.receive(512)
    if not data:
        raise near.failure("closed", "in the middle of a SOCKS request")
    return data


class _Answering:
    """A way that tells the program how it went, before its first byte is carried."""

    def __init__(self, way: Opener, asked: _Asked) -> None:
        self._way = way
        self._asked = asked

    async def open(self, observer: Observer) -> Opened:
        try:
            opened = await self._way.open(observer)
        except TunnelError as error:
            await self._asked.refuse(error)
            raise
        try:
            await self._asked.accept()
        except BaseException:
            opened.far.close()
            raise
        return opened


class _Refusal:
    def __init__(self, error: TunnelError) -> None:
        self._error = error

    async def open(self, observer: Observer) -> Opened:
        raise self._error


class _Direct:
    """A plain connection from this machine."""

    def __init__(self, authority: HostPort, resolve: Resolver) -> None:
        self._authority = authority
        self._resolve = resolve

    async def open(self, observer: Observer) -> Opened:
        observer.on_try()
        dialed = await dial(self._authority, resolve=self._resolve, error=UpstreamError)
        observer.timings = replace(observer.timings, dns=dialed.dns, tcp=dialed.tcp)
        far = PlainEndpoint(dialed.sock, address=str(self._authority), error=UpstreamError)
        return Opened(far, half_close=True, at=time.monotonic())


def _failed(error: TunnelError) -> Event:
    return Event("failed", time.time(), str(error), "warning", data=error_facts(error))


def _reply(error: TunnelError) -> SocksReply:
    if isinstance(error, NotCovered | AccessDenied | AuthError):
        return SocksReply.NOT_ALLOWED
    if isinstance(error, PeerError):
        replies = {
            "dns": SocksReply.HOST_UNREACHABLE,
            "refused": SocksReply.REFUSED,
            "timeout": SocksReply.TTL_EXPIRED,
            "unreachable": SocksReply.NETWORK_UNREACHABLE,
            "unavailable": SocksReply.HOST_UNREACHABLE,
        }
        return replies.get(error.code, SocksReply.FAILURE)
    return SocksReply.FAILURE


def _status(error: TunnelError) -> int:
    if isinstance(error, NotCovered | AccessDenied):
        return 403
    if isinstance(error, AuthError):
        return 401
    if isinstance(error, PeerError):
        return 504 if error.code == "timeout" else 502
    return 500


def _page(status: int, words: str, *fields: tuple[str, str]) -> bytes:
    headers = (("Content-Type", "text/plain; charset=utf-8"), ("Connection", "close"), *fields)
    return render_response(status, headers, f"tunnelui: {words}\n".encode())
