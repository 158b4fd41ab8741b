"""What a decision of the server costs: the session, the token, the route and its policy."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Final

from benchmarks.halves.ours import environment
from benchmarks.halves.registry import label_of
from benchmarks.lab import REPOSITORY
from benchmarks.processes import run as run_command

if TYPE_CHECKING:
    from benchmarks.cases.run import Run

__all__ = ["measure_look_ups"]

_PROBE: Final = REPOSITORY / "benchmarks" / "lookup_probe.py"
_WORDS: Final = {
    "file": ("session look-up", "through the file"),
    "kept": ("session look-up", "{python}"),
    "token": ("check of a token", "{python}"),
    "decision": ("route and policy", "{python}"),
}


def measure_look_ups(run: Run) -> None:
    """Measure a session that was used lately against one that is read from the file, and the other steps."""
    plan = run.plan
    size = f"{plan.sessions:,} sessions, {plan.routes:,} routes"
    for number in range(plan.memory_rounds):
        for python in plan.pythons:
            with tempfile.TemporaryDirectory(dir=run.lab.folder) as folder:
                said = run_command(
                    [python, str(_PROBE), str(plan.sessions), str(plan.routes), folder],
                    cores=run.lab.cores.relay,
                    timeout=2 * plan.timeout,
                    env=environment(run.lab.folder),
                )
            label = label_of(python, plan.pythons[0])
            for key, (what, peer) in _WORDS.items():
                name = peer.format(python=label)
                run.add(f"{what}, {size}", "time", "µs", "lower", name, number, said[key])
