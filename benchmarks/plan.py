"""Which cases there are, by name, and in which order a run goes through them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from benchmarks.cases.crowd import measure_crowd
from benchmarks.cases.engines import measure_engines
from benchmarks.cases.flood import measure_floods
from benchmarks.cases.floor import measure_floor
from benchmarks.cases.growth import measure_growth
from benchmarks.cases.idle import measure_idle
from benchmarks.cases.lookup import measure_look_ups
from benchmarks.cases.profile import measure_profiles
from benchmarks.cases.round_trip import measure_round_trips
from benchmarks.cases.screen import measure_pictures, measure_screen
from benchmarks.cases.start import measure_start
from benchmarks.cases.traffic import KINDS, measure_traffic
from benchmarks.halves.registry import Topology

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.cases.run import Run

__all__ = ["CASES", "choose", "go_through"]

_TOPOLOGIES: Final = {"client": Topology.CLIENT, "server": Topology.SERVER, "pair": Topology.PAIR}

CASES: Final = {f"{kind}-{word}": f"{kind}, {topology}" for kind in KINDS for word, topology in _TOPOLOGIES.items()} | {
    "idle-client": "memory and CPU of idle tunnels, client half",
    "idle-server": "memory and CPU of idle tunnels, server half",
    "round-trip": "new connections when the proxy is far away",
    "flood": "what a tunnel notices of a flood of others at the server",
    "growth": "what 10,000 connections one after the other leave behind",
    "start": "start of tunnelui tcp --listen -",
    "screen-picture": "first picture of the screen, with an agent and without",
    "screen-work": "looks at the engine, filter, idle CPU and memory of the screen",
    "screen-crowd": "a key held down while connections come and go on one route",
    "engines": "the TLS engines that there are for Python",
    "floor": "what OpenSSL and the kernel alone take",
    "profile": "where the CPU time goes: kernel, OpenSSL, Python",
    "lookup": "what a decision of the server costs",
}
"""Name for ``--case`` -> what it measures."""


def choose(words: Iterable[str]) -> list[str]:
    """Return the cases that *words* mean: full names, or a part of one before or after the hyphen; all without words.

    :raises ValueError: a word means nothing.
    """
    chosen: set[str] = set()
    for word in words:
        found = {case for case in CASES if case == word or word in case.split("-", 1)}
        if not found:
            raise ValueError(f"there is no case “{word}”; there are {', '.join(CASES)}")
        chosen |= found
    return [case for case in CASES if case in chosen or not chosen]


def go_through(run: Run, cases: Iterable[str]) -> None:
    """Measure *cases*."""
    cases = set(cases)
    for word, topology in _TOPOLOGIES.items():
        kinds = frozenset(kind for kind in KINDS if f"{kind}-{word}" in cases)
        if kinds:
            measure_traffic(run, topology, kinds)
    for word in ("client", "server"):
        if f"idle-{word}" in cases:
            measure_idle(run, _TOPOLOGIES[word])
    if "round-trip" in cases:
        measure_round_trips(run)
    if "flood" in cases:
        measure_floods(run)
    if "growth" in cases:
        measure_growth(run)
    if "start" in cases:
        measure_start(run)
    if "screen-picture" in cases:
        measure_pictures(run)
    if "screen-work" in cases:
        measure_screen(run)
    if "screen-crowd" in cases:
        measure_crowd(run)
    if "engines" in cases:
        measure_engines(run)
    if "floor" in cases:
        measure_floor(run)
    if "profile" in cases:
        measure_profiles(run)
    if "lookup" in cases:
        measure_look_ups(run)
