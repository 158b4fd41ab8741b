"""Tunnels as lines of a table and as JSON, for ``up``, ``down`` and ``status``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tunnelui.cli.output import Exit, print_json, print_line, print_note, print_table
from tunnelui.engine.model import State
from tunnelui.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tunnelui.engine.model import IdentitySnapshot, SignInSnapshot, TunnelSnapshot
    from tunnelui.engine.programs import RunningProgram

__all__ = ["exit_of", "print_programs", "print_states", "size"]

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_EXITS = {
    State.AUTH: Exit.SIGN_IN,
    State.DENIED: Exit.DENIED,
    State.RETRY: Exit.UNAVAILABLE,
    State.PORT_BUSY: Exit.FAILED,
    State.ERROR: Exit.FAILED,
}


def print_states(
    tunnels: Sequence[TunnelSnapshot], *, as_json: bool, identities: Sequence[IdentitySnapshot] = ()
) -> None:
    """Print the state of *tunnels*; what is wrong with each goes to standard error.

    :param identities: with the sign-ins that tunnels wait for.
    """
    if as_json:
        sign_ins = {(one.profile, one.proxy): one.sign_in for one in identities}
        for tunnel in tunnels:
            sign_in = sign_ins.get((tunnel.route.profile, tunnel.proxy)) if tunnel.state is State.AUTH else None
            print_json({**_facts(tunnel), "sign_in": sign_in and _sign_in(sign_in)})
        return
    rows = [
        [
            tunnel.route.name,
            _state(tunnel),
            tunnel.local or "-",
            tunnel.target or tunnel.route.destination,
            size(tunnel.bytes_in),
            size(tunnel.bytes_out),
        ]
        for tunnel in tunnels
    ]
    print_table(["NAME", "STATE", "LOCAL", "TARGET", "IN", "OUT"], rows)
    for tunnel in tunnels:
        if tunnel.problem is not None and tunnel.state in _EXITS:
            request = f" (request {tunnel.problem.request_id})" if tunnel.problem.request_id else ""
            print_note(f"{tunnel.route.name}: {tunnel.problem.message}{request}")
            if tunnel.problem.hint:
                print_note(f"  {tunnel.problem.hint}")


def print_programs(programs: Sequence[RunningProgram], *, as_json: bool) -> None:
    """Print the tunnels of commands that have their own; nothing where there are none."""
    if as_json:
        for one in programs:
            print_json(asdict(one))
        return
    rows = [
        [f"{one.program} {one.runs}".strip(), str(one.pid), tunnel.local, tunnel.target]
        for one in programs
        for tunnel in one.tunnels
    ]
    if rows:
        print_line()
        print_table(["COMMAND", "PID", "LOCAL", "TARGET"], rows)


def exit_of(tunnels: Sequence[TunnelSnapshot]) -> Exit:
    """Return the exit code for the first of *tunnels* that is in trouble."""
    return next((_EXITS[tunnel.state] for tunnel in tunnels if tunnel.state in _EXITS), Exit.DONE)


def size(count: float) -> str:
    """Return *count* bytes as people write it: ``1.5 MiB``."""
    for unit in _UNITS:
        if count < 1024 or unit == _UNITS[-1]:
            break
        count /= 1024
    return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"


def _state(tunnel: TunnelSnapshot) -> str:
    return f"{tunnel.state} {tunnel.live}" if tunnel.state is State.LIVE else str(tunnel.state)


def _sign_in(sign_in: SignInSnapshot) -> dict[str, Any]:
    """The address as it is: whoever may ask for the state may open it."""
    return {"url": sign_in.url, "deadline_at": sign_in.deadline_at, "note": clean(sign_in.note, 400)}


def _facts(tunnel: TunnelSnapshot) -> dict[str, Any]:
    problem = tunnel.problem
    return {
        "name": tunnel.route.name,
        "state": tunnel.state.value,
        "local": tunnel.local,
        "destination": tunnel.route.destination,
        "target": tunnel.target,
        "proxy": tunnel.proxy,
        "profile": tunnel.route.profile,
        "tags": list(tunnel.route.tags),
        "live": tunnel.live,
        "bytes_in": tunnel.bytes_in,
        "bytes_out": tunnel.bytes_out,
        "started_at": tunnel.started_at,
        "retry_at": tunnel.retry_at,
        "problem": problem
        and {
            "code": problem.code,
            "message": clean(problem.message, 2000),
            "hint": problem.hint,
            "request_id": problem.request_id,
        },
    }
