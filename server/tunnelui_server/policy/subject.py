"""What the criteria look at: a person with the groups of the file merged in, and an e-mail address safe to split.

An address with two ``@`` (``a@evil.example@good.example``) has no domain here: such a person matches no domain and no
e-mail rule.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tunnelui.wire.address import AddressError, parse_host
from tunnelui_server.identity.person import normalise_email

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tunnelui_server.identity.person import Person

__all__ = ["Subject", "groups_of", "normalise_domain"]


def normalise_domain(text: str) -> str | None:
    """Return the lower-case A-label form of a domain, or None when it is none."""
    if not text or ":" in text or text.startswith("["):
        return None
    try:
        host = parse_host(text)
    except AddressError:
        return None
    return None if host.replace(".", "").isdigit() else host


@dataclass(frozen=True, slots=True)
class Subject:
    """A signed-in person as the criteria see them; ``email`` and ``domain`` are empty without a sound address."""

    user_id: str
    email: str = ""
    domain: str = ""
    groups: frozenset[str] = frozenset()
    claims: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    static_groups: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, person: Person, static_groups: Mapping[str, frozenset[str]]) -> Subject:
        email = normalise_email(person.email)
        return cls(
            user_id=person.user_id,
            email=email,
            domain=email.rpartition("@")[2],
            groups=person.groups,
            claims=person.claims,
            static_groups=static_groups,
        )

    def in_group(self, group: str) -> bool:
        """Whether the identity provider or the file puts the person into *group*; it costs the same for any number."""
        if group in self.groups:
            return True
        members = self.static_groups.get(group, frozenset())
        return not members.isdisjoint({self.user_id, self.email} - {""})

    def claim(self, path: str) -> tuple[str, ...]:
        """The values of a claim; ``a/b`` finds the nested claim ``a.b`` when there is no claim of that very name."""
        if path in self.claims:
            return self.claims[path]
        return self.claims.get(path.replace("/", "."), ())


def groups_of(person: Person, static_groups: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """The person's groups from the identity provider, joined by those that the configuration file puts them in."""
    names = {person.user_id, normalise_email(person.email)} - {""}
    return person.groups | {group for group, members in static_groups.items() if not names.isdisjoint(members)}
