"""The life of the gateway: open the listeners, serve connections, drain, stop."""

from __future__ import annotations

import contextlib
import functools
import logging
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import anyio

from tunnelui.errors import PeerError
from tunnelui.transport.dial import system_resolver
from tunnelui.transport.endpoint import PlainEndpoint
from tunnelui.transport.exchange import read_request_head
from tunnelui.transport.jobs import Jobs
from tunnelui.transport.listen import accept_loop, close_listeners, local_address, open_listener
from tunnelui.transport.tls import server_context, start_tls
from tunnelui.wire.head import HeadError
from tunnelui_server.gateway.answers import Refusal
from tunnelui_server.gateway.connect import BUSY, UNAVAILABLE, Tunneller
from tunnelui_server.gateway.fronts import web_address
from tunnelui_server.gateway.handover import hand_over
from tunnelui_server.gateway.live import LiveTunnels
from tunnelui_server.gateway.quota import Exceeded, Quota, address_key
from tunnelui_server.gateway.silence import cut_silent
from tunnelui_server.gateway.tally import LocalTally
from tunnelui_server.sessions import TokenSigner, token_issuer

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Awaitable, Callable

    from tunnelui.transport.dial import Resolver
    from tunnelui.transport.endpoint import SocketEndpoint
    from tunnelui.wire.address import TCPListen
    from tunnelui_server.config import ServerConfig
    from tunnelui_server.gateway.tally import Tally
    from tunnelui_server.sessions import SessionStore

__all__ = ["Addresses", "Gateway"]

_LOG: Final = logging.getLogger(__name__)
_SIGN_IN: Final = "/.pomerium/sign_in"
_NO_TUNNELS: Final = Refusal(403, "no_tunnels")
_TIMEOUT: Final = Refusal(408, "timeout")
# After a refusal: how long, and how much, is read and thrown away so that the answer is not lost to a reset.
_FAREWELL_SECONDS: Final = 1.0
_LAST_WORDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the gateway listens, as URLs; ``sign_in`` only when there is a second listener for browsers."""

    proxy: str
    sign_in: str | None = None


@dataclass(frozen=True, slots=True)
class _Front:
    """One listening address. Without a *context* it speaks plain HTTP."""

    listeners: list[socket.socket]
    context: ssl.SSLContext | None
    takes_connect: bool

    @property
    def scheme(self) -> str:
        return "https" if self.context else "http"


class _Visit:
    """An accepted connection in the counts, and its socket, until `leave`; ``stays``: a tunnel has it."""

    __slots__ = ("_address", "_quota", "_sock", "endpoint", "stays")

    def __init__(self, quota: Quota, address: str, sock: socket.socket) -> None:
        self._quota = quota
        self._address: str | None = address
        self._sock: socket.socket | None = sock
        self.endpoint: SocketEndpoint | None = None
        self.stays = False

    def settle(self) -> None:
        """It no longer counts against its address. Idempotent."""
        if self._address is not None:
            address, self._address = self._address, None
            self._quota.settle(address)

    def leave(self) -> None:
        """Close and uncount it. Idempotent."""
        if self._sock is not None:
            sock, self._sock = self._sock, None
            self.settle()
            self._quota.leave()
            if self.endpoint is not None:
                self.endpoint.close()
            sock.close()


class Gateway:
    """The data plane of one server.

    :param store: sessions, shared with the control plane.
    :param control_socket: the control plane's Unix socket.
    :param resolve: looks up upstream names.
    :param clock: Unix time, for the expiry of sessions.
    """

    def __init__(
        self,
        config: ServerConfig,
        *,
        store: SessionStore,
        control_socket: str,
        resolve: Resolver = system_resolver,
        clock: Callable[[], float] = time.time,
        tally: Tally | None = None,
    ) -> None:
        """*tally*: with it, this is one of several workers, and they share their ports."""
        self._config = config
        self._control_socket = control_socket
        self._quota = Quota(config.limits, tally or LocalTally())
        self._shares_ports = tally is not None
        self.live = LiveTunnels(store, clock=clock)
        self._tunneller = Tunneller(
            config,
            store,
            TokenSigner(config.shared_secret_bytes, token_issuer(config.authenticate_url)),
            self.live,
            self._quota,
            resolve,
        )
        self._fronts: list[_Front] = []
        self._stop = anyio.Event()
        self._hurry = anyio.Event()
        self._refused = 0

    def stop(self) -> None:
        """Accept no more, let tunnels end for as long as ``shutdown_grace`` says, then cut them. Twice: cut at once."""
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    def open(self) -> Addresses:
        """Open the listeners. From now on connections wait in the system until `run` accepts them.

        :raises LocalError: an address is taken, not ours, or needs privileges.
        :raises ConfigError: a certificate can't be used any more.
        """
        config = self._config
        context = None
        if not config.insecure_server:
            context = server_context([(str(pair.cert), str(pair.key)) for pair in config.certificates])
        self._fronts.append(_Front(self._listen(config.address), context, takes_connect=True))
        web = web_address(config)
        if web is not None:
            try:
                self._fronts.append(_Front(self._listen(web), None, takes_connect=False))
            except BaseException:
                self._close()
                raise
        main, *others = self._fronts
        return Addresses(_url(main), _url(others[0]) if others else None)

    def _listen(self, address: TCPListen) -> list[socket.socket]:
        return open_listener(address, reuse_port=self._shares_ports)

    async def run(self) -> None:
        """Serve what `open` has opened, until `stop` is called."""
        try:
            async with Jobs() as connections, anyio.create_task_group() as watching:
                watching.start_soon(self.live.watch)
                watching.start_soon(cut_silent, self.live)
                async with anyio.create_task_group() as accepting:
                    for front in self._fronts:
                        handler = functools.partial(self._accepted, connections, front)
                        accepting.start_soon(accept_loop, front.listeners, handler)
                    await self._stop.wait()
                    accepting.cancel_scope.cancel()
                self._close()
                await self._drain()
                watching.cancel_scope.cancel()
        finally:
            self._close()
            self.live.cut_all("shutdown")  # also when a listener broke

    def _close(self) -> None:
        for front in self._fronts:
            close_listeners(front.listeners)
        self._fronts.clear()

    async def _drain(self) -> None:
        tunnels = len(self.live)
        if tunnels:
            _LOG.info("draining", extra={"fields": {"tunnels": tunnels, "grace": self._config.limits.shutdown_grace}})
        async with anyio.create_task_group() as tasks:

            async def wait_for(wait: Callable[[], Awaitable[None]]) -> None:
                await wait()
                tasks.cancel_scope.cancel()

            tasks.cancel_scope.deadline = anyio.current_time() + self._config.limits.shutdown_grace
            tasks.start_soon(wait_for, self.live.wait_until_empty)
            tasks.start_soon(wait_for, self._hurry.wait)
        self.live.cut_all("shutdown")
        with anyio.move_on_after(_LAST_WORDS):
            await self.live.wait_until_empty()

    def _accepted(self, connections: Jobs, front: _Front, sock: socket.socket, peer: str) -> None:
        address = address_key(peer)
        if not self._quota.admit(address):
            sock.close()
            # One line for the first, and then for each power of two: a flood does not fill the disk as well.
            self._refused += 1
            if self._refused & (self._refused - 1) == 0:
                fields = {"client": peer, "refused": self._refused, "connections": self._quota.connections}
                _LOG.warning("too many connections", extra={"fields": fields})
            return
        connections.start(self._serve(front, sock, peer, address))

    async def _serve(self, front: _Front, sock: socket.socket, peer: str, address: str) -> None:
        visit = _Visit(self._quota, address, sock)
        try:
            visit.endpoint = endpoint = await self._shake_hands(front, sock, peer)
            answer = await self._converse(front, endpoint, peer, visit)
            if answer is not None:
                await _farewell(endpoint, answer)
        except PeerError as error:
            # Scanners, browsers that change their mind, lost networks: nothing to worry about.
            _LOG.debug("a connection failed", extra={"fields": {"client": peer, "error": str(error)}})
        except Exception:
            _LOG.exception("a connection met a fault of this server", extra={"fields": {"client": peer}})
        finally:
            if not visit.stays:
                visit.leave()

    async def _shake_hands(self, front: _Front, sock: socket.socket, peer: str) -> SocketEndpoint:
        if front.context is None:
            return PlainEndpoint(sock, address=peer, error=PeerError)
        timeout = self._config.limits.handshake_timeout
        return await start_tls(sock, front.context, server_side=True, timeout=timeout, address=peer, error=PeerError)

    async def _converse(self, front: _Front, endpoint: SocketEndpoint, peer: str, visit: _Visit) -> bytes | None:
        """Read the one head and act on it; what is returned is the last that the client gets."""
        try:
            head = await read_request_head(endpoint, timeout=self._config.limits.head_timeout)
        except HeadError as error:
            _LOG.info("a head was refused", extra={"fields": {"client": peer, "error": error.message}})
            # A status above 500 would make a client think that waiting helps, or drop its token.
            status = error.status_hint if error.status_hint < 500 else 400
            return Refusal(status, "bad_request").render(str(uuid.uuid4()))
        except PeerError as error:
            if error.code != "timeout":
                raise
            return _TIMEOUT.render(str(uuid.uuid4()))
        if head.authority is not None:
            if not front.takes_connect:
                return _NO_TUNNELS.render(str(uuid.uuid4()), head.headers)
            url = functools.partial(self._sign_in_url, front, endpoint)
            answer = await self._tunneller.serve(
                endpoint, head, head.authority, peer, sign_in_url=url, settle=visit.settle, leave=visit.leave
            )
            visit.stays = answer is None
            return answer
        try:
            with self._quota.page(address_key(peer)):
                if await hand_over(endpoint, head, self._control_socket):
                    return None
        except Exceeded:
            _LOG.debug("too many pages at once", extra={"fields": {"client": peer}})
            return BUSY.render(str(uuid.uuid4()), head.headers)
        _LOG.error("the control plane can't be reached", extra={"fields": {"client": peer}})
        return UNAVAILABLE.render(str(uuid.uuid4()), head.headers)

    def _sign_in_url(self, front: _Front, endpoint: SocketEndpoint) -> str:
        """Where a person signs in. Without a configured address, the one that the client has reached."""
        base = self._config.authenticate_url
        if base is None:
            host, port = endpoint.sock.getsockname()[:2]
            base = f"{front.scheme}://{f'[{host}]' if ':' in host else host}:{port}"
        return base + _SIGN_IN


async def _farewell(endpoint: SocketEndpoint, answer: bytes) -> None:
    """Send the last answer and close. What the client still sends is not looked at."""
    with anyio.move_on_after(_FAREWELL_SECONDS), contextlib.suppress(PeerError):
        await endpoint.send_all(answer)
        await endpoint.finish(timeout=_FAREWELL_SECONDS)


def _url(front: _Front) -> str:
    text = local_address(front.listeners)
    return f"{front.scheme}://{f'0.0.0.0{text}' if text.startswith(':') else text}"
