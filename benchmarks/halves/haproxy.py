"""HAProxy with one thread: TLS on either side of a plain relay. It knows no CONNECT as a relay, so it is a floor."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from benchmarks.halves.half import Half, program
from benchmarks.lab import Lab, free_port
from benchmarks.processes import Child

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["client", "server"]


@contextmanager
def client(lab: Lab, name: str, onward: int, cores: frozenset[int]) -> Iterator[Half]:
    """Listen without TLS and go on with TLS to the port *onward*."""
    with _run(
        lab, name, "", f"127.0.0.1:{onward} ssl verify required ca-file {lab.ca_file} sni str(localhost)", cores
    ) as half:
        yield half


@contextmanager
def server(lab: Lab, name: str, cores: frozenset[int]) -> Iterator[Half]:
    """Terminate TLS and go on to the endpoint."""
    both = lab.folder / "haproxy.pem"
    if not both.exists():
        both.touch(0o600)
        both.write_bytes(lab.cert_file.read_bytes() + lab.key_file.read_bytes())
    with _run(lab, name, f" ssl crt {both}", f"127.0.0.1:{lab.plain}", cores) as half:
        yield half


@contextmanager
def _run(lab: Lab, name: str, bind: str, server: str, cores: frozenset[int]) -> Iterator[Half]:
    port = free_port()
    file = lab.folder / f"{name}-{port}.cfg"
    file.write_text(
        "global\n"
        "  nbthread 1\n"
        "  maxconn 9000\n"
        "defaults\n"
        "  mode tcp\n"
        "  timeout connect 10s\n"
        "  timeout client 1h\n"
        "  timeout server 1h\n"
        "listen relay\n"
        f"  bind 127.0.0.1:{port}{bind}\n"
        f"  server one {server}\n"
    )
    with Child(f"{name}-{port}", [program("haproxy"), "-db", "-q", "-f", str(file)], lab.folder, cores=cores) as child:
        child.wait_listening(port)
        yield Half(port, child.pid)
