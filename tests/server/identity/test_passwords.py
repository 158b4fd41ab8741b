"""argon2 hashes in the configuration file."""

from __future__ import annotations

import pytest

from tunnelui.errors import ConfigError
from tunnelui_server.identity.passwords import (
    DEFAULT_COST,
    MAX_PASSWORD,
    PasswordCost,
    check_hash,
    cost_of,
    hash_password,
    verify_password,
)

CHEAP = PasswordCost(time=1, memory=64, lanes=1)


def test_a_hash_fits_its_password_and_no_other() -> None:
    made = hash_password("correct horse", cost=CHEAP)
    assert verify_password(made, "correct horse")
    assert not verify_password(made, "correct horse ")
    assert not verify_password(made, "Correct horse")
    assert not verify_password(made, "")
    assert not verify_password(made, "x" * (MAX_PASSWORD + 1))


def test_two_hashes_of_one_password_differ() -> None:
    assert hash_password("p", cost=CHEAP) != hash_password("p", cost=CHEAP)


def test_the_default_cost_is_what_rfc_9106_recommends() -> None:
    made = hash_password("p")
    assert made.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert cost_of(made) == DEFAULT_COST


@pytest.mark.parametrize("password", ["", "x" * (MAX_PASSWORD + 1)])
def test_an_empty_or_endless_password_is_refused(password: str) -> None:
    with pytest.raises(ConfigError):
        hash_password(password, cost=CHEAP)


@pytest.mark.parametrize(
    "text", ["", "secret", "$argon2id$", "$2b$12$abc", "$argon2i$v=19$m=64,t=1,p=1$c29tZXNhbHQ$aGFzaA"]
)
def test_something_else_than_a_hash_fits_nothing(text: str) -> None:
    assert not verify_password(text, "secret")
    with pytest.raises(ConfigError):
        check_hash(text)
