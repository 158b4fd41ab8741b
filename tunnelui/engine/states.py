"""The states of a tunnel: one table, and the theory of how it works.

Theory of operation
===================

A CONNECT tunnel has no lasting link to the far side. What lasts is the local listener; each accepted connection dials
the proxy by itself. So a tunnel's state says two things: whether the local address listens, and how the latest tries
went. It never says that the far side works now, because nobody knows before the next try.

Rule 1: *the resting state moves by the table.* `TRANSITIONS` gives, for every resting state and every `Trigger`, the
next resting state. The table is total: each of the seven resting states (``off``, ``ready``, ``retry``, ``auth``,
``denied``, ``error``, and ``port busy``) has a row for each trigger, and a row may say "no change".

Rule 2: *two states lie over the resting state.* While connections are open the tunnel shows ``live``; else, while
connections wait for a sign-in, it shows ``auth``; else it shows the resting state. The resting state goes on moving
underneath: a tunnel with one open connection whose next one was refused shows ``live``, and ``denied`` once the open
one has ended. The overlay also covers a tunnel that was stopped with a grace period: it shows ``live`` until the last
connection is over, then ``off``.

Rule 3: *what a connection reports counts only while the tunnel listens.* ``off``, ``port busy`` and the ``error`` of a
listener are left by the listener's triggers alone; a connection that ends late changes nothing there.

What the resting states mean, and what leads out of them:

``off``        Not started, or stopped.
``ready``      Listening, and nothing is known to be wrong. Never a claim that the far side works.
``retry``      Listening. The last try met trouble that may pass by itself: the proxy could not be reached, or it said
               503. With a time (``retry_at``) a held connection is tried again then; without one, nobody waits, and the
               next accepted connection tries again. There is no probe in the background: a CONNECT is not free for the
               service behind the proxy, and its answer would be stale by the time that somebody connects.
``auth``       Listening. A sign-in is under way (overlay), or the last one ended without a token (resting). The next
               connection, or the person, begins another.
``denied``     Listening. The proxy said 403. The token is good and stays. Left by success, by a restart, or by a new
               sign-in, which may be another person.
``error``      Listening: the last try met trouble that waiting does not mend (a certificate, an odd answer); the next
               connection tries all the same, since somebody may have mended it meanwhile. Or not listening: the
               destination does not parse, or the address can't be bound for a reason other than being taken.
``port busy``  Another program holds the local address. It is tried again with backoff until it is free (``retry_at``).

Every trouble comes with a `tunnelui.engine.model.Problem`. It is kept while the resting state is a troubled one and
dropped by the transition to ``ready`` or ``off``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from tunnelui.engine.model import State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tunnelui.engine.model import Problem

__all__ = ["LISTENER_TRIGGERS", "RESTING", "TRANSITIONS", "Trigger", "TunnelState"]


class Trigger(StrEnum):
    """What can happen to a tunnel. The first four come from its listener, the rest from its connections."""

    STARTED = "the local address listens"
    PORT_BUSY = "the local address is taken"
    BROKEN = "the tunnel can't listen"
    STOPPED = "the listener was closed"

    OPENED = "the proxy opened a connection"
    RETRYING = "a try failed and the same connection will be tried again"
    UNAVAILABLE = "a connection was given up; the trouble may pass"
    FAILED = "a connection was given up; waiting does not help"
    DENIED = "the proxy said 403"
    UNAUTHENTICATED = "a sign-in is needed and none brought a token"
    SIGNED_IN = "a new token is there"


LISTENER_TRIGGERS: Final = frozenset({Trigger.STARTED, Trigger.PORT_BUSY, Trigger.BROKEN, Trigger.STOPPED})

# The listener decides alone, whatever was before.
_LISTENER: Final[Mapping[Trigger, State]] = {
    Trigger.STARTED: State.READY,
    Trigger.PORT_BUSY: State.PORT_BUSY,
    Trigger.BROKEN: State.ERROR,
    Trigger.STOPPED: State.OFF,
}
# The latest connection decides; only SIGNED_IN depends on the state.
_CONNECTION: Final[Mapping[Trigger, State]] = {
    Trigger.OPENED: State.READY,
    Trigger.RETRYING: State.RETRY,
    Trigger.UNAVAILABLE: State.RETRY,
    Trigger.FAILED: State.ERROR,
    Trigger.DENIED: State.DENIED,
    Trigger.UNAUTHENTICATED: State.AUTH,
}
_DEAF: Final = tuple(trigger for trigger in Trigger if trigger not in LISTENER_TRIGGERS)

TRANSITIONS: Final[Mapping[State, Mapping[Trigger, State]]] = {
    State.OFF: {**_LISTENER, **dict.fromkeys(_DEAF, State.OFF)},
    State.PORT_BUSY: {**_LISTENER, **dict.fromkeys(_DEAF, State.PORT_BUSY)},
    State.READY: {**_LISTENER, **_CONNECTION, Trigger.SIGNED_IN: State.READY},
    State.RETRY: {**_LISTENER, **_CONNECTION, Trigger.SIGNED_IN: State.RETRY},
    State.ERROR: {**_LISTENER, **_CONNECTION, Trigger.SIGNED_IN: State.ERROR},
    State.AUTH: {**_LISTENER, **_CONNECTION, Trigger.SIGNED_IN: State.READY},
    State.DENIED: {**_LISTENER, **_CONNECTION, Trigger.SIGNED_IN: State.READY},
}

RESTING: Final = frozenset(TRANSITIONS)
_CLEAR: Final = frozenset({State.OFF, State.READY})


@dataclass(slots=True)
class TunnelState:
    """The state of one tunnel.

    :param resting: what the table says.
    :param listening: whether the local address is open (rule 3).
    :param live: how many connections are open.
    :param signing_in: how many connections wait for a sign-in.
    :param problem: why the resting state is a troubled one.
    """

    resting: State = State.OFF
    listening: bool = False
    live: int = 0
    signing_in: int = 0
    problem: Problem | None = None

    @property
    def shown(self) -> State:
        """The state that people see (rule 2)."""
        if self.live:
            return State.LIVE
        if self.signing_in:
            return State.AUTH
        return self.resting

    def apply(self, trigger: Trigger, problem: Problem | None = None) -> None:
        """Move the resting state. *problem* replaces the one before; troubles should bring one."""
        if trigger in LISTENER_TRIGGERS:
            self.listening = trigger is Trigger.STARTED
        elif not self.listening:
            return
        self.resting = TRANSITIONS[self.resting][trigger]
        if self.resting in _CLEAR:
            self.problem = None
        elif problem is not None:
            self.problem = problem
