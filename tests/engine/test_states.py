"""The state table, row by row."""

from __future__ import annotations

import pytest

from tunnelui.engine.model import Problem, State
from tunnelui.engine.states import LISTENER_TRIGGERS, RESTING, TRANSITIONS, Trigger, TunnelState

OFF, READY, RETRY, AUTH = State.OFF, State.READY, State.RETRY, State.AUTH
DENIED, ERROR, BUSY = State.DENIED, State.ERROR, State.PORT_BUSY

# Written out by hand, not derived from the code: state -> what each trigger leads to, in the order of COLUMNS.
COLUMNS = (
    Trigger.STARTED,
    Trigger.PORT_BUSY,
    Trigger.BROKEN,
    Trigger.STOPPED,
    Trigger.OPENED,
    Trigger.RETRYING,
    Trigger.UNAVAILABLE,
    Trigger.FAILED,
    Trigger.DENIED,
    Trigger.UNAUTHENTICATED,
    Trigger.SIGNED_IN,
)
TABLE = {
    OFF: (READY, BUSY, ERROR, OFF, OFF, OFF, OFF, OFF, OFF, OFF, OFF),
    BUSY: (READY, BUSY, ERROR, OFF, BUSY, BUSY, BUSY, BUSY, BUSY, BUSY, BUSY),
    READY: (READY, BUSY, ERROR, OFF, READY, RETRY, RETRY, ERROR, DENIED, AUTH, READY),
    RETRY: (READY, BUSY, ERROR, OFF, READY, RETRY, RETRY, ERROR, DENIED, AUTH, RETRY),
    ERROR: (READY, BUSY, ERROR, OFF, READY, RETRY, RETRY, ERROR, DENIED, AUTH, ERROR),
    AUTH: (READY, BUSY, ERROR, OFF, READY, RETRY, RETRY, ERROR, DENIED, AUTH, READY),
    DENIED: (READY, BUSY, ERROR, OFF, READY, RETRY, RETRY, ERROR, DENIED, AUTH, READY),
}


def test_table_covers_every_resting_state_and_trigger() -> None:
    assert set(COLUMNS) == set(Trigger)
    assert set(TABLE) == set(RESTING) == set(State) - {State.LIVE}


@pytest.mark.parametrize(
    ("before", "trigger", "after"),
    [(state, trigger, row[i]) for state, row in TABLE.items() for i, trigger in enumerate(COLUMNS)],
)
def test_each_transition(before: State, trigger: Trigger, after: State) -> None:
    assert TRANSITIONS[before][trigger] is after


def problem(code: str = "refused") -> Problem:
    return Problem(code, "it failed", "try", 1.0)


def shown(state: TunnelState) -> State:
    """`TunnelState.shown`; through a call, so that mypy does not take it for constant."""
    return state.shown


def code(state: TunnelState) -> str | None:
    return state.problem.code if state.problem else None


def listening(resting: State = State.READY) -> TunnelState:
    return TunnelState(resting=resting, listening=True)


def test_open_connections_show_live_whatever_rests_below() -> None:
    state = listening()
    state.live = 1
    state.apply(Trigger.DENIED, problem("denied"))
    assert (shown(state), code(state)) == (State.LIVE, "denied")
    state.live = 0
    assert shown(state) is State.DENIED


def test_waiting_for_sign_in_shows_auth_but_not_over_live() -> None:
    state = listening()
    state.signing_in = 2
    assert shown(state) is State.AUTH
    state.live = 1
    assert shown(state) is State.LIVE
    state.live = state.signing_in = 0
    assert shown(state) is State.READY


def test_stopped_tunnel_shows_live_until_its_last_connection_ends() -> None:
    state = listening()
    state.live = 1
    state.apply(Trigger.STOPPED)
    assert (shown(state), state.resting) == (State.LIVE, State.OFF)
    state.live = 0
    assert shown(state) is State.OFF


@pytest.mark.parametrize("trigger", sorted(set(Trigger) - LISTENER_TRIGGERS))
def test_connections_change_nothing_when_the_listener_is_broken(trigger: Trigger) -> None:
    state = TunnelState()
    state.apply(Trigger.BROKEN, problem("destination"))
    state.apply(trigger, problem("other"))
    assert state.shown is State.ERROR
    assert state.problem is not None
    assert state.problem.code == "destination"


def test_problem_stays_with_trouble_and_goes_with_success() -> None:
    state = listening()
    state.apply(Trigger.UNAVAILABLE, problem("unavailable"))
    state.apply(Trigger.SIGNED_IN)
    assert (shown(state), code(state)) == (State.RETRY, "unavailable")
    state.apply(Trigger.OPENED)
    assert (shown(state), code(state)) == (State.READY, None)


def test_new_problem_replaces_the_old_one() -> None:
    state = listening()
    state.apply(Trigger.RETRYING, problem("refused"))
    state.apply(Trigger.FAILED, problem("certificate"))
    assert state.problem is not None
    assert state.problem.code == "certificate"


@pytest.mark.parametrize("trigger", sorted(LISTENER_TRIGGERS))
def test_only_started_means_listening(trigger: Trigger) -> None:
    state = listening()
    state.apply(trigger, problem())
    assert state.listening is (trigger is Trigger.STARTED)
