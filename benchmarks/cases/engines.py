"""The TLS engines that Python offers, without sockets: what each costs for the same bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from benchmarks.halves.registry import label_of
from benchmarks.lab import PEERS, REPOSITORY
from benchmarks.processes import run as run_command

if TYPE_CHECKING:
    from benchmarks.cases.run import Run

__all__ = ["PYOPENSSL", "measure_engines", "name_of"]

PYOPENSSL: Final = "pyOpenSSL"
_PROBE: Final = REPOSITORY / "benchmarks" / "engine_probe.py"


def name_of(what: str) -> str:
    """Return the name of the case in tables; *what* is ``seal`` or ``open``."""
    return f"TLS engine, {what} 64 KiB"


def measure_engines(run: Run) -> None:
    """Alternate between the standard library's engine, which the product uses, and pyOpenSSL's."""
    first = run.plan.pythons[0]
    engines = [(label_of(python, first), python, "standard") for python in run.plan.pythons]
    other = PEERS / "bench-venv" / "bin" / "python"
    if other.exists():
        engines.append((PYOPENSSL, str(other), "pyopenssl"))
    else:
        run.note(f"{PYOPENSSL} is left out: run benchmarks/peers.sh")
    for number in range(run.plan.rounds):
        for peer, python, engine in engines:
            command = [python, str(_PROBE), engine, str(run.lab.cert_file), str(run.lab.key_file)]
            run.attempt(f"TLS engine {peer}", lambda: _measure(run, peer, command, number))  # noqa: B023  (called at once)


def _measure(run: Run, peer: str, command: list[str], number: int) -> None:
    spent = run_command(command, cores=run.lab.cores.relay, timeout=run.plan.timeout)
    for what in ("seal", "open"):
        run.add(name_of(what), "CPU", "s/GiB", "lower", peer, number, spent[what])
