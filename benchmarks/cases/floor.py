"""What lies under every figure of a relay in Python: OpenSSL and the kernel alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from benchmarks.lab import REPOSITORY
from benchmarks.processes import run as run_command

if TYPE_CHECKING:
    from benchmarks.cases.run import Run

__all__ = ["measure_floor"]

_PROBE: Final = REPOSITORY / "benchmarks" / "floor_probe.py"
_BYTES: Final = {"seal": "seal 64 KiB", "open": "open 64 KiB", "loopback": "send and receive over loopback"}


def measure_floor(run: Run) -> None:
    """Measure with the first interpreter of the plan."""
    command = [run.plan.pythons[0], str(_PROBE), str(run.lab.cert_file), str(run.lab.key_file)]
    for number in range(run.plan.rounds):
        said = run_command(command, cores=run.lab.cores.relay, timeout=run.plan.timeout)
        for key, name in _BYTES.items():
            run.add("floor, bytes", "CPU", "s/GiB", "lower", name, number, said[key])
        for name, microseconds in said["handshakes"].items():
            run.add("floor, TLS handshake", "CPU", "µs", "lower", name, number, microseconds)
        run.add("floor, memory", "memory", "KiB", "lower", "two ends of TLS", number, said["memory"])
