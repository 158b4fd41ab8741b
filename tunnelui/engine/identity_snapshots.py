"""What can be told of every identity, made anew only where something has changed: with a proxy for each of thousands of
routes there are as many of them, and they are looked at several times a second."""

from __future__ import annotations

import time
from math import inf
from typing import TYPE_CHECKING

from tunnelui.auth.tokens import EXPIRY_LEEWAY
from tunnelui.engine.model import IdentitySnapshot, IdentityStatus, Problem, SignInSnapshot

if TYPE_CHECKING:
    from collections.abc import Callable

    from tunnelui.auth.credential_status import CredentialStatus
    from tunnelui.auth.token_store import TokenKey

__all__ = ["IdentitySnapshots"]


class IdentitySnapshots:
    """The snapshots and the notes, in the order in which `changed` was first told of their keys."""

    def __init__(
        self, status: Callable[[TokenKey], CredentialStatus], since: Callable[[TokenKey], tuple[float, str] | None]
    ) -> None:
        """
        :param status: what is known of a key now.
        :param since: when and how a token came for it, if that was seen.
        """
        self._status = status
        self._since = since
        self._changed: dict[TokenKey, None] = {}
        self._found: dict[TokenKey, tuple[IdentitySnapshot, str]] = {}
        self._told: tuple[IdentitySnapshot, ...] = ()
        self._notes: tuple[str, ...] = ()
        # By the clock alone nothing changes between these: after the last expiry that has passed, up to the next one.
        self._after, self._until = -inf, inf

    def changed(self, key: TokenKey) -> None:
        """Something of *key* may be different now, or it is new."""
        self._changed[key] = None

    def all(self) -> tuple[IdentitySnapshot, ...]:
        """Return what there is now: the same object as before where nothing has changed."""
        self._look()
        return self._told

    def notes(self) -> tuple[str, ...]:
        """What has to be said of the token store, each line once."""
        self._look()
        return self._notes

    def _look(self) -> None:
        if not self._after < time.time() <= self._until:
            self._changed |= dict.fromkeys(key for key, (one, _) in self._found.items() if one.expires_at is not None)
        if not self._changed:
            return
        changed, self._changed = self._changed, {}
        for key in changed:
            status = self._status(key)
            new = _snapshot(key, status, self._since(key)), status.note
            if new != self._found.get(key):
                self._found[key] = new
        told = tuple(one for one, _ in self._found.values())
        if told != self._told:
            self._told = told
        self._notes = tuple(dict.fromkeys(note for _, note in self._found.values() if note))
        self._after = max(_ends(self._told, IdentityStatus.EXPIRED), default=-inf)
        self._until = min(_ends(self._told, IdentityStatus.SIGNED_IN), default=inf)


def _ends(identities: tuple[IdentitySnapshot, ...], status: IdentityStatus) -> list[float]:
    """When the tokens of those with *status* are expired, or were: Unix seconds."""
    return [one.expires_at + EXPIRY_LEEWAY for one in identities if one.status is status and one.expires_at is not None]


def _snapshot(key: TokenKey, status: CredentialStatus, since: tuple[float, str] | None) -> IdentitySnapshot:
    sign_in = problem = None
    if status.signing_in and status.started_at is not None and status.deadline_at is not None:
        sign_in = SignInSnapshot(
            started_at=status.started_at,
            deadline_at=status.deadline_at,
            url=status.url,
            waiting=status.waiting,
            note=status.sign_in_note,
        )
    if status.problem is not None:
        error = status.problem
        problem = Problem(error.code, str(error), error.hint, status.problem_at or time.time(), error.request_id)
    return IdentitySnapshot(
        profile=key.profile,
        proxy=str(key.proxy),
        status=IdentityStatus(status.status),
        name=status.name,
        expires_at=status.expires_at,
        store=status.store,
        sign_in=sign_in,
        problem=problem,
        signed_in_at=since[0] if since else None,
        signed_in_by=since[1] if since else "",
    )
