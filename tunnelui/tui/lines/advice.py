"""What a tunnel's state means for the person who looks at it, and which keys help: the words of the strip."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tunnelui.engine.model import IdentityStatus, State
from tunnelui.errors import ConfigError
from tunnelui.frozen import frozen
from tunnelui.tui.lines.format import age, clock, duration
from tunnelui.tui.lines.rows import local_of, target_of
from tunnelui.tui.lines.steps import LOCKED, in_screen_words, on_screen
from tunnelui.tui.lines.words import capital
from tunnelui.wire.destination import parse_proxy_url

if TYPE_CHECKING:
    from tunnelui.engine.model import IdentitySnapshot, Problem, TunnelSnapshot

__all__ = ["Advice", "Hint", "advise"]


@frozen
class Hint:
    """A key, named by the id of its binding, and what it does here."""

    binding: str
    words: str


@frozen
class Advice:
    """*what* happened, one sentence; *then*, what happens by itself or what to do; *hints*, keys that help;
    *more*, what may be left out where there is no room for it."""

    what: str
    then: str = ""
    hints: tuple[Hint, ...] = ()
    more: str = ""


_START = Hint("tunnel.toggle", "start")
_RETRY = Hint("tunnel.restart", "try again")
_EDIT = Hint("route.edit", "edit route")
_COPY = Hint("copy.local", "copy address")
_DETAILS = Hint("move.details", "details")
_SIGN_IN = Hint("access.sign_in", "sign in")
_LOG = Hint("log.route", "log")


def advise(tunnel: TunnelSnapshot, identity: IdentitySnapshot | None, now: float) -> Advice:
    """Return the words for the state of *tunnel* at the Unix time *now*."""
    problem = on_screen(tunnel.problem, identity) if tunnel.problem else None
    match tunnel.state:
        case State.OFF:
            return _off(tunnel, problem)
        case State.READY | State.LIVE:
            return _up(tunnel, problem, now)
        case State.AUTH:
            return _auth(tunnel, problem, identity, now)
        case State.RETRY:
            return _retry(tunnel, problem, now)
        case State.DENIED:
            return _denied(tunnel, problem, identity)
        case State.PORT_BUSY:
            return _port_busy(tunnel, problem, now)
        case State.ERROR:
            what = problem.message if problem else "something went wrong, and nobody said what"
            if problem and problem.code == LOCKED:
                return Advice(what, problem.hint, (Hint("access.profiles", "profiles"), _RETRY, _EDIT))
            return Advice(what, problem.hint if problem else "", (_RETRY, _EDIT, _DETAILS))


def _off(tunnel: TunnelSnapshot, problem: Problem | None) -> Advice:
    if problem:
        return Advice(problem.message, problem.hint, (_START, _EDIT, _DETAILS))
    local = local_of(tunnel)
    where = f"would listen on {local}" if local else "would listen on any free port"
    return Advice(f"off, {where}, to {target_of(tunnel)}", "", (_START, _EDIT, _DETAILS))


def _up(tunnel: TunnelSnapshot, problem: Problem | None, now: float) -> Advice:
    if tunnel.state is State.LIVE:
        count = "1 connection" if tunnel.live == 1 else f"{tunnel.live} connections"
        since = f", up {age(now - tunnel.started_at)}" if tunnel.started_at is not None else ""
        what = f"{count} to {target_of(tunnel)}{since}"
    else:
        used = tunnel.connections or tunnel.bytes_in or tunnel.bytes_out
        what = f"listening on {local_of(tunnel)}, no connection {'open' if used else 'yet'}"
    if problem:  # the tunnel stands, but its last connection failed
        return Advice(problem.message, problem.hint, (_DETAILS, _RETRY))
    then = "Point a client at it." if tunnel.state is State.READY and not tunnel.connections else ""
    return Advice(what, then, (_COPY, _DETAILS, Hint("tunnel.toggle", "stop")))


def _auth(tunnel: TunnelSnapshot, problem: Problem | None, identity: IdentitySnapshot | None, now: float) -> Advice:
    sign_in = identity.sign_in if identity else None
    if sign_in is None:
        if problem is None and identity is not None and identity.problem is not None:
            problem = on_screen(identity.problem)
        what = problem.message if problem else "the proxy wants you to sign in"
        return Advice(what, problem.hint if problem else "", (_SIGN_IN, _DETAILS))
    left = duration(math.ceil(sign_in.deadline_at - now))
    others = len(sign_in.waiting) - (tunnel.route.name in sign_in.waiting)
    also = f", {others} other {'route' if others == 1 else 'routes'} too" if others > 0 else ""
    note = (
        f"{capital(in_screen_words(sign_in.note).partition(';')[0])}." if sign_in.note else "Finish it in the browser."
    )
    return Advice(f"waiting for your sign-in, {left} left{also}", note, (Hint("access.sign_in", "show the address"),))


def _retry(tunnel: TunnelSnapshot, problem: Problem | None, now: float) -> Advice:
    parts = [f"last try {clock(problem.at)}"] if problem else []
    parts.append(_next_try(tunnel, now) or "the next connection tries again")
    what = problem.message if problem else "the last try did not work"
    return Advice(what, ", ".join(parts) + ".", (Hint("tunnel.restart", "retry now"), _LOG, _EDIT))


def _next_try(tunnel: TunnelSnapshot, now: float) -> str:
    """When the engine tries again by itself; empty when it does not."""
    if tunnel.retry_at is None:
        return ""
    left = math.ceil(tunnel.retry_at - now)
    return f"next in {duration(left)}" if left > 0 else "trying now"


def _denied(tunnel: TunnelSnapshot, problem: Problem | None, identity: IdentitySnapshot | None) -> Advice:
    who = identity.name if identity and identity.name else "this sign-in"
    what = problem.message if problem else f"{who} may not use {target_of(tunnel)}"
    try:
        then = f"Ask the administrator of {parse_proxy_url(tunnel.proxy).address.host} for access."
    except ConfigError:
        then = "Ask the proxy's administrator for access."
    more = f"Request {problem.request_id}." if problem and problem.request_id else ""
    if identity and identity.status is IdentityStatus.SERVICE_ACCOUNT:
        return Advice(what, then, (_RETRY, _DETAILS), more)
    return Advice(what, then, (_RETRY, Hint("access.sign_in", "sign in as someone else"), _DETAILS), more)


def _port_busy(tunnel: TunnelSnapshot, problem: Problem | None, now: float) -> Advice:
    what = problem.message if problem else f"{local_of(tunnel)} is already in use"
    again = _next_try(tunnel, now)
    then = "Stop the other program, or choose another port." + (f" Try: {again}." if again else "")
    return Advice(what, then, (_RETRY, Hint("route.edit", "choose a port")))
