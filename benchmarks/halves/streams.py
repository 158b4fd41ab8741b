"""The baseline that anybody would write first: asyncio streams on both sides (``streams_relay.py``)."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.halves.half import Half, Onward
from benchmarks.lab import BANNER, Lab, free_port
from benchmarks.processes import Child

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["client", "server"]

_RELAY: Final = Path(__file__).parents[1] / "streams_relay.py"


@contextmanager
def client(lab: Lab, name: str, onward: Onward, cores: frozenset[int], python: str) -> Iterator[Half]:
    """Listen and tunnel every connection to *onward*."""
    arguments = [str(onward.port), onward.authority, str(lab.ca_file)]
    with _run(lab, name, "client", arguments, cores, python) as half:
        yield half


@contextmanager
def server(lab: Lab, name: str, cores: frozenset[int], python: str) -> Iterator[Half]:
    """Terminate TLS and CONNECT."""
    arguments = [str(lab.plain), str(lab.banner), BANNER, str(lab.cert_file), str(lab.key_file)]
    with _run(lab, name, "server", arguments, cores, python) as half:
        yield half


@contextmanager
def _run(lab: Lab, name: str, mode: str, arguments: list[str], cores: frozenset[int], python: str) -> Iterator[Half]:
    port = free_port()
    command = [python, str(_RELAY), mode, str(port), *arguments]
    with Child(f"{name}-{port}", command, lab.folder, cores=cores) as child:
        child.wait_listening(port)
        yield Half(port, child.pid)
