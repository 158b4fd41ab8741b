"""Resolve and connect: every stage timed and bounded, every failure a `PeerError`.

Addresses are tried as RFC 8305 (happy eyeballs) says: families in turn, and the first connection wins
(`tunnelui.transport.race`).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import ipaddress
import socket
import time
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Final, Protocol

from tunnelui.errors import LocalError, PeerError, ProxyError
from tunnelui.frozen import frozen
from tunnelui.system import error_words
from tunnelui.text import clean
from tunnelui.transport.race import Lost, Race, Silence, open_socket
from tunnelui.transport.resolver import AddrInfo, RecentAnswers, Resolver, system_resolver
from tunnelui.wire.address import HostPort

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = ["AddrInfo", "DialTimeouts", "Dialed", "Resolver", "dial", "dial_unix", "look_up", "system_resolver"]

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_MAX_ADDRESSES: Final = 16  # a hostile name server may give hundreds
_MAX_NAMED: Final = 4
_UNIX_RETRY: Final = 0.02

# What says that this machine has run out of something, rather than that the peer can't be reached.
_LOCAL_ERRNOS: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Timeouts(Protocol):
    """Seconds, as in `DialTimeouts`; whatever has these two will do."""

    @property
    def dns(self) -> float: ...

    @property
    def tcp(self) -> float: ...


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
    timeouts: Timeouts = _TIMEOUTS,
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
    started = resolved = time.monotonic()
    literal = _literal(address)
    if literal is None:
        found = await look_up(address, timeout=timeouts.dns, resolve=resolve, error=error)
        resolved = time.monotonic()
    else:
        found = (literal,)
    candidates = _allowed(found, allow)
    if not candidates:
        raise error(
            "unreachable",
            address=str(address),
            stage="dns",
            detail="none of its addresses may be dialled",
            hint="Check which networks may be dialled.",
        )
    try:
        sock, info = await Race(candidates).run(timeouts.tcp)
    except Lost as lost:
        tried = () if literal else [candidate.sockaddr[0] for candidate in candidates]
        raise _map(lost.failures, str(address), error, tried) from None
    return Dialed(
        sock,
        HostPort(info.sockaddr[0], info.sockaddr[1]),
        dns=resolved - started,
        tcp=time.monotonic() - resolved,
    )


async def dial_unix(path: str, *, timeout: float, error: type[PeerError] = ProxyError) -> socket.socket:
    """Connect to the Unix socket at *path*; the socket is the caller's to close.

    :raises PeerError: of the class *error*, stage ``tcp``; a missing file counts as ``refused``.
    :raises LocalError: this machine is out of descriptors or memory.
    """
    try:
        sock = open_socket(socket.AF_UNIX)
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
                raise Silence(timeout) if number == errno.EAGAIN else OSError(number, error_words(number))
        except BaseException:
            sock.close()
            raise
    except OSError as reason:
        raise _map([reason], f"unix:{clean(path)}", error, ()) from None
    return sock


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
    if isinstance(resolve, RecentAnswers) and (recent := resolve.recent(address.host, address.port)):
        return recent
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
    return _read_literal(address.host, address.port)


@functools.lru_cache(maxsize=512)
def _read_literal(host: str, port: int) -> AddrInfo | None:
    try:
        return _info(ipaddress.ip_address(host), port)
    except ValueError:
        return None


def _info(ip: IPAddress, port: int) -> AddrInfo:
    if ip.version == 4:
        return AddrInfo(socket.AF_INET, (str(ip), port))
    return AddrInfo(socket.AF_INET6, (str(ip), port, 0, 0))


def _allowed(found: Iterable[AddrInfo], allow: Callable[[IPAddress], bool] | None) -> list[AddrInfo]:
    """Return what may be dialled: families in turn, beginning with that of the first (RFC 8305 section 4)."""
    kept: dict[AddrInfo, None] = {}
    for info in found:
        ip = _ip_address(info.sockaddr[0].partition("%")[0])
        mapped = ip.ipv4_mapped if ip.version == 6 else None
        if allow is None or allow(mapped or ip):
            kept[_info(mapped, info.sockaddr[1]) if mapped else info] = None
    if len(kept) <= 1:
        return list(kept)
    first = next(iter(kept)).family
    same = [info for info in kept if info.family == first]
    other = [info for info in kept if info.family != first]
    pairs = chain.from_iterable(zip_longest(same, other))
    return [info for info in pairs if info is not None][:_MAX_ADDRESSES]


def _map(
    failures: Sequence[OSError], address: str, error: type[PeerError], tried: Sequence[str]
) -> PeerError | LocalError:
    """Turn what the system said into one error: silence outweighs a refusal, and a refusal a missing way."""
    local = [failure for failure in failures if failure.errno in _LOCAL_ERRNOS]
    if len(local) == len(failures):
        return LocalError(
            f"no connection to {address} could be opened: {error_words(local[0].errno or 0)}",
            code="resources",
            hint="Close other connections, or raise the limit of open files (ulimit -n).",
        )
    last = failures[-1]
    code = "unreachable"
    detail = error_words(last.errno) if last.errno else str(last)
    if any(isinstance(failure, TimeoutError) for failure in failures):
        code = "timeout"
        detail = str(last.strerror) if isinstance(last, Silence) else detail
    elif any(isinstance(failure, (ConnectionRefusedError, FileNotFoundError)) for failure in failures):
        code, detail = "refused", ""
    if tried:
        more = ", …" if len(tried) > _MAX_NAMED else ""
        detail = f"{detail} (tried {', '.join(tried[:_MAX_NAMED])}{more})".lstrip()
    return error(code, address=address, stage="tcp", detail=detail)
