"""What OpenSSL and the kernel take under any relay in Python, with nothing around them: the floor of our figures.

``python floor_probe.py CERTIFICATE KEY`` prints a line of JSON: CPU seconds per GiB to seal and to open (TLS between
memory buffers, as `tunnelui.transport.tls` uses it) and to pass through loopback TCP, CPU microseconds of each end for
a handshake, and KiB of memory for two ends that have shaken hands. Nothing of this project is imported.
"""

from __future__ import annotations

import gc
import json
import os
import socket
import ssl
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

_CHUNK: Final = 1 << 16
_RECORD: Final = 1 << 14
_CHUNKS: Final = 2048
_HANDSHAKES: Final = 300
_PAIRS: Final = 500


@dataclass
class Pair:
    """Two ends between memory buffers. ``spent``: CPU seconds of each for the handshake."""

    client: Any
    server: Any
    to_client: ssl.MemoryBIO
    to_server: ssl.MemoryBIO
    spent: dict[str, float] = field(default_factory=lambda: {"client": 0.0, "server": 0.0})

    @classmethod
    def made(cls, here: ssl.SSLContext, there: ssl.SSLContext, session: ssl.SSLSession | None = None) -> Pair:
        to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        began = time.process_time()
        client = here.wrap_bio(to_client, to_server, server_hostname="localhost", session=session)
        between = time.process_time()
        server = there.wrap_bio(to_server, to_client, server_side=True)
        pair = cls(client, server, to_client, to_server)
        pair.spent["client"] += between - began
        pair.spent["server"] += time.process_time() - between
        waiting = ["client", "server"]
        while waiting:
            name = waiting.pop(0)
            began = time.process_time()
            try:
                (client if name == "client" else server).do_handshake()
            except ssl.SSLWantReadError:
                waiting.append(name)
            pair.spent[name] += time.process_time() - began
        return pair

    def send(self) -> None:
        """Something from the server to the client, so that the tickets arrive."""
        self.server.write(b"x")
        if self.client.read(1) != b"x":
            raise SystemExit("another byte came")


def stream(pair: Pair) -> dict[str, float]:
    chunk, buffer = memoryview(os.urandom(_CHUNK)), memoryview(bytearray(_CHUNK))
    seal = opened = 0.0
    for _ in range(_CHUNKS):
        began = time.process_time()
        records = []
        for start in range(0, _CHUNK, _RECORD):
            pair.client.write(chunk[start : start + _RECORD])
            records.append(pair.to_server.read())
        between = time.process_time()
        seal += between - began
        sealed = b"".join(records)
        between = time.process_time()
        pair.to_server.write(sealed)
        size = 0
        while size < _CHUNK:
            size += pair.server.read(_CHUNK - size, buffer[size:])
        opened += time.process_time() - between
        if buffer != chunk:
            raise SystemExit("other bytes came")
    gib = _CHUNKS * _CHUNK / 2**30
    return {"seal": seal / gib, "open": opened / gib}


def loopback() -> float:
    """CPU seconds to send a GiB and receive it, both in this process."""
    chunk, buffer = os.urandom(_CHUNK), memoryview(bytearray(_CHUNK))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        one = socket.create_connection(listener.getsockname())
        other, _ = listener.accept()
    with one, other:
        began = time.process_time()
        for _ in range(_CHUNKS):
            one.sendall(chunk)
            size = 0
            while size < _CHUNK:
                size += other.recv_into(buffer[size:])
        return (time.process_time() - began) / (_CHUNKS * _CHUNK / 2**30)


def handshakes(here: ssl.SSLContext, there: ssl.SSLContext) -> dict[str, float]:
    first = Pair.made(here, there)
    first.send()
    found: dict[str, float] = {}
    for kind, session in (("full", None), ("resumed", first.client.session)):
        spent = {"client": 0.0, "server": 0.0}
        for _ in range(_HANDSHAKES):
            pair = Pair.made(here, there, session)
            if pair.client.session_reused is not (session is not None):
                raise SystemExit("the session was not taken up, or one that nobody offered")
            for name, seconds in pair.spent.items():
                spent[name] += seconds
        found |= {f"{name}, {kind}": seconds / _HANDSHAKES * 1e6 for name, seconds in spent.items()}
    return found


def memory(here: ssl.SSLContext, there: ssl.SSLContext) -> float:
    def used() -> int:
        gc.collect()
        lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("Pss:")).split()[1])

    before = used()
    pairs = [Pair.made(here, there) for _ in range(_PAIRS)]
    for pair in pairs:
        pair.send()
    return (used() - before) / len(pairs)


def main(certificate: str, key: str) -> None:
    there = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    there.load_cert_chain(certificate, key)
    here = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    here.load_verify_locations(certificate)
    here.check_hostname, here.verify_mode = False, ssl.CERT_NONE
    found: dict[str, Any] = {"memory": memory(here, there)}
    found |= stream(Pair.made(here, there))
    found |= {"loopback": loopback(), "handshakes": handshakes(here, there)}
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
