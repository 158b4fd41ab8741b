"""What all measurements share: cores, certificates, the C programs, the endpoint, free ports."""

from __future__ import annotations

import os
import resource
import socket
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import trustme

from benchmarks.native import Programs, build
from benchmarks.processes import Child, run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["BANNER", "ECHO", "Cores", "Lab", "Target", "free_port", "open_lab"]

REPOSITORY: Final = Path(__file__).resolve().parents[1]
PEERS: Final = REPOSITORY / ".peers"

ECHO: Final = "bench.example.com:7"
"""The destination behind which the endpoint takes orders."""
BANNER: Final = "banner.example.com:7"
"""The destination behind which the endpoint speaks first."""


@dataclass(frozen=True, slots=True)
class Cores:
    """Which cores a role runs on. A half under test has one to itself where there are two or more.

    End to end there are three roles: ``near`` and ``far``, the two halves, and ``load``. With four cores each half has
    one to itself; with fewer, the halves and the load share them all.
    """

    relay: frozenset[int]
    load: frozenset[int]
    near: frozenset[int]
    far: frozenset[int]
    pair_load: frozenset[int]

    @classmethod
    def divide(cls, cores: Iterable[int]) -> Cores:
        """:raises ValueError: there is none."""
        known = sorted(cores)
        if not known:
            raise ValueError("no core to run on")
        everything = frozenset(known)
        relay = frozenset(known[:1])
        load = everything - relay or relay
        if len(known) < 4:
            return cls(relay, load, everything, everything, everything)
        return cls(relay, load, relay, frozenset(known[1:2]), frozenset(known[2:]))


@dataclass(frozen=True, slots=True)
class Target:
    """Where the load generator connects, and what it has to do there itself.

    ``tls``: it is the TLS client; ``connect``: and it sends CONNECT.
    """

    port: int
    tls: bool = False
    connect: bool = False


@dataclass(frozen=True, slots=True)
class Lab:
    """One run's workplace; see `open_lab`."""

    folder: Path
    cores: Cores
    programs: Programs
    ca_file: Path
    cert_file: Path
    key_file: Path
    endpoint: Child
    plain: int
    banner: int
    connect: int
    tls: int
    problems: list[str] = field(default_factory=list)

    def load(self, mode: str, target: Target, *, cores: frozenset[int], timeout: float, **values: object) -> Any:
        """Run the load generator against *target*; *values* are its arguments.

        :raises CommandFailed: it failed: no connection, wrong content, too slow.
        """
        return run(self.load_command(mode, target, **values), cores=cores, timeout=timeout)

    def load_command(self, mode: str, target: Target, **values: object) -> list[str]:
        """Return the command line of the load generator."""
        arguments = {"port": target.port, **values}
        if target.tls:
            arguments["tls"] = self.ca_file
        if target.connect:
            arguments["connect"] = ECHO
        return [str(self.programs.load), mode, *(f"{name}={value}" for name, value in arguments.items())]

    @contextmanager
    def delay(self, port: int, milliseconds: float) -> Iterator[int]:
        """Put a link with this round trip in front of *port*; yield the port of the link."""
        number = free_port()  # for a name of its own
        command = [str(self.programs.delay), str(port), str(round(milliseconds * 1000))]
        with Child(f"delay-{number}", command, self.folder, cores=self.cores.pair_load, talk=True) as child:
            yield int(child.hear()["port"])


@contextmanager
def open_lab(folder: Path, cores: Iterable[int]) -> Iterator[Lab]:
    """Build the programs, make certificates and start the endpoint.

    :raises BuildError: the C programs can't be built.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # children inherit it
    programs = build(folder)
    divided = Cores.divide(cores)
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    ca_file, cert_file, key_file = (folder / name for name in ("ca.pem", "cert.pem", "key.pem"))
    authority.cert_pem.write_to_path(str(ca_file))
    cert_file.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key_file.touch(0o600)
    key_file.write_bytes(issued.private_key_pem.bytes())
    command = [str(programs.endpoint), *([str(cert_file), str(key_file)] if programs.tls else [])]
    with Child("endpoint", command, folder, cores=divided.load, talk=True) as endpoint:
        ports = endpoint.hear()
        yield Lab(folder, divided, programs, ca_file, cert_file, key_file, endpoint, **ports)


def free_port() -> int:
    """Return a loopback port that nobody uses now.

    Above the range that the system takes ports of clients from, so that none of many thousand connections has it.
    """
    last = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[1])
    for port in range(max(_next[0], last + 1), 65535):
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
        _next[0] = port + 1
        return port
    with socket.socket() as sock:  # the range goes to the top: any free port will do
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


_next: Final = [61000 + os.getpid() % 1000]
