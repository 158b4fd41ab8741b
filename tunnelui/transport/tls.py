"""TLS over a non-blocking socket, with directions that end apart.

`ssl.SSLObject` works between two memory BIOs, so that no socket operation hides inside OpenSSL. What follows from that:

* After each read from the socket everything is decrypted until OpenSSL wants more: plaintext that stays inside wakes
  nobody. Where the caller's buffer is full before that, `TLSEndpoint.buffered` says so.
* ``unwrap()`` queues our ``close_notify`` and then looks for the peer's. If it finds a data record instead it fails,
  and the stream is lost (APPLICATION_DATA_AFTER_CLOSE_NOTIFY). So everything received is decrypted first. After that
  it raises `ssl.SSLWantReadError`, and reading goes on as before.
* An orderly end is the peer's ``close_notify`` and nothing else (RFC 8446 section 6.1). The incoming BIO is never told
  of the socket's end, since Python lets OpenSSL take that for an orderly one.
"""

from __future__ import annotations

import contextlib
import functools
import ssl
from typing import TYPE_CHECKING, Any, Final, cast

from tunnelui.errors import PeerError, ProxyError
from tunnelui.text import clean
from tunnelui.transport.contexts import client_context, reason, server_context
from tunnelui.transport.endpoint import LONG_CHUNK, WOULD_BLOCK, SocketEndpoint, scratch
from tunnelui.transport.resumption import ResumingContext

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

__all__ = ["TLSEndpoint", "client_context", "server_context", "start_tls"]

# Answers to handshake messages (alerts, key updates) pile up in a peer that sends them and does not read.
_MAX_PENDING: Final = 2 * LONG_CHUNK  # more than one read that a slow peer holds up
_RECORD: Final = 1 << 14  # the most plaintext in a TLS record
_WHOLE: Final = _RECORD + 2048 + 5  # so many bytes hold a record, however it is padded (RFC 5246 section 6.2.3)
# OpenSSL's buffers stay as large as they once were. Certificates come but once, and few tunnels carry a stream for as
# long as they live. Two records at a time cost little more than all that there are.
_HANDSHAKE_SLICE: Final = 2048
_SLICE: Final = 2 * _RECORD
_NOTHING: Final = memoryview(b"")
_SHOWN_NAMES: Final = 8
_ENCODING_DER: Final = 2  # _ssl.ENCODING_DER


class TLSEndpoint(SocketEndpoint):
    """A stream socket under TLS, in either role; made by `start_tls`. About 17 KiB while idle."""

    def __init__(
        self,
        sock: socket.socket,
        connection: ssl.SSLObject,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        *,
        address: str = "",
        error: type[PeerError] = ProxyError,
    ) -> None:
        super().__init__(sock, address=address, error=error)
        self._tls = connection
        # typeshed knows only the form of read() that returns bytes.
        self._read = cast("Callable[[int, memoryview], int]", connection.read)
        self._incoming = incoming
        self._outgoing = outgoing
        self._inside = False  # OpenSSL may hold more than was asked for
        self._ended = False  # the peer's close_notify has come
        self._remember: Callable[[], None] | None = None

    @property
    def version(self) -> str:
        """``TLSv1.3`` or ``TLSv1.2``."""
        return self._tls.version() or ""

    @property
    def cipher(self) -> str:
        """The cipher suite's name."""
        suite = self._tls.cipher()
        return suite[0] if suite else ""

    @property
    def peer_certificate(self) -> bytes | None:
        """The peer's certificate, DER; verified where the context verifies. ``None`` if it sent none."""
        return self._tls.getpeercert(binary_form=True)

    @property
    def buffered(self) -> bool:
        return bool(self._unread) or self._inside or self._ended

    @property
    def pending(self) -> int:
        return len(self._out) + self._outgoing.pending

    def read_into(self, buffer: memoryview) -> int:
        if self._unread:
            return self._take_unread(buffer)
        if self._inside or self._ended:
            size = self._decrypt(buffer)
            if size != WOULD_BLOCK:
                self.drained = False
                return size
        received = self._recv(scratch.cipher, max(len(buffer), _RECORD))
        if received == WOULD_BLOCK:
            return WOULD_BLOCK
        if received == 0:
            raise self.failure("truncated", "no close_notify before the end of the stream")
        size = self._decrypt(buffer, scratch.cipher[:received])
        if self._inside or self._ended:
            self.drained = False
        return size

    def _decrypt(self, buffer: memoryview, cipher: memoryview = _NOTHING) -> int:
        """Hand *cipher* on, and decrypt what is there into *buffer* until OpenSSL wants more or the buffer is full."""
        size, incoming = 0, self._incoming
        if len(cipher) <= _SLICE:
            if cipher:
                incoming.write(cipher)
        else:
            at = 0
            while len(cipher) - at > _SLICE and not self._ended and size < len(buffer):
                incoming.write(cipher[at : at + _SLICE])
                at += _SLICE
                size = self._decrypt_some(buffer, size, _WHOLE)
            incoming.write(cipher[at:])
        size = self._decrypt_some(buffer, size)
        if self._outgoing.pending:
            self.flush()
            if self.pending > _MAX_PENDING:
                raise self.failure("tls", "it asks for answers and does not read them")
        if size:
            # TLS 1.3 sends tickets after the handshake, before or with the first bytes.
            if self._remember is not None:
                remember, self._remember = self._remember, None
                remember()
            return size
        return 0 if self._ended else WOULD_BLOCK

    def _decrypt_some(self, buffer: memoryview, size: int, least: int = 0) -> int:
        """Decrypt into *buffer* from *size* on, and return where that ends; `_inside` and `_ended` tell what else is
        there.

        :param least: stop where less than this is left: more comes at once, and to ask for a record that is not whole
            yet costs an exception.
        """
        limit, read, incoming = len(buffer), self._read, self._incoming
        try:
            while size < limit:
                got = read(limit - size, buffer[size:])
                if not got:
                    self._ended = True
                    break
                size += got
                left = incoming.pending
                if left < least or (not left and not self._tls.pending()):
                    self._inside = False  # without asking: an exception costs more than a small record
                    break
            else:
                self._inside = True
        except ssl.SSLWantReadError:
            self._inside = False
        except ssl.SSLZeroReturnError:
            self._ended = True
        except ssl.SSLError as error:
            raise self.failure("tls", reason(error)) from error
        return size

    def remember_session(self, remember: Callable[[ssl.SSLSession | None], None]) -> None:
        """Call *remember* once, with what may be resumed, when the first bytes have been read."""
        self._remember = lambda: remember(self._tls.session)

    @property
    def resumed(self) -> bool:
        """Whether the handshake took an earlier session up."""
        return bool(self._tls.session_reused)

    def write(self, data: memoryview | bytes) -> bool:
        view, write, take = memoryview(data), self._tls.write, self._outgoing.read
        size, records = len(view), list[bytes]()
        try:
            if 0 < size <= _SLICE and not self._out:
                write(view)
                record = take()
                sent = self._send(record)
                if sent == len(record):
                    return True
                self._out = memoryview(record)[sent:]
                return False
            for at in range(0, size, _SLICE):
                write(view[at : at + _SLICE])
                records.append(take())
        except ssl.SSLError as error:
            raise self.failure("tls", reason(error)) from error
        if self._out:
            self._out = b"".join((self._out, *records))
            return self.flush()
        sent = self._send_records(records)
        if sent < sum(map(len, records)):
            self._out = memoryview(b"".join(records))[sent:]
            return False
        return True

    def _send_records(self, records: list[bytes]) -> int:
        try:
            return self._sock.sendmsg(records)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            raise self._mapped(error) from error

    def flush(self) -> bool:
        while True:
            if not self._out:
                if not self._outgoing.pending:
                    return True
                self._out = memoryview(self._outgoing.read())
            sent = self._send(self._out)
            if sent < len(self._out):
                self._out = self._out[sent:]
                return False
            self._out = b""

    def send_eof(self) -> bool:
        # What comes after a close_notify that we have seen can only be garbage; before it, everything received must be
        # decrypted (see above). That is bounded: one read from the socket and one record.
        rest = bytearray()
        while not self._ended:
            size = self._decrypt(scratch.plain)
            if size <= 0:
                break
            rest += scratch.plain[:size]
        self._unread += bytes(rest)
        try:
            self._tls.unwrap()
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            pass
        except ssl.SSLError as error:
            raise self.failure("tls", reason(error)) from error
        return self.flush()


async def start_tls(
    sock: socket.socket,
    context: ssl.SSLContext,
    *,
    server_hostname: str | None = None,
    server_side: bool = False,
    timeout: float = 10.0,
    address: str = "",
    error: type[PeerError] = ProxyError,
    data: bytes = b"",
    hold_last: bool = False,
) -> TLSEndpoint:
    """Shake hands on a connected *sock*, which this call owns from now on: on any failure it is closed.

    :param timeout: seconds for the whole handshake.
    :param context: with a `ResumingContext`, a client resumes its last session with *server_hostname* at *address*.
    :param address: whom to name in errors.
    :param data: bytes already read from the socket, for instance after a PROXY header.
    :param hold_last: send our last flight together with the first bytes that are written, which has to be at once: one
        packet less, and the peer wakes up once. For a client.
    :raises PeerError: ``certificate`` (the detail carries OpenSSL's reason and the names in the certificate), ``tls``,
        ``timeout``, ``reset`` and the like.
    """
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    endpoint: TLSEndpoint | None = None
    resuming = context if isinstance(context, ResumingContext) and not server_side else None
    place = server_hostname or "", address
    try:
        connection = context.wrap_bio(
            incoming,
            outgoing,
            server_side=server_side,
            server_hostname=_as_it_is(server_hostname),
            session=resuming.session_for(place) if resuming else None,
        )
        endpoint = TLSEndpoint(sock, connection, incoming, outgoing, address=address, error=error)
        endpoint.stage = "tls"
        incoming.write(data)
        with endpoint.within(timeout):
            await _shake_hands(endpoint, connection, incoming, first=not server_side or bool(data))
            if not hold_last and not endpoint.flush():
                await endpoint.drain()
    except TimeoutError:
        if endpoint is not None:
            endpoint.close()  # not the socket alone: its number must be watched no more
        sock.close()
        raise error("timeout", address=address, stage="tls", detail=f"no handshake within {timeout:g} s") from None
    except BaseException:
        if resuming:
            resuming.forget(place)
        if endpoint is not None:
            endpoint.close()
        sock.close()
        raise
    if resuming and not endpoint.resumed:
        endpoint.remember_session(functools.partial(resuming.keep, place))
    endpoint.stage = "connect"
    # The last flight may have brought data along, which no event would announce.
    endpoint._inside = bool(incoming.pending or connection.pending())
    return endpoint


def _as_it_is(name: str | None) -> str | bytes | None:
    """For text the standard library loads its tables of international names first; bytes it takes as they are."""
    return name.encode() if name is not None and name.isascii() else name


async def _shake_hands(
    endpoint: TLSEndpoint, connection: ssl.SSLObject, incoming: ssl.MemoryBIO, *, first: bool
) -> None:
    """:param first: it is for us to speak, or the peer has been heard already."""
    if not first:
        await _hear(endpoint, incoming, at_once=True)
    while not _step(endpoint, connection):
        if not endpoint.flush():
            await endpoint.drain()
        await _hear(endpoint, incoming)


async def _hear(endpoint: TLSEndpoint, incoming: ssl.MemoryBIO, *, at_once: bool = False) -> None:
    """Wait for what the peer says next, and hand it to OpenSSL.

    :param at_once: it may be there already. Otherwise others get their turn first, however much the peer has to say.
    """

    def listen() -> int | None:
        received = endpoint._recv(scratch.cipher, _HANDSHAKE_SLICE)
        if received == WOULD_BLOCK:
            return None
        incoming.write(scratch.cipher[:received])
        return received

    received = listen() if at_once else None
    if received is None:
        received = await endpoint._when_readable(listen, lambda _: None)  # whoever is cancelled here gives up
    if received == 0:
        raise endpoint.failure("tls", "the connection was closed during the handshake")


def _step(endpoint: TLSEndpoint, connection: ssl.SSLObject) -> bool:
    """Go on as far as what has come allows; whether the handshake is over."""
    try:
        connection.do_handshake()
    except ssl.SSLWantReadError:
        return False
    except ssl.SSLError as error:
        # The alert tells the peer why; if it can't be sent at once, so be it.
        with contextlib.suppress(PeerError):
            endpoint.flush()
        raise _handshake_failure(endpoint, connection, error) from error
    return True


def _handshake_failure(endpoint: TLSEndpoint, connection: ssl.SSLObject, error: ssl.SSLError) -> PeerError:
    if not isinstance(error, ssl.SSLCertVerificationError):
        return endpoint.failure("tls", reason(error))
    # Here: for this message alone.
    from tunnelui.transport.certificate import certificate_names
    from tunnelui.transport.failures import trust_hint

    detail = reason(error)
    der = _presented_certificate(connection)
    if der is not None:
        names = certificate_names(der)
        shown = ", ".join(clean(name, 80) for name in names[:_SHOWN_NAMES]) or "no host"
        more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
        detail = f"{detail} (the certificate is for {shown}{more})"
    return endpoint.failure("certificate", detail, trust_hint(error, der))


def _presented_certificate(connection: ssl.SSLObject) -> bytes | None:
    """The certificate that the peer sent, verified or not; ``None`` where this Python does not tell."""
    # Public from 3.13 on; before that only the inner object has it, and gives objects in place of bytes.
    holder: Any = connection if hasattr(connection, "get_unverified_chain") else getattr(connection, "_sslobj", None)
    try:
        first = holder.get_unverified_chain()[0]
        return first if isinstance(first, bytes) else bytes(first.public_bytes(_ENCODING_DER))
    except (AttributeError, IndexError, TypeError, ValueError, ssl.SSLError):
        return None
