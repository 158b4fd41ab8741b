"""What a tunnel that is open, and one that is about to be, notice of a flood of others at the same server.

Two floods: connections that stop half-way and are held there, a third of them each without a word, in the middle of the
TLS handshake and in the middle of the head; and new tunnels as fast as 16 clients can open them.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from benchmarks.halves.registry import HAPROXY, Rig, Topology
from benchmarks.processes import Child, CommandFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from benchmarks.cases.run import Run

__all__ = ["FLOODS", "measure_floods"]

_PATIENCE: Final = 10.0
_CLIENTS: Final = 16
_HALF_A_HEAD: Final = b"CONNECT bench.example.com:7 HTTP/1.1\r\nHost: bench"


def measure_floods(run: Run) -> None:
    """Ping and open tunnels, one at a time, beside each flood and beside none."""
    peers = [peer for peer in run.peers(Topology.SERVER) if peer.name != HAPROXY]  # it reads no heads here
    with run.rigs(peers) as rigs:
        for flood, begin in FLOODS.items():
            for number in range(run.plan.rounds):
                for peer, rig in rigs.items():
                    others = [other for other in rigs.values() if other is not rig]
                    run.attempt(f"{flood}: {peer}", partial(_measure, run, flood, begin, peer, rig, others, number))


def _measure(
    run: Run,
    flood: str,
    begin: Callable[[Run, Rig], AbstractContextManager[None]],
    peer: str,
    rig: Rig,
    others: list[Rig],
    number: int,
) -> None:
    case = f"server half, {flood}"
    plan, cores = run.plan, run.lab.cores.load
    with begin(run, rig), run.clock(rig, others) as clock:
        ping = run.lab.load("ping", rig.target, cores=cores, timeout=plan.timeout, seconds=plan.seconds)
        fresh = run.lab.load("rate", rig.target, cores=cores, timeout=plan.timeout, workers=1, seconds=plan.seconds)
    if fresh["failed"] or not fresh["count"]:
        raise CommandFailed(f"{fresh['failed']} of {fresh['failed'] + fresh['count']} tunnels failed")
    for quantile in ("p50", "p99"):
        run.add(case, f"ping {quantile}", "µs", "lower", peer, number, ping[quantile], clock)
    for quantile in ("p50", "p99"):
        run.add(case, f"new tunnel {quantile}", "ms", "lower", peer, number, fresh[quantile], clock)


@contextmanager
def _none(run: Run, rig: Rig) -> Iterator[None]:
    yield


@contextmanager
def _half_way(run: Run, rig: Rig) -> Iterator[None]:
    """Hold connections that have stopped half-way."""
    context = ssl.create_default_context(cafile=str(run.lab.ca_file))
    hello = _client_hello(context)
    with ExitStack() as held:
        for number in range(run.plan.held):
            sock = held.enter_context(socket.create_connection(("127.0.0.1", rig.target.port), _PATIENCE))
            if number % 3 == 1:
                sock.sendall(hello[: len(hello) // 2])
            elif number % 3 == 2:
                tls = held.enter_context(context.wrap_socket(sock, server_hostname="localhost"))
                tls.sendall(_HALF_A_HEAD)
        yield


@contextmanager
def _new_tunnels(run: Run, rig: Rig) -> Iterator[None]:
    """Open tunnels and close them, as fast as it goes, for as long as the block can take."""
    seconds = 2 * run.plan.seconds + 2.0
    command = run.lab.load_command("rate", rig.target, workers=_CLIENTS, seconds=seconds)
    with Child("flood", command, run.lab.folder, cores=run.lab.cores.load):
        yield


def _client_hello(context: ssl.SSLContext) -> bytes:
    outgoing = ssl.MemoryBIO()
    connection = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    try:
        connection.do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise AssertionError("a handshake without an answer")


FLOODS: Final = {
    "no flood": _none,
    "beside connections held half-way": _half_way,
    "beside a flood of new tunnels": _new_tunnels,
}
"""Name -> how to begin it."""
