"""``tunnelui-server sessions list`` and ``revoke``."""

from __future__ import annotations

import json
import logging
from datetime import datetime
from typing import TYPE_CHECKING, Final

from tunnelui.errors import LocalError
from tunnelui.text import clean
from tunnelui_server.identity.person import normalise_email

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

    from tunnelui_server.sessions.model import Session
    from tunnelui_server.sessions.store import SessionStore

__all__ = ["run_list", "run_revoke"]

_AUDIT: Final = logging.getLogger("tunnelui_server.audit")
_MIN_PREFIX: Final = 8
_COLUMNS: Final = ("SESSION", "USER", "PROVIDER", "SIGNED IN", "EXPIRES")


async def run_list(store: SessionStore, *, as_json: bool, out: TextIO) -> int:
    """Write every live session: a table, or one JSON object a line. Returns the exit code."""
    sessions = await store.list()
    if as_json:
        for session in sessions:
            out.write(_as_json(session))
    elif not sessions:
        out.write("nobody is signed in\n")
    else:
        rows = [_COLUMNS, *(_row(session) for session in sessions)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
        for row in rows:
            line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            out.write(line.rstrip() + "\n")
    return 0


async def run_revoke(
    store: SessionStore,
    *,
    targets: Sequence[str] = (),
    everybody: bool = False,
    as_json: bool,
    out: TextIO,
) -> int:
    """End sessions and write which. Live tunnels of an ended session are cut within two seconds.

    :param targets: session ids, as listed (at least their first 8 characters), or e-mail addresses.
    :param everybody: end every session.
    :return: the exit code, 0.
    :raises LocalError: a target names no session, or several; then none at all is ended.
    """
    sessions = await store.list()
    chosen = list(sessions) if everybody else _choose(sessions, targets)
    for session in chosen:
        if not await store.revoke(session.id):
            continue  # it ended by itself meanwhile
        facts = {"session": session.id[:12], "user": _who(session), "provider": session.provider}
        _AUDIT.info("session revoked", extra={"audit": facts})
        if as_json:
            out.write(_as_json(session))
        else:
            out.write(f"ended the session {session.id[:12]} of {_who(session)}\n")
    if not chosen and not as_json:
        out.write("nobody is signed in\n")
    return 0


def _choose(sessions: Sequence[Session], targets: Sequence[str]) -> list[Session]:
    if not targets:
        raise LocalError("no session is named", hint="Name session ids or e-mail addresses, or use --all.")
    chosen: dict[str, Session] = {}
    for target in targets:
        if "@" in target:
            email = normalise_email(target)
            found = [session for session in sessions if email and session.person.email == email]
        else:
            found = [s for s in sessions if s.id == target or (len(target) >= _MIN_PREFIX and s.id.startswith(target))]
            if len(found) > 1:
                raise LocalError(f"“{clean(target)}” names several sessions", hint="Give more of its characters.")
        if not found:
            raise LocalError(
                f"“{clean(target)}” names no session",
                hint="See the live ones with: tunnelui-server sessions list",
            )
        chosen.update((session.id, session) for session in found)
    return list(chosen.values())


def _who(session: Session) -> str:
    return clean(session.person.email or session.person.user_id)


def _row(session: Session) -> tuple[str, ...]:
    return (
        session.id[:12],
        _who(session),
        clean(session.provider),
        _local_time(session.issued_at),
        _local_time(session.expires_at),
    )


def _local_time(moment: float) -> str:
    return datetime.fromtimestamp(moment).astimezone().strftime("%Y-%m-%d %H:%M")


def _as_json(session: Session) -> str:
    person = session.person
    return (
        json.dumps(
            {
                "id": session.id,
                "user_id": person.user_id,
                "email": person.email,
                "name": person.name,
                "groups": sorted(person.groups),
                "provider": session.provider,
                "issued_at": session.issued_at,
                "expires_at": session.expires_at,
            }
        )
        + "\n"
    )
