"""The criteria: small values that say yes or no about a subject.

To add one: write a frozen dataclass with ``rule`` (what the audit log names), ``ok`` and ``failed`` (the reasons), and
``holds``; then let `tunnelui_server.config.routes` read it from the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from tunnelui_server.identity.person import normalise_email

if TYPE_CHECKING:
    from tunnelui_server.policy.subject import Subject

__all__ = ["AllowAnyUser", "AllowClaim", "AllowDomain", "AllowGroup", "AllowPublic", "AllowUser", "Criterion"]


class Criterion(Protocol):
    """One alternative of a route's allow rule. Reasons are spelled as Pomerium spells them."""

    ok: ClassVar[str]
    failed: ClassVar[str]
    needs_person: ClassVar[bool]

    @property
    def rule(self) -> str: ...

    def holds(self, subject: Subject) -> bool: ...


@dataclass(frozen=True, slots=True)
class AllowPublic:
    """``allow_public_unauthenticated_access``: everybody, without a sign-in."""

    ok: ClassVar[str] = "accept"
    failed: ClassVar[str] = "reject"
    needs_person: ClassVar[bool] = False

    @property
    def rule(self) -> str:
        return "allow_public_unauthenticated_access"

    def holds(self, subject: Subject) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class AllowAnyUser:
    """``allow_any_authenticated_user``: whoever has signed in."""

    ok: ClassVar[str] = "user-ok"
    failed: ClassVar[str] = "user-unauthorized"
    needs_person: ClassVar[bool] = True

    @property
    def rule(self) -> str:
        return "allow_any_authenticated_user"

    def holds(self, subject: Subject) -> bool:
        return bool(subject.user_id)


@dataclass(frozen=True, slots=True)
class AllowUser:
    """An entry of ``allowed_users``: a user id, compared exactly, or an e-mail address, compared in normal form."""

    name: str
    email: str = ""
    ok: ClassVar[str] = "user-ok"
    failed: ClassVar[str] = "user-unauthorized"
    needs_person: ClassVar[bool] = True

    @property
    def rule(self) -> str:
        return f"allowed_users: {self.name}"

    @classmethod
    def of(cls, text: str) -> AllowUser:
        return cls(text, normalise_email(text))

    def holds(self, subject: Subject) -> bool:
        return (bool(self.name) and self.name == subject.user_id) or (bool(self.email) and self.email == subject.email)


@dataclass(frozen=True, slots=True)
class AllowDomain:
    """An entry of ``allowed_domains``: the domain of a verified e-mail address, in normal form."""

    domain: str
    ok: ClassVar[str] = "domain-ok"
    failed: ClassVar[str] = "domain-unauthorized"
    needs_person: ClassVar[bool] = True

    @property
    def rule(self) -> str:
        return f"allowed_domains: {self.domain}"

    def holds(self, subject: Subject) -> bool:
        return bool(self.domain) and subject.domain == self.domain


@dataclass(frozen=True, slots=True)
class AllowGroup:
    """An entry of ``allowed_groups``: a group from the identity provider or from ``groups`` in the file."""

    group: str
    ok: ClassVar[str] = "groups-ok"
    failed: ClassVar[str] = "groups-unauthorized"
    needs_person: ClassVar[bool] = True

    @property
    def rule(self) -> str:
        return f"allowed_groups: {self.group}"

    def holds(self, subject: Subject) -> bool:
        return bool(self.group) and subject.in_group(self.group)


@dataclass(frozen=True, slots=True)
class AllowClaim:
    """A value in ``allowed_idp_claims``; every value is an alternative of its own."""

    path: str
    value: str
    ok: ClassVar[str] = "claim-ok"
    failed: ClassVar[str] = "claim-unauthorized"
    needs_person: ClassVar[bool] = True

    @property
    def rule(self) -> str:
        return f"allowed_idp_claims: {self.path}={self.value}"

    def holds(self, subject: Subject) -> bool:
        return self.value in subject.claim(self.path)
