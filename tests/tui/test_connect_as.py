"""The spellings of a tunnel's local end, and the program that uses it."""

from __future__ import annotations

import pytest

from tunnelui.config.route import Route
from tunnelui.config.services import service_of
from tunnelui.engine.model import State, TunnelSnapshot
from tunnelui.tui.lines.connect_as import client_command, ways_to_connect


def tunnel(destination: str, local: str, *, command: str = "") -> TunnelSnapshot:
    return TunnelSnapshot(Route("db", destination, command=command), State.READY, local=local, target=destination)


def texts(one: TunnelSnapshot) -> dict[str, str]:
    ways = ways_to_connect(one)
    assert len({way.key for way in ways}) == len(ways)
    return {way.title: way.text for way in ways}


def test_a_database_in_every_spelling() -> None:
    assert texts(tunnel("db.corp.example:5432", "127.0.0.1:15432")) == {
        "address": "127.0.0.1:15432",
        "port": "15432",
        "URL": "postgresql://127.0.0.1:15432",
        "DSN": "host=127.0.0.1 port=15432",
        "environment": "export PGHOST=127.0.0.1 PGPORT=15432",
        "client": "psql -h 127.0.0.1 -p 15432",
        "command": "tunnelui tcp db.corp.example:5432",
    }


def test_ssh_has_its_option_before_the_tunnel_is_started() -> None:
    assert texts(tunnel("jump.corp.example:22", "")) == {
        "ssh option": "-o 'ProxyCommand=tunnelui tcp --listen - jump.corp.example:22'",
        "command": "tunnelui tcp jump.corp.example:22",
    }


def test_a_socket_file_is_no_port() -> None:
    assert set(texts(tunnel("db.corp.example:5432", "unix:/run/db"))) == {"address", "command"}


@pytest.mark.parametrize(
    ("local", "words"),
    [
        ("127.0.0.1:1", ["psql", "-h", "127.0.0.1", "-p", "1"]),
        ("[::1]:1", ["psql", "-h", "::1", "-p", "1"]),
        ("0.0.0.0:1", ["psql", "-h", "127.0.0.1", "-p", "1"]),
        (":1", ["psql", "-h", "127.0.0.1", "-p", "1"]),
        ("[::]:1", ["psql", "-h", "::1", "-p", "1"]),
        ("unix:/x", []),
        ("", []),
    ],
)
def test_the_usual_program_by_local_address(local: str, words: list[str]) -> None:
    assert client_command(tunnel("db:5432", local)) == words


def test_the_routes_own_program_goes_first_and_no_shell_reads_it() -> None:
    own = tunnel("db:5432", "127.0.0.1:1", command="sh -c 'echo {host}:{port} $HOME; {name}'")
    assert client_command(own) == ["sh", "-c", "echo 127.0.0.1:1 $HOME; db"]


@pytest.mark.parametrize("target", ["db", "db:", "db:x", "db:70000000", "db:\u0665", "", ":", "db:12345"])
def test_an_unknown_service_is_tcp(target: str) -> None:
    assert service_of(target).scheme == "tcp" and not service_of(target).client
