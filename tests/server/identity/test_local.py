"""People of the configuration file."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import anyio
import pytest

from tunnelui_server.identity.local import LocalProvider
from tunnelui_server.identity.passwords import PasswordCost, hash_password
from tunnelui_server.identity.provider import PasswordProvider, RedirectProvider, SignInRefused, TooManyAttempts
from tunnelui_server.identity.throttle import AttemptThrottle

CHEAP = PasswordCost(time=1, memory=64, lanes=1)


@dataclass(frozen=True)
class User:
    name: str
    password_hash: str
    email: str = ""
    display_name: str = ""
    groups: frozenset[str] = frozenset()


def make_provider(*, cost: PasswordCost = CHEAP, throttle: AttemptThrottle | None = None) -> LocalProvider:
    users = [
        User(
            "alice@example.com",
            hash_password("wonderland", cost=cost),
            "alice@example.com",
            "Alice",
            frozenset({"eng"}),
        ),
        User("bob", hash_password("builder", cost=cost), "Bob@Example.com"),
        User("carol", hash_password("no address", cost=cost)),
    ]
    return LocalProvider(users, throttle=throttle)


def test_it_is_a_password_provider_and_no_other() -> None:
    provider: object = make_provider()
    assert isinstance(provider, PasswordProvider)
    assert not isinstance(provider, RedirectProvider)


async def test_the_right_password_gives_the_person() -> None:
    person = await make_provider().check_password("alice@example.com", "wonderland", "192.0.2.1")
    assert (person.user_id, person.email, person.name) == ("alice@example.com", "alice@example.com", "Alice")
    assert person.groups == {"eng"}


@pytest.mark.parametrize("typed", ["bob", " bob ", "bob@example.com", "BOB@EXAMPLE.COM"])
async def test_a_person_may_type_name_or_address(typed: str) -> None:
    person = await make_provider().check_password(typed, "builder", "")
    assert (person.user_id, person.email) == ("bob", "bob@example.com")


@pytest.mark.parametrize(
    ("user", "password"),
    [
        ("alice@example.com", "builder"),
        ("alice@example.com", ""),
        ("alice@example.com", "wonderland\0"),
        ("nobody@example.com", "wonderland"),
        ("nobody@example.com", "nobody's password"),
        ("", ""),
        ("", "nobody's password"),
        ("BOB", "builder"),
        ("x" * 5000, "builder"),
        ("bob", "x" * 5000),
    ],
)
async def test_wrong_users_and_wrong_passwords_get_the_same_answer(user: str, password: str) -> None:
    with pytest.raises(SignInRefused) as refused:
        await make_provider().check_password(user, password, "192.0.2.1")
    assert refused.value.code == "password"
    assert refused.value.message == "The user name or the password is wrong."


async def test_guessing_is_throttled_even_with_the_right_password() -> None:
    provider = make_provider(throttle=AttemptThrottle(per_pair=2, pair_interval=60))
    for _ in range(2):
        with pytest.raises(SignInRefused):
            await provider.check_password("bob", "wrong", "192.0.2.1")
    for typed in ("bob", "bob "):
        with pytest.raises(TooManyAttempts) as refused:
            await provider.check_password(typed, "builder", "192.0.2.1")
        assert 0 < refused.value.retry_after <= 60
    assert (await provider.check_password("bob", "builder", "192.0.2.2")).user_id == "bob"


async def test_time_tells_nothing_about_who_exists() -> None:
    """The medians of CPU time must be near each other; a look-up without the hash would be a hundred times faster."""
    free = AttemptThrottle(per_pair=1000, per_address=1000)
    provider = make_provider(cost=PasswordCost(time=2, memory=4096, lanes=1), throttle=free)

    async def median(user: str, password: str) -> float:
        times = []
        for _ in range(15):
            begin = time.process_time()
            with pytest.raises(SignInRefused):
                await provider.check_password(user, password, "")
            times.append(time.process_time() - begin)
        return statistics.median(times)

    known = await median("bob", "wrong")
    for other in (await median("nobody", "wrong"), await median("nobody", ""), await median("bob", "")):
        assert 1 / 3 < other / known < 3


async def test_checks_are_few_at_once_and_the_rest_is_turned_away() -> None:
    free = AttemptThrottle(per_pair=1000, per_address=1000)
    provider = make_provider(cost=PasswordCost(time=2, memory=8192, lanes=1), throttle=free)
    outcomes: list[str] = []

    async def attempt() -> None:
        try:
            await provider.check_password("bob", "wrong", "")
        except SignInRefused as refused:
            outcomes.append(refused.code)

    async with anyio.create_task_group() as group:
        for _ in range(60):
            group.start_soon(attempt)
    assert outcomes.count("password") == 32 and outcomes.count("throttled") == 28


async def test_without_users_nobody_gets_in() -> None:
    with pytest.raises(SignInRefused):
        await LocalProvider([], throttle=AttemptThrottle()).check_password("a", "nobody's password", "")
