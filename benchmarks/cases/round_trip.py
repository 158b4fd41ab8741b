"""How long a new connection takes when the proxy is far away: from connect to the first byte of a service that speaks
first. The reference is the round trip itself, measured by the same generator through the same kind of link.
"""

from __future__ import annotations

from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Final

from benchmarks.halves.half import Missing, Onward
from benchmarks.halves.registry import ENVOY, STREAMS, client_of, label_of, server_of
from benchmarks.lab import BANNER, Target
from benchmarks.processes import CommandFailed

if TYPE_CHECKING:
    from benchmarks.cases.run import Run

__all__ = ["COLD", "LINK", "USED", "measure_round_trips", "name_of"]

COLD: Final = "cold"
USED: Final = "lately used"
LINK: Final = "the round trip"
# Between connections, so that one that is kept warm can be replaced: round trips, and milliseconds at least.
_GAP_ROUND_TRIPS: Final = 4
_SHORTEST_GAP: Final = 300


def name_of(milliseconds: float, how: str) -> str:
    """Return the name of the case in tables; *how* is `COLD` or `USED`."""
    return f"new connection, {milliseconds:g} ms away, {how}"


def measure_round_trips(run: Run) -> None:
    """Measure every round trip of the plan."""
    first = run.plan.pythons[0]
    peers = [(label_of(python, first), python) for python in run.plan.pythons] + [(ENVOY, first), (STREAMS, first)]
    for milliseconds in run.plan.round_trips:
        for number in range(run.plan.cold_starts):
            _link(run, milliseconds, number)
            for name, python in peers:
                if run.plan.keeps(name):
                    what = f"{name_of(milliseconds, COLD)}: {name}"
                    run.attempt(what, partial(_peer, run, milliseconds, number, name, python))


def _link(run: Run, milliseconds: float, number: int) -> None:
    lab, plan = run.lab, run.plan
    with lab.delay(lab.plain, milliseconds) as port:
        seconds = max(plan.connections * milliseconds / 1000, 0.1)
        said = lab.load("ping", Target(port), cores=lab.cores.pair_load, timeout=plan.timeout, seconds=seconds)
    for how in (COLD, USED):
        run.add(name_of(milliseconds, how), "time", "ms", "lower", LINK, number, said["p50"] / 1000)


def _peer(run: Run, milliseconds: float, number: int, name: str, python: str) -> None:
    """The first connection of a fresh client is cold; those that follow find a tunnel that was used."""
    lab, plan = run.lab, run.plan
    try:
        with (
            server_of(name, python)(lab, lab.cores.far) as far,
            lab.delay(far.port, milliseconds) as link,
            client_of(name, python)(lab, Onward(link, BANNER), lab.cores.near) as near,
        ):
            target, cores = Target(near.port), lab.cores.pair_load
            # The server has seen a connection, the client has not: what is made once at the server is no part of this.
            _warm_server(run, name, python, far.port)
            gap = int(max(_SHORTEST_GAP, _GAP_ROUND_TRIPS * milliseconds))
            said = lab.load("first", target, cores=cores, timeout=plan.timeout, count=plan.connections + 1, gap=gap)
            times = said["ms"]
    except Missing as error:
        run.note(f"{name} is left out: {error}")
        return
    if len(times) != plan.connections + 1:
        raise CommandFailed("not all connections were made")
    run.add(name_of(milliseconds, COLD), "time", "ms", "lower", name, number, times[0])
    run.add(name_of(milliseconds, USED), "time", "ms", "lower", name, number, median(times[1:]))


def _warm_server(run: Run, name: str, python: str, port: int) -> None:
    lab = run.lab
    with client_of(name, python)(lab, Onward(port, BANNER), lab.cores.near) as other:
        lab.load("first", Target(other.port), cores=lab.cores.pair_load, timeout=run.plan.timeout, count=1)
