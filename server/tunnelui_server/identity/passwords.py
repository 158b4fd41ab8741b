"""Password hashes: argon2id (RFC 9106), in the PHC string form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from argon2 import PasswordHasher, Type, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError

from tunnelui.errors import ConfigError

__all__ = ["DEFAULT_COST", "MAX_PASSWORD", "PasswordCost", "check_hash", "cost_of", "hash_password", "verify_password"]

MAX_PASSWORD: Final = 1024
"""Characters; longer ones are refused before any work is done."""


@dataclass(frozen=True, slots=True)
class PasswordCost:
    """What one check costs: passes, memory in KiB, lanes."""

    time: int = 3
    memory: int = 64 * 1024
    lanes: int = 4

    def _hasher(self) -> PasswordHasher:
        return PasswordHasher(time_cost=self.time, memory_cost=self.memory, parallelism=self.lanes, type=Type.ID)


DEFAULT_COST: Final = PasswordCost()
"""RFC 9106's second recommended option: about 50 ms and 64 MiB a check."""


def hash_password(password: str, *, cost: PasswordCost = DEFAULT_COST) -> str:
    """Return the hash to put into ``local_users``.

    :raises ConfigError: the password is empty or longer than `MAX_PASSWORD`.
    """
    if not password:
        raise ConfigError("the password is empty")
    if len(password) > MAX_PASSWORD:
        raise ConfigError(f"the password has more than {MAX_PASSWORD} characters")
    return cost._hasher().hash(password)


def verify_password(password_hash: str, password: str) -> bool:
    """Whether *password* belongs to *password_hash*; False as well for a hash that can't be read."""
    if not password or len(password) > MAX_PASSWORD:
        return False
    try:
        return PasswordHasher().verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def check_hash(password_hash: str) -> None:
    """:raises ConfigError: *password_hash* is no argon2id hash."""
    cost_of(password_hash)


def cost_of(password_hash: str) -> PasswordCost:
    """The cost that a hash was made with.

    :raises ConfigError: it is no argon2id hash.
    """
    try:
        found = extract_parameters(password_hash)
    except InvalidHashError:
        found = None
    if found is None or found.type is not Type.ID:
        raise ConfigError("this is no argon2id hash", hint="Make one with: tunnelui-server hash-password")
    return PasswordCost(found.time_cost, found.memory_cost, found.parallelism)
