"""People who are written into the configuration file, with argon2 hashes of their passwords."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, Protocol

import anyio
from anyio.to_thread import run_sync

from tunnelui_server.identity.passwords import MAX_PASSWORD, PasswordCost, cost_of, hash_password, verify_password
from tunnelui_server.identity.person import Person, normalise_email
from tunnelui_server.identity.provider import SignInRefused, TooManyAttempts
from tunnelui_server.identity.throttle import AttemptThrottle

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["LocalProvider", "UserRecord"]

_MAX_USER: Final = 254
_CHECKS_AT_ONCE: Final = 2
_MAX_PENDING: Final = 32


class UserRecord(Protocol):
    """One entry of ``local_users``."""

    @property
    def name(self) -> str: ...
    @property
    def email(self) -> str: ...
    @property
    def display_name(self) -> str: ...
    @property
    def password_hash(self) -> str: ...
    @property
    def groups(self) -> frozenset[str]: ...


class LocalProvider:
    """A `PasswordProvider` over ``local_users``.

    A wrong password, an unknown user and a user who typed nothing all cost one argon2 check, so time tells nothing
    about who exists. Checks are memory-hard: a few run at once, some wait, more are turned away.
    """

    name = "local"

    def __init__(self, users: Iterable[UserRecord], *, throttle: AttemptThrottle | None = None) -> None:
        self._users: dict[str, UserRecord] = {}
        for user in users:
            self._users[_key(user.name)] = user
            if email := normalise_email(user.email):
                self._users.setdefault(email, user)
        # The stand-in for unknown users costs what most of the real ones cost.
        costs = Counter(cost_of(user.password_hash) for user in self._users.values())
        cost = costs.most_common(1)[0][0] if costs else PasswordCost()
        self._nobody = hash_password("nobody's password", cost=cost)
        self._throttle = AttemptThrottle() if throttle is None else throttle
        self._checking = anyio.CapacityLimiter(_CHECKS_AT_ONCE)
        self._pending = 0

    async def check_password(self, user: str, password: str, address: str) -> Person:
        if len(user) > _MAX_USER or len(password) > MAX_PASSWORD:
            raise _refusal()
        key = _key(user)
        if wait := self._throttle.take(key, address):
            raise TooManyAttempts(wait)
        record = self._users.get(key)
        right = await self._verify(record.password_hash if record else self._nobody, password or "\0")
        if record is None or not right or not password:
            raise _refusal()
        self._throttle.forgive(key, address)
        return Person(
            user_id=record.name,
            email=normalise_email(record.email),
            name=record.display_name,
            groups=record.groups,
        )

    async def aclose(self) -> None:
        return None

    async def _verify(self, password_hash: str, password: str) -> bool:
        if self._pending >= _MAX_PENDING:
            raise TooManyAttempts(2.0)
        self._pending += 1
        try:
            return await run_sync(verify_password, password_hash, password, limiter=self._checking)
        finally:
            self._pending -= 1


def _key(user: str) -> str:
    """What a typed name is looked up by: an address in its one spelling, anything else letter by letter."""
    user = user.strip()
    return normalise_email(user) or user


def _refusal() -> SignInRefused:
    return SignInRefused("The user name or the password is wrong.", code="password")
