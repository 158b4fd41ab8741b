"""Turns: one in each pass of the loop, in order, and everybody gets there."""

from __future__ import annotations

import asyncio

from tunnelui.transport.turns import Turns, turns_of


class _Stream:
    """Has *left* turns to take, and notes each in *log*."""

    def __init__(self, name: str, left: int, turns: Turns, log: list[str]) -> None:
        self.name, self.left, self.turns, self.log = name, left, turns, log

    def take_turn(self) -> None:
        self.turns.claim()
        self.log.append(self.name)
        self.left -= 1
        if self.left:
            self.turns.wait(self)


async def _passes(turns: Turns, log: list[str], enough: int) -> list[str]:
    """What was logged, with ``|`` wherever the loop looked for other work."""
    seen: list[str] = []
    for _ in range(enough):
        await asyncio.sleep(0)
        seen += [*log, "|"]
        log.clear()
    return seen


async def test_waiting_streams_are_served_one_a_pass_and_in_order() -> None:
    turns, log = turns_of(asyncio.get_running_loop()), list[str]()
    for name in "abc":
        turns.wait(_Stream(name, 2, turns, log))
    assert "".join(await _passes(turns, log, 7)) == "a|b|c|a|b|c||"


async def test_a_claim_is_good_for_one_pass() -> None:
    turns = turns_of(asyncio.get_running_loop())
    assert turns.claim()
    assert not turns.claim()
    await asyncio.sleep(0)
    assert turns.claim()


async def test_nobody_claims_past_those_who_wait() -> None:
    turns, log = turns_of(asyncio.get_running_loop()), list[str]()
    turns.wait(_Stream("a", 1, turns, log))
    assert not turns.claim()
    await asyncio.sleep(0)
    assert log == ["a"]


async def test_a_turn_that_is_not_used_does_not_stop_the_others() -> None:
    turns, log = turns_of(asyncio.get_running_loop()), list[str]()

    class Idler:
        def take_turn(self) -> None:
            log.append("idler")

    turns.wait(Idler())
    turns.wait(_Stream("a", 1, turns, log))
    assert "".join(await _passes(turns, log, 3)) == "idler|a||"


async def test_whoever_leaves_is_not_called() -> None:
    turns, log = turns_of(asyncio.get_running_loop()), list[str]()
    gone = _Stream("gone", 1, turns, log)
    turns.wait(gone)
    turns.wait(_Stream("a", 1, turns, log))
    turns.leave(gone)
    assert "".join(await _passes(turns, log, 3)) == "a|||"


async def test_a_loop_has_one_set_of_turns() -> None:
    loop = asyncio.get_running_loop()
    assert turns_of(loop) is turns_of(loop)
