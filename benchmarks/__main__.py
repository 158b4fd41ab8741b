"""``python -m benchmarks``; ``--help`` says more."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from benchmarks.cases.run import Plan, Run
from benchmarks.halves.registry import OtherHalf
from benchmarks.lab import open_lab
from benchmarks.machine import describe
from benchmarks.musts import judge
from benchmarks.native import BuildError
from benchmarks.plan import CASES, choose, go_through
from benchmarks.plot import render_svg
from benchmarks.table import render_musts, render_results

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.musts import Verdict
    from benchmarks.summary import Results

_QUICK = Plan(
    rounds=2,
    size=48 * 2**20,
    many_size=48 * 2**20,
    seconds=0.5,
    memory_rounds=1,
    idle=(200,),
    idle_seconds=1.0,
    round_trips=(0.0, 50.0),
    connections=3,
    cold_starts=2,
    starts=3,
    sessions=2_000,
    routes=500,
    sequence=200,
    held=60,
    timeout=40.0,
)


def main() -> int:
    parser = _parser()
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(f"{name:<20} {what}" for name, what in CASES.items()))
        return 0
    try:
        cases = choose(arguments.case)
    except ValueError as error:
        parser.error(str(error))
    if not sys.platform.startswith("linux"):
        parser.error("this program measures with /proc: it needs Linux")
    signal.signal(signal.SIGTERM, _leave)
    cores = sorted(arguments.cores or os.sched_getaffinity(0))
    plan = _plan(arguments)
    facts = describe(plan.pythons, cores)
    facts["command"] = "python -m benchmarks " + shlex.join(sys.argv[1:])
    facts["date"] = time.strftime("%Y-%m-%d")
    print("\n".join(f"{name:<12} {fact}" for name, fact in facts.items()), end="\n\n")
    try:
        results = _measure(plan, cores, cases, quiet=arguments.quiet)
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    verdicts = judge(results)
    text = f"{render_results(results)}\n{render_musts(verdicts)}"
    print(text)
    for path, content in (
        (arguments.json, json.dumps(_as_json(facts, plan, results, verdicts), indent=1) + "\n"),
        (arguments.svg, render_svg(results)),
        (arguments.text, text),
    ):
        if path is not None:
            path.write_text(content, encoding="utf-8")
    return 1 if not results.series else 0


def _measure(plan: Plan, cores: Sequence[int], cases: list[str], *, quiet: bool) -> Results:
    with tempfile.TemporaryDirectory(prefix="tunnelui-bench-") as folder, open_lab(Path(folder), cores) as lab:
        run = Run(lab, plan)
        if not quiet:
            run.tell = lambda text: print(text, file=sys.stderr)
        if plan.other is OtherHalf.LOAD and not lab.programs.tls:
            run.note("without OpenSSL's headers Envoy is the other half of each half: it shares a core with the load")
            run.plan = replace(plan, other=OtherHalf.ENVOY)
        go_through(run, cases)
        if faults := lab.endpoint.last_words.strip():
            run.note(f"the endpoint complains: {faults}")
        return run.results


def _plan(arguments: argparse.Namespace) -> Plan:
    plan = _QUICK if arguments.quick else Plan()
    changes: dict[str, Any] = {"other": OtherHalf(arguments.other), "only": frozenset(map(str.lower, arguments.peer))}
    if arguments.python:
        changes["pythons"] = tuple(arguments.python)
    if arguments.rounds:
        changes |= {"rounds": arguments.rounds, "memory_rounds": min(arguments.rounds, plan.memory_rounds)}
    if arguments.size:
        changes |= {"size": arguments.size * 2**20, "many_size": arguments.size * 2**20}
    if arguments.seconds:
        changes["seconds"] = arguments.seconds
    if arguments.idle:
        changes["idle"] = tuple(arguments.idle)
    if arguments.idle_seconds:
        changes["idle_seconds"] = arguments.idle_seconds
    return replace(plan, **changes)


def _as_json(facts: dict[str, str], plan: Plan, results: Results, verdicts: list[Verdict]) -> dict[str, Any]:
    return {
        "machine": facts,
        "plan": {name: getattr(plan, name) for name in ("rounds", "size", "many_size", "seconds", "idle", "other")},
        "series": [series.to_json() for series in results.series],
        "musts": [
            {
                "what": verdict.must.what,
                "against": verdict.must.reference,
                "bound": verdict.must.bound,
                "must": verdict.must.must,
                "aim": verdict.must.aim,
                "ratio": verdict.ratio,
                "verdict": verdict.word,
                "at": verdict.where,
            }
            for verdict in verdicts
        ],
        "problems": results.problems,
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure tunnelui against its peers.")
    parser.add_argument(
        "--case", action="append", default=[], metavar="NAME", help="only these (see --list); repeatable"
    )
    parser.add_argument(
        "--peer", action="append", default=[], metavar="WORD", help="only peers with WORD in their name"
    )
    parser.add_argument("--list", action="store_true", help="name the cases")
    parser.add_argument(
        "--quick", action="store_true", help="small sizes: shows that all works, figures are worth little"
    )
    parser.add_argument("--rounds", type=_positive, metavar="N", help="rounds of each measurement")
    parser.add_argument("--size", type=_positive, metavar="MIB", help="bytes moved in each throughput measurement")
    parser.add_argument("--seconds", type=float, metavar="S", help="length of each ping and rate measurement")
    parser.add_argument("--idle", action="append", type=_positive, metavar="N", help="idle tunnels; repeatable")
    parser.add_argument("--idle-seconds", type=float, metavar="S", help="how long idle tunnels are watched")
    parser.add_argument(
        "--python", action="append", metavar="PATH", help="interpreter for our halves; repeat to compare"
    )
    parser.add_argument(
        "--other", choices=list(OtherHalf), default=OtherHalf.LOAD, help="who is the other half of a half"
    )
    parser.add_argument("--cores", type=_cores, metavar="0,1", help="cores to use; all without")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write the plot there")
    parser.add_argument("--text", type=Path, metavar="FILE", help="write the tables there")
    parser.add_argument("--quiet", action="store_true", help="do not tell every measurement")
    return parser


def _positive(text: str) -> int:
    if (value := int(text)) <= 0:
        raise ValueError(text)
    return value


def _cores(text: str) -> set[int]:
    cores = {int(part) for part in text.split(",")}
    if not cores <= os.sched_getaffinity(0):
        raise ValueError(text)
    return cores


def _leave(number: int, frame: object) -> NoReturn:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
