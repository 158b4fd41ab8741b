"""CPU time of one TLS engine between memory buffers: ``standard`` or ``pyopenssl``, then the certificate and its key.

Prints one line of JSON: ``seal`` and ``open``, CPU seconds per GiB in chunks of 64 KiB. Run by an interpreter that has
the engine; nothing of this project is imported.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import ssl
import sys
import time
from typing import Any, Final, Protocol

_CHUNK: Final = 1 << 16
_RECORD: Final = 1 << 14
_CHUNKS: Final = 2048
_FLIGHTS: Final = 6


class Engine(Protocol):
    """Two ends that have shaken hands."""

    def seal(self, chunk: memoryview) -> bytes: ...

    def open(self, sealed: bytes, buffer: memoryview) -> int: ...


class Standard:
    """`ssl.SSLObject` over memory BIOs, used as `tunnelui.transport.tls` does."""

    def __init__(self, certificate: str, key: str) -> None:
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(certificate, key)
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
        self._to_server, self._to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._server = server.wrap_bio(self._to_server, self._to_client, server_side=True)
        self._client: Any = client.wrap_bio(self._to_client, self._to_server)
        for _ in range(_FLIGHTS):
            for end in (self._client, self._server):
                with contextlib.suppress(ssl.SSLWantReadError):
                    end.do_handshake()

    def seal(self, chunk: memoryview) -> bytes:
        self._client.write(chunk)
        return self._to_server.read()

    def open(self, sealed: bytes, buffer: memoryview) -> int:
        read: Any = self._server.read
        size = 0
        self._to_server.write(sealed)
        try:
            while size < _CHUNK:
                size += read(_CHUNK - size, buffer[size:])
        except ssl.SSLWantReadError:
            pass
        return size


class PyOpenSSL:
    """The same through pyOpenSSL's public interface, which writes one record at a time."""

    def __init__(self, certificate: str, key: str) -> None:
        tls: Any = importlib.import_module("OpenSSL.SSL")  # not among this project's dependencies
        self._want_read: type[Exception] = tls.WantReadError
        server, client = tls.Context(tls.TLS_SERVER_METHOD), tls.Context(tls.TLS_CLIENT_METHOD)
        server.use_certificate_chain_file(certificate)
        server.use_privatekey_file(key)
        self._server, self._client = tls.Connection(server, None), tls.Connection(client, None)
        self._server.set_accept_state()
        self._client.set_connect_state()
        for _ in range(_FLIGHTS):
            for end, peer in ((self._client, self._server), (self._server, self._client)):
                with contextlib.suppress(self._want_read):
                    end.do_handshake()
                with contextlib.suppress(self._want_read):
                    peer.bio_write(end.bio_read(1 << 20))

    def seal(self, chunk: memoryview) -> bytes:
        for at in range(0, _CHUNK, _RECORD):
            self._client.send(chunk[at : at + _RECORD])
        sealed: bytes = self._client.bio_read(2 * _CHUNK)
        return sealed

    def open(self, sealed: bytes, buffer: memoryview) -> int:
        size = 0
        self._server.bio_write(sealed)
        try:
            while size < _CHUNK:
                size += self._server.recv_into(buffer[size:], _CHUNK - size)
        except self._want_read:
            pass
        return size


_ENGINES: Final[dict[str, type[Standard] | type[PyOpenSSL]]] = {"standard": Standard, "pyopenssl": PyOpenSSL}


def main(name: str, certificate: str, key: str) -> None:
    engine: Engine = _ENGINES[name](certificate, key)
    chunk, buffer = os.urandom(_CHUNK), memoryview(bytearray(_CHUNK))
    seconds = {"seal": 0.0, "open": 0.0}
    for _ in range(_CHUNKS):
        began = time.process_time()
        sealed = engine.seal(memoryview(chunk))
        between = time.process_time()
        size = engine.open(sealed, buffer)
        seconds["open"] += time.process_time() - between
        seconds["seal"] += between - began
        if size != _CHUNK or buffer != chunk:
            raise SystemExit(f"{name} gave back {size} bytes, or others than it was given")
    gib = _CHUNKS * _CHUNK / 2**30
    print(json.dumps({what: spent / gib for what, spent in seconds.items()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
