"""Discovery against the real server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.e2e.harness import BOB, DOMAIN, Client, sign_in

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.harness import Server


def test_each_person_gets_the_routes_that_are_open_to_them(server: Server, tmp_path: Path, token: str) -> None:
    alice, bob = Client(tmp_path / "a", server), Client(tmp_path / "b", server)
    done = alice.run("routes", "discover")
    assert done.returncode == 3
    assert b"tunnelui login" in done.stderr
    alice.paste(token)
    bob.paste(sign_in(server, BOB))
    shown = alice.run("routes", "discover")
    assert shown.returncode == 0, shown.stderr
    assert f"+ echo: echo.{DOMAIN}:7" in shown.stdout.decode()
    assert alice.run("routes", "--json").stdout == b""
    taken = [json.loads(line) for line in alice.run("routes", "discover", "--yes", "--json").stdout.splitlines()]
    theirs = [json.loads(line) for line in bob.run("routes", "discover", "--yes", "--json").stdout.splitlines()]
    assert {one["change"] for one in taken} == {"added"}
    assert {one["route"]["name"] for one in taken} != {one["route"]["name"] for one in theirs}
    assert b"Nothing to do" in alice.run("routes", "discover", "--yes").stderr
    saved = [json.loads(line) for line in alice.run("routes", "--json").stdout.splitlines()]
    assert len(saved) == len(taken)
    # The found route opens.
    assert alice.run("tcp", "--listen", "-", f"echo.{DOMAIN}:7", input=b"hello").stdout == b"hello"
    assert b"echo is removed again" in alice.run("routes", "undo").stdout
    assert alice.run("routes", "--json").stdout == b""
    alice.run("routes", "undo")
    assert len(alice.run("routes", "--json").stdout.splitlines()) == len(taken)


def test_a_token_that_does_not_count_is_told(server: Server, tmp_path: Path, token: str) -> None:
    client = Client(tmp_path / "c", server)
    client.paste(f"{token[:-8]}AAAAAAAA")
    done = client.run("routes", "discover")
    assert done.returncode == 3
    assert token[:-8].encode() not in done.stderr
