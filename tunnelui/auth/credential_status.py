"""What `tunnelui.auth.credentials.Credentials` tell of themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tunnelui.frozen import frozen

if TYPE_CHECKING:
    from tunnelui.errors import TunnelError

__all__ = ["CredentialStatus", "IdentityWord"]

IdentityWord = Literal["signed out", "signed in", "expired", "service account"]


@frozen
class CredentialStatus:
    """A picture for people. Times are Unix seconds.

    :param status: as `tunnelui.engine.model.IdentityStatus` spells it.
    :param name: an e-mail address or a subject, as far as the token tells.
    :param store: where the token is: ``keyring``, ``file`` or ``memory`` (also when the chosen store failed); empty
        with a service account.
    :param note: one line of trouble with the store, or empty.
    :param signing_in: a sign-in is under way; the next five fields speak of it and are empty otherwise.
    :param waiting: the routes whose connections wait, each once.
    :param problem: why the last sign-in failed, until one succeeds or begins; *problem_at* says when.
    :param tokens: how many came in by sign-ins, so that one that was cancelled is not taken for one that succeeded.
    """

    status: IdentityWord = "signed out"
    name: str = ""
    expires_at: float | None = None
    store: str = ""
    note: str = ""
    signing_in: bool = False
    started_at: float | None = None
    deadline_at: float | None = None
    url: str = ""
    sign_in_note: str = ""
    waiting: tuple[str, ...] = ()
    problem: TunnelError | None = None
    problem_at: float | None = None
    tokens: int = 0
