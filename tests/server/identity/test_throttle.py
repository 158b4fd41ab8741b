"""Guessing gets slow, other people do not, and memory stays bounded."""

from __future__ import annotations

from tunnelui_server.identity.throttle import AttemptThrottle


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def make(clock: Clock, max_entries: int = 1000) -> AttemptThrottle:
    return AttemptThrottle(
        per_pair=3, pair_interval=10, per_address=6, address_interval=5, max_entries=max_entries, clock=clock
    )


def test_some_attempts_are_free_then_one_each_interval() -> None:
    clock = Clock()
    throttle = make(clock)
    assert [throttle.take("alice", "192.0.2.1") for _ in range(3)] == [0, 0, 0]
    assert throttle.take("alice", "192.0.2.1") == 10
    clock.now += 4
    assert throttle.take("alice", "192.0.2.1") == 6
    clock.now += 6
    assert throttle.take("alice", "192.0.2.1") == 0
    assert throttle.take("alice", "192.0.2.1") == 10


def test_the_real_person_elsewhere_is_not_locked_out() -> None:
    throttle = make(Clock())
    while not throttle.take("alice", "192.0.2.1"):
        pass
    assert throttle.take("alice", "198.51.100.7") == 0


def test_many_people_from_one_place_are_slowed_down_too() -> None:
    throttle = make(Clock())
    results = [throttle.take(f"user-{number}", "192.0.2.1") for number in range(8)]
    assert results[:6] == [0] * 6 and results[6] > 0 and results[7] > 0


def test_one_machine_is_one_ipv6_network() -> None:
    throttle = make(Clock())
    for number in range(3):
        assert throttle.take("alice", f"2001:db8::{number}") == 0
    assert throttle.take("alice", "2001:db8::ffff") > 0
    assert throttle.take("alice", "2001:db8:0:1::1") == 0
    assert throttle.take("alice", "::ffff:192.0.2.9") == 0
    assert throttle.take("alice", "192.0.2.9") == 0


def test_a_success_gives_the_attempts_back() -> None:
    throttle = make(Clock())
    throttle.take("alice", "192.0.2.1")
    throttle.take("alice", "192.0.2.1")
    throttle.forgive("alice", "192.0.2.1")
    assert [throttle.take("alice", "192.0.2.1") for _ in range(3)] == [0, 0, 0]


def test_memory_is_bounded() -> None:
    throttle = make(Clock(), max_entries=50)
    for number in range(5000):
        throttle.take(f"user-{number}", f"10.0.{number % 200}.{number // 200}")
    assert 0 < throttle.size <= 50


def test_haste_pushes_nobody_out_of_memory() -> None:
    throttle = make(Clock(), max_entries=50)
    while not throttle.take("alice", "192.0.2.1"):
        pass
    # Refused attempts under ever new names would otherwise give alice's bucket a fresh start.
    for number in range(500):
        throttle.take(f"user-{number}", "192.0.2.1")
    assert throttle.size <= 8
    for number in range(500):
        throttle.take(f"user-{number}", "198.51.100.7")
    assert throttle.take("alice", "192.0.2.1") > 0
