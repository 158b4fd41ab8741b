"""Resolve and connect: every stage timed and bounded, every failure a `PeerError`.

Addresses are tried as RFC 8305 (happy eyeballs) says: families in turn, the next attempt 250 ms after the last or as
soon as that fails, and the first connection wins.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import ipaddress
import os
import socket
import time
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Final

from tunnelui.errors import LocalError, PeerError, ProxyError
from tunnelui.frozen import frozen
from tunnelui.text import clean
from tunnelui.transport.resolver import AddrInfo, Resolver, system_resolver
from tunnelui.transport.socket_options import prepare
from tunnelui.wire.address import HostPort

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["AddrInfo", "DialTimeouts", "Dialed", "Resolver", "dial", "dial_unix", "look_up", "system_resolver"]

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

ATTEMPT_DELAY: Final = 0.25  # RFC 8305 section 5
_MAX_ADDRESSES: Final = 16  # a hostile name server may give hundreds
_MAX_NAMED: Final = 4
_UNIX_RETRY: Final = 0.02

_UNDER_WAY: Final = frozenset({errno.EINPROGRESS, errno.EWOULDBLOCK})
# What says that this machine has run out of something, rather than that the peer can't be reached.
_LOCAL_ERRNOS: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


@frozen
class DialTimeouts:
    """Seconds for each stage: *dns* for the lookup, *tcp* for all attempts to connect together."""

    dns: float = 5.0
    tcp: float = 10.0


_TIMEOUTS: Final = DialTimeouts()


@frozen
class Dialed:
    """A connection. *sock* is the caller's to close; *dns* and *tcp* are seconds, *dns* 0.0 for an IP literal."""

    sock: socket.socket
    peer: HostPort
    dns: float
    tcp: float


async def dial(
    address: HostPort,
    *,
    timeouts: DialTimeouts = _TIMEOUTS,
    error: type[PeerError] = ProxyError,
    resolve: Resolver = system_resolver,
    allow: Callable[[IPAddress], bool] | None = None,
) -> Dialed:
    """Connect to *address*.

    The name is looked up once, and only addresses that *allow* has said yes to are dialled, so that no second answer
    of the name server can slip in between. An IPv4 address in IPv6 clothing (``::ffff:…``) counts as the IPv4 address.

    :raises PeerError: of the class *error*; ``code`` is ``dns``, ``refused``, ``unreachable`` or ``timeout``, ``stage``
        is ``dns`` or ``tcp``.
    :raises LocalError: this machine is out of descriptors or memory.
    """
    started = time.monotonic()
    literal = _literal(address)
    found = await look_up(address, timeout=timeouts.dns, resolve=resolve, error=error)
    resolved = time.monotonic()
    candidates = _allowed(found, allow)
    if not candidates:
        raise error(
            "unreachable",
            address=str(address),
            stage="dns",
            detail="none of its addresses may be dialled",
            hint="Check which networks may be dialled.",
        )
    race = _Race(tried=[] if literal else [info.sockaddr[0] for info in candidates])
    sock, info = await race.run(candidates, timeouts.tcp, address, error)
    return Dialed(
        sock,
        HostPort(info.sockaddr[0], info.sockaddr[1]),
        dns=0.0 if literal else resolved - started,
        tcp=time.monotonic() - resolved,
    )


async def dial_unix(path: str, *, timeout: float, error: type[PeerError] = ProxyError) -> socket.socket:
    """Connect to the Unix socket at *path*; the socket is the caller's to close.

    :raises PeerError: of the class *error*, stage ``tcp``; a missing file counts as ``refused``.
    :raises LocalError: this machine is out of descriptors or memory.
    """
    try:
        sock = _open(socket.AF_UNIX)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    while True:
                        number = sock.connect_ex(path)  # raises for a path that is too long
                        if number != errno.EAGAIN:
                            break
                        # The backlog is full. Unlike with EINPROGRESS, nothing is under way: ask again.
                        await asyncio.sleep(_UNIX_RETRY)
            if number:
                raise _Silence(timeout) if number == errno.EAGAIN else OSError(number, os.strerror(number))
        except BaseException:
            sock.close()
            raise
    except OSError as reason:
        raise _map([reason], f"unix:{clean(path)}", error, ()) from None
    return sock


class _Silence(TimeoutError):
    """Our own deadline passed, not the system's."""

    def __init__(self, timeout: float) -> None:
        super().__init__(errno.ETIMEDOUT, f"no answer within {timeout:g} s")


@dataclass(slots=True)
class _Race:
    """Attempts that run at the same time; the first that connects ends the others."""

    tried: list[str]
    failures: list[OSError] = field(default_factory=list)
    winner: tuple[socket.socket, AddrInfo] | None = None

    async def run(
        self, candidates: Sequence[AddrInfo], timeout: float, address: HostPort, error: type[PeerError]
    ) -> tuple[socket.socket, AddrInfo]:
        if len(candidates) == 1:
            return await self._dial_only(candidates[0], timeout, address, error)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout) as deadline:
                    await self._race(candidates)
            # Whoever cancels us at the very moment of success gets the cancellation, not a socket that nobody closes:
            # a scope of anyio leaves alone who has something to wake up for, and comes again in this pass.
            await asyncio.sleep(0)
        except BaseException:
            if self.winner:
                self.winner[0].close()
            raise
        if self.winner:
            return self.winner
        if deadline.expired():
            self.failures.append(_Silence(timeout))
        raise _map(self.failures, str(address), error, self.tried) from None

    async def _dial_only(
        self, info: AddrInfo, timeout: float, address: HostPort, error: type[PeerError]
    ) -> tuple[socket.socket, AddrInfo]:
        """The same for one address: without a cancel scope, since most connections come this way."""
        try:
            sock = _open(info.family)
            try:
                await _connect(sock, info, timeout)
                # As in `run`: a cancellation in the moment of success is the caller's, and the socket nobody's.
                await asyncio.sleep(0)
            except BaseException:
                sock.close()
                raise
        except OSError as reason:
            raise _map([reason], str(address), error, self.tried) from None
        return sock, info

    async def _race(self, candidates: Sequence[AddrInfo]) -> None:
        won: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        attempts: list[asyncio.Task[None]] = []
        try:
            for info in candidates:
                attempts.append(asyncio.create_task(self._attempt(info, won)))
                await asyncio.wait((won, attempts[-1]), timeout=ATTEMPT_DELAY, return_when=asyncio.FIRST_COMPLETED)
                if won.done():
                    return
            all_over = asyncio.gather(*attempts)
            await asyncio.wait((won, all_over), return_when=asyncio.FIRST_COMPLETED)
            if not won.done():
                all_over.result()  # nothing, or a fault of ours
        finally:
            for attempt in attempts:
                attempt.cancel()
            await asyncio.gather(*attempts, return_exceptions=True)

    async def _attempt(self, info: AddrInfo, won: asyncio.Future[None]) -> None:
        """Connect. A second winner is closed."""
        try:
            sock = _open(info.family)
            try:
                await asyncio.get_running_loop().sock_connect(sock, info.sockaddr)
            except BaseException:
                sock.close()
                raise
        except OSError as reason:
            self.failures.append(reason)
            return
        if self.winner:
            sock.close()
        else:
            self.winner = sock, info
            won.set_result(None)


async def _connect(sock: socket.socket, info: AddrInfo, timeout: float) -> None:
    """:raises OSError: what the system says, or `_Silence`."""
    number = sock.connect_ex(info.sockaddr)
    if number in _UNDER_WAY:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[bool] = loop.create_future()
        loop.add_writer(sock, _settle, ready, True)
        timer = loop.call_later(timeout, _settle, ready, False)
        try:
            if not await ready:
                raise _Silence(timeout)
        finally:
            timer.cancel()
            loop.remove_writer(sock)
        number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if number:
        raise OSError(number, os.strerror(number))


def _settle(ready: asyncio.Future[bool], value: bool) -> None:
    if not ready.done():
        ready.set_result(value)


async def look_up(
    address: HostPort,
    *,
    timeout: float,
    resolve: Resolver = system_resolver,
    error: type[PeerError] = ProxyError,
) -> Sequence[AddrInfo]:
    """Return what the host of *address* resolves to; an IP literal, itself. *timeout* is in seconds.

    :raises PeerError: of the class *error*, code and stage ``dns``.
    """
    if literal := _literal(address):
        return [literal]
    found: Sequence[AddrInfo] = ()
    detail = "it has no address"
    try:
        async with asyncio.timeout(timeout) as deadline:
            found = await resolve(address.host, address.port)
    except OSError as reason:
        detail = f"no answer within {timeout:g} s" if deadline.expired() else clean(reason.strerror or str(reason))
    if found:
        return found
    raise error("dns", address=str(address), stage="dns", detail=detail) from None


# The same few addresses come again and again, and reading one takes as long as half of a system call.
_ip_address: Final = functools.lru_cache(maxsize=512)(ipaddress.ip_address)


def _literal(address: HostPort) -> AddrInfo | None:
    try:
        ip = _ip_address(address.host)
    except ValueError:
        return None
    return _info(ip, address.port)


def _info(ip: IPAddress, port: int) -> AddrInfo:
    if ip.version == 4:
        return AddrInfo(socket.AF_INET, (str(ip), port))
    return AddrInfo(socket.AF_INET6, (str(ip), port, 0, 0))


def _allowed(found: Iterable[AddrInfo], allow: Callable[[IPAddress], bool] | None) -> list[AddrInfo]:
    """Return what may be dialled: families in turn, beginning with that of the first (RFC 8305 section 4)."""
    kept: dict[AddrInfo, None] = {}
    for info in found:
        ip = _ip_address(info.sockaddr[0].partition("%")[0])
        mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
        if allow is None or allow(mapped or ip):
            kept[_info(mapped, info.sockaddr[1]) if mapped else info] = None
    if not kept:
        return []
    first = next(iter(kept)).family
    same = [info for info in kept if info.family == first]
    other = [info for info in kept if info.family != first]
    pairs = chain.from_iterable(zip_longest(same, other))
    return [info for info in pairs if info is not None][:_MAX_ADDRESSES]


def _open(family: socket.AddressFamily) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    prepare(sock)
    return sock


def _map(
    failures: Sequence[OSError], address: str, error: type[PeerError], tried: Sequence[str]
) -> PeerError | LocalError:
    """Turn what the system said into one error: silence outweighs a refusal, and a refusal a missing way."""
    local = [failure for failure in failures if failure.errno in _LOCAL_ERRNOS]
    if len(local) == len(failures):
        return LocalError(
            f"no connection to {address} could be opened: {os.strerror(local[0].errno or 0)}",
            code="resources",
            hint="Close other connections, or raise the limit of open files (ulimit -n).",
        )
    last = failures[-1]
    code = "unreachable"
    detail = os.strerror(last.errno) if last.errno else str(last)
    if any(isinstance(failure, TimeoutError) for failure in failures):
        code = "timeout"
        detail = str(last.strerror) if isinstance(last, _Silence) else detail
    elif any(isinstance(failure, (ConnectionRefusedError, FileNotFoundError)) for failure in failures):
        code, detail = "refused", ""
    if tried:
        more = ", …" if len(tried) > _MAX_NAMED else ""
        detail = f"{detail} (tried {', '.join(tried[:_MAX_NAMED])}{more})".lstrip()
    return error(code, address=address, stage="tcp", detail=detail)
