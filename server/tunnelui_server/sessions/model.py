"""A session: a person who signed in, until when, and through which provider."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from tunnelui_server.identity.person import Person

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Session", "new_session_id"]

_ID_BYTES: Final = 32


def new_session_id() -> str:
    """256 random bits as 43 URL-safe characters. The first is no hyphen, so that a command line takes it as it is."""
    while (made := secrets.token_urlsafe(_ID_BYTES)).startswith("-"):
        pass
    return made


@dataclass(frozen=True, slots=True)
class Session:
    """One signed-in person.

    :param id: from `new_session_id`; a new one at every sign-in. It names the session and opens nothing by itself: a
        token carries it under a signature.
    :param issued_at: Unix seconds.
    :param expires_at: Unix seconds; never extended.
    :param provider: ``local`` or the configured provider's name.
    """

    id: str
    person: Person
    issued_at: float
    expires_at: float
    provider: str

    def to_json(self) -> str:
        """One line of JSON with sorted keys: equal sessions give equal text."""
        person = self.person
        return json.dumps(
            {
                "id": self.id,
                "issued_at": self.issued_at,
                "expires_at": self.expires_at,
                "provider": self.provider,
                "person": {
                    "user_id": person.user_id,
                    "email": person.email,
                    "name": person.name,
                    "groups": sorted(person.groups),
                    "claims": {key: list(values) for key, values in person.claims.items()},
                },
            },
            sort_keys=True,
            separators=(",", ":"),
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read what `to_json` wrote.

        :raises ValueError, KeyError, TypeError: it is something else. Call this only on text whose origin was proved.
        """
        data: dict[str, Any] = json.loads(text)
        person: dict[str, Any] = data["person"]
        claims = {str(key): tuple(str(value) for value in values) for key, values in person["claims"].items()}
        return cls(
            id=str(data["id"]),
            person=Person(
                user_id=str(person["user_id"]),
                email=str(person["email"]),
                name=str(person["name"]),
                groups=frozenset(str(group) for group in person["groups"]),
                claims=MappingProxyType(claims),
            ),
            issued_at=float(data["issued_at"]),
            expires_at=float(data["expires_at"]),
            provider=str(data["provider"]),
        )
