"""``local_users`` and ``groups``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tunnelui.errors import ConfigError
from tunnelui.text import clean
from tunnelui_server.config.keys import nearest
from tunnelui_server.config.model import LocalUser
from tunnelui_server.identity.person import normalise_email

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tunnelui_server.config.reader import Section

__all__ = ["read_groups", "read_local_users"]

_USER_KEYS: Final = frozenset({"name", "email", "password_hash", "display_name", "groups"})
_HASH_HINT: Final = "Make one with: tunnelui-server hash-password"


def read_local_users(sections: Iterable[Section]) -> tuple[LocalUser, ...]:
    users: list[LocalUser] = []
    taken: set[str] = set()
    for section in sections:
        user = _read_user(section)
        if user is None:
            continue
        # Both are typed into one field, in any spelling; what is typed must lead to one person.
        names = {normalise_email(user.name) or user.name, user.email} - {""}
        if not names.isdisjoint(taken):
            section.problems.add(section.place, f"local_users: “{clean(user.name)}” is there already")
            continue
        users.append(user)
        taken |= names
    return tuple(users)


def _read_user(section: Section) -> LocalUser | None:
    for key in section:
        if key not in _USER_KEYS:
            guess = nearest(key, _USER_KEYS)
            if key == "password":
                hint = f"Passwords are not kept, only their hashes. {_HASH_HINT}"
            else:
                hint = f"Did you mean “{guess}”?" if guess else ""
            section.problems.add(section.place_of(key), f"unknown key “{clean(key)}” in local_users", hint)
    name, written, password_hash = section.text("name"), section.text("email"), section.text("password_hash")
    email = normalise_email(written) if written else ""
    if written and not email:
        section.wrong("email", f"“{clean(written)}” is no e-mail address")
        return None
    if not (name or email):
        section.problems.add(section.place, "local_users: a person needs a name or an e-mail address")
        return None
    if not password_hash or not _is_hash(password_hash):
        # The text is not shown: it may be a password that was put here by mistake.
        place = section.place_of("password_hash")
        section.problems.add(place, f"local_users: “{clean(name or email)}” has no argon2id password_hash", _HASH_HINT)
        return None
    return LocalUser(
        name=name or email,
        password_hash=password_hash,
        email=email,
        display_name=clean(section.text("display_name") or "", 100),
        groups=frozenset(text for text, _ in section.texts("groups")),
    )


def _is_hash(text: str) -> bool:
    # argon2 is not needed, and so not loaded, where people sign in elsewhere.
    from tunnelui_server.identity.passwords import check_hash

    try:
        check_hash(text)
    except ConfigError:
        return False
    return True


def read_groups(section: Section | None) -> Mapping[str, frozenset[str]]:
    """Group to members. A member is a user id or an e-mail address, which is brought into normal form."""
    if section is None:
        return {}
    return {group: frozenset(normalise_email(text) or text for text, _ in section.texts(group)) for group in section}
