"""What the server's decisions cost, without sockets: a session looked up, a token checked, a route and a policy found.

``python lookup_probe.py SESSIONS ROUTES FOLDER`` prints microseconds of wall time for each, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tunnelui.wire.address import HostPort
from tunnelui_server.config import load_config
from tunnelui_server.identity import Person
from tunnelui_server.policy import RouteTable, decide
from tunnelui_server.sessions import Session, TokenSigner, new_session_id, open_store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tunnelui_server.sessions import SessionStore

_SECRET: Final = b"s" * 32
_LOOK_UPS: Final = 2000
_LATELY: Final = 200


def people(count: int) -> list[Person]:
    return [
        Person(f"user-{number}", f"user-{number}@example.com", "", frozenset({f"group-{number % 100}"}))
        for number in range(count)
    ]


async def fill(store: SessionStore, count: int) -> list[Session]:
    now = time.time()
    sessions = [Session(new_session_id(), person, now, now + 36_000, "local") for person in people(count)]
    for session in sessions:
        await store.create(session)
    return sessions


async def look_up(store: SessionStore, sessions: Sequence[Session]) -> float:
    began = time.perf_counter()
    for session in sessions:
        if await store.get(session.id) != session:
            raise SystemExit("the store gave back another session")
    return (time.perf_counter() - began) / len(sessions) * 1e6


def decisions(count: int, folder: Path) -> float:
    routes = [
        {
            "from": f"tcp+https://s{number}.example.com:1",
            "to": "tcp://127.0.0.1:9",
            "allowed_groups": [f"group-{number % 100}"],
        }
        for number in range(count)
    ]
    file = folder / "config.json"  # JSON is YAML
    file.touch(0o600)
    values = {
        "address": "127.0.0.1:0",
        "insecure_server": True,
        "state_dir": str(folder),
        "idp_provider": "oidc",
        "idp_provider_url": "https://id.example.com",
        "idp_client_id": "bench",
        "idp_client_secret": "not used",
        "groups": {f"team-{number}": [f"user-{number}@example.com"] for number in range(count)},
        "routes": routes,
    }
    file.write_text(json.dumps(values))
    config = load_config(file, {})
    table = RouteTable(config.routes)
    asked = [(HostPort(f"s{number % count}.example.com", 1), person) for number, person in enumerate(people(_LOOK_UPS))]
    random.shuffle(asked)
    began = time.perf_counter()
    allowed = sum(decide(table.find(authority), person, config.groups).allow for authority, person in asked)
    elapsed = time.perf_counter() - began
    if allowed != len(asked):
        raise SystemExit(f"{allowed} of {len(asked)} were allowed")
    return elapsed / len(asked) * 1e6


async def main(sessions: int, routes: int, folder: Path) -> None:
    store = await open_store("memory", folder / "sessions.sqlite3", shared_secret=_SECRET)
    known = await fill(store, sessions)
    some = random.sample(known, _LOOK_UPS)
    through_file = await look_up(store, some)
    kept = await look_up(store, some[:_LATELY] * (_LOOK_UPS // _LATELY))
    await store.aclose()
    signer = TokenSigner(_SECRET, "bench")
    tokens = [signer.issue(session) for session in some]
    began = time.perf_counter()
    for token in tokens:
        signer.verify(token)
    checked = (time.perf_counter() - began) / len(tokens) * 1e6
    found = {"file": through_file, "kept": kept, "token": checked, "decision": decisions(routes, folder)}
    print(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))
