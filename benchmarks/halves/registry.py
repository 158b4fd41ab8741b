"""Which peers there are for the client half, the server half and end to end, and how each is put together."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Final

from benchmarks.halves import envoy, haproxy, ours, ssh, streams
from benchmarks.halves.half import Half, Missing, Onward
from benchmarks.lab import ECHO, Lab, Target
from benchmarks.summary import OURS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = [
    "AES128",
    "ASYNCSSH",
    "DIRECT",
    "ENVOY",
    "HAPROXY",
    "SSH",
    "STREAMS",
    "OtherHalf",
    "Peer",
    "Rig",
    "Topology",
    "client_of",
    "label_of",
    "peers_of",
    "server_of",
]

ENVOY: Final = "Envoy"
HAPROXY: Final = "HAProxy (no CONNECT)"
STREAMS: Final = "asyncio streams"
AES128: Final = "ssh -L aes128-gcm"
SSH: Final = "ssh -L default"
ASYNCSSH: Final = "asyncssh"
DIRECT: Final = "no tunnel"
"""The load generator straight to the endpoint: what the measurement itself can do."""


class Topology(StrEnum):
    """What is measured: one half, with the load generator as the other, or both."""

    CLIENT = "client half"
    SERVER = "server half"
    PAIR = "end to end"


class OtherHalf(StrEnum):
    """Who is the other half when one is measured: the load generator itself, or Envoy on the load's cores."""

    LOAD = "load"
    ENVOY = "envoy"


@dataclass(frozen=True, slots=True)
class Rig:
    """Something ready to be measured: where the load goes, and the processes whose CPU and memory count."""

    target: Target
    roots: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Peer:
    """A name and how to start it; entering `open` may raise `Missing`."""

    name: str
    open: Callable[[Lab], AbstractContextManager[Rig]]


ClientFactory = Callable[[Lab, Onward, frozenset[int]], AbstractContextManager[Half]]
ServerFactory = Callable[[Lab, frozenset[int]], AbstractContextManager[Half]]


def label_of(python: str, first: str) -> str:
    """Return the name of tunnelui under *python*: plain under the first interpreter, with its version under others."""
    if python == first:
        return OURS
    code = "import platform; print(platform.python_implementation(), platform.python_version())"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    return f"{OURS} on {done.stdout.strip()}"


def client_of(name: str, python: str) -> ClientFactory:
    """Return how to start the client half of *name* (`OURS`, `ENVOY` or `STREAMS`)."""

    def start(lab: Lab, onward: Onward, cores: frozenset[int]) -> AbstractContextManager[Half]:
        if name == ENVOY:
            return envoy.client(lab, "envoy-client", onward, cores)
        if name == STREAMS:
            return streams.client(lab, "streams-client", onward, cores, python)
        return ours.client(lab, "tunnelui", onward, cores, python)

    return start


def server_of(name: str, python: str) -> ServerFactory:
    """Return how to start the server half of *name* (`OURS`, `ENVOY` or `STREAMS`)."""

    def start(lab: Lab, cores: frozenset[int]) -> AbstractContextManager[Half]:
        if name == ENVOY:
            return envoy.server(lab, "envoy-server", cores)
        if name == STREAMS:
            return streams.server(lab, "streams-server", cores, python)
        return ours.server(lab, "tunnelui-server", cores, python)

    return start


def peers_of(topology: Topology, pythons: Sequence[str], other: OtherHalf) -> list[Peer]:
    """Return all peers of *topology*, ours first.

    :param pythons: the interpreters for our halves; the first one runs the baseline as well.
    """
    names = [(label_of(python, pythons[0]), python) for python in pythons]
    tunnels = [*names, (ENVOY, pythons[0]), (STREAMS, pythons[0])]
    if topology is Topology.CLIENT:
        peers = [Peer(name, partial(_client_rig, client_of(name, python), other)) for name, python in tunnels]
        return [*peers, Peer(HAPROXY, _haproxy_client)]
    if topology is Topology.SERVER:
        peers = [Peer(name, partial(_server_rig, server_of(name, python), other)) for name, python in tunnels]
        return [*peers, Peer(HAPROXY, _haproxy_server)]
    peers = [
        Peer(name, partial(_pair_rig, client_of(name, python), server_of(name, python))) for name, python in tunnels
    ]
    return [
        *peers,
        Peer(HAPROXY, _haproxy_pair),
        Peer(AES128, partial(_ssh_rig, "aes128-gcm@openssh.com")),
        Peer(SSH, partial(_ssh_rig, None)),
        Peer(ASYNCSSH, _asyncssh_rig),
        Peer(DIRECT, _direct_rig),
    ]


@contextmanager
def _client_rig(client: ClientFactory, other: OtherHalf, lab: Lab) -> Iterator[Rig]:
    with ExitStack() as stack:
        proxy = lab.connect
        if other is OtherHalf.ENVOY:
            proxy = stack.enter_context(envoy.server(lab, "other-half", lab.cores.load)).port
        half = stack.enter_context(client(lab, Onward(proxy, ECHO), lab.cores.relay))
        yield Rig(Target(half.port), (half.pid,))


@contextmanager
def _server_rig(server: ServerFactory, other: OtherHalf, lab: Lab) -> Iterator[Rig]:
    with ExitStack() as stack:
        half = stack.enter_context(server(lab, lab.cores.relay))
        target = Target(half.port, tls=True, connect=True)
        if other is OtherHalf.ENVOY:
            client = envoy.client(lab, "other-half", Onward(half.port, ECHO), lab.cores.load)
            target = Target(stack.enter_context(client).port)
        yield Rig(target, (half.pid,))


@contextmanager
def _pair_rig(client: ClientFactory, server: ServerFactory, lab: Lab) -> Iterator[Rig]:
    with server(lab, lab.cores.far) as far, client(lab, Onward(far.port, ECHO), lab.cores.near) as near:
        yield Rig(Target(near.port), (near.pid, far.pid))


@contextmanager
def _haproxy_client(lab: Lab) -> Iterator[Rig]:
    _need_tls(lab)
    with haproxy.client(lab, "haproxy-client", lab.tls, lab.cores.relay) as half:
        yield Rig(Target(half.port), (half.pid,))


@contextmanager
def _haproxy_server(lab: Lab) -> Iterator[Rig]:
    _need_tls(lab)
    with haproxy.server(lab, "haproxy-server", lab.cores.relay) as half:
        yield Rig(Target(half.port, tls=True), (half.pid,))


def _need_tls(lab: Lab) -> None:
    if not lab.programs.tls:
        raise Missing("HAProxy's halves need a load generator with TLS (libssl-dev)")


@contextmanager
def _haproxy_pair(lab: Lab) -> Iterator[Rig]:
    with (
        haproxy.server(lab, "haproxy-server", lab.cores.far) as far,
        haproxy.client(lab, "haproxy-client", far.port, lab.cores.near) as near,
    ):
        yield Rig(Target(near.port), (near.pid, far.pid))


@contextmanager
def _ssh_rig(cipher: str | None, lab: Lab) -> Iterator[Rig]:
    with ssh.openssh(lab, "ssh", cipher) as (near, far):
        yield Rig(Target(near.port), (near.pid, far.pid))


@contextmanager
def _asyncssh_rig(lab: Lab) -> Iterator[Rig]:
    with ssh.asyncssh(lab, "asyncssh") as (near, far):
        yield Rig(Target(near.port), (near.pid, far.pid))


@contextmanager
def _direct_rig(lab: Lab) -> Iterator[Rig]:
    yield Rig(Target(lab.plain), ())
