"""`{host}` and the like in the words of ``exec``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tunnelui.cli.placeholders import filled, needs_route
from tunnelui.errors import ConfigError

if TYPE_CHECKING:
    from tests.cli.program import Program
    from tests.support.connect_proxy import ConnectProxy

DB = {"host": "127.0.0.1", "port": "15432", "url": "postgresql://127.0.0.1:15432", "name": "db"}
WEB = {"host": "::1", "port": "8080", "url": "http://[::1]:8080", "name": "web.eu"}


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("{port}", "15432"),
        ("--at={host}:{port}", "--at=127.0.0.1:15432"),
        ("{url}/{name}", "postgresql://127.0.0.1:15432/db"),
        ("{db.port}", "15432"),
        ("{{port}}", "{port}"),
        ("{{db.port}}", "{db.port}"),
        ("{web.port}", "{web.port}"),
        ("{ port }", "{ port }"),
        ("{print $1}", "{print $1}"),
        ("{}", "{}"),
        ("${HOME}", "${HOME}"),
        ("{{.Name}}", "{{.Name}}"),
        ("{port", "{port"),
        ("{self.port}", "{self.port}"),
        ("{Port}", "{Port}"),
    ],
)
def test_with_one_route(word: str, expected: str) -> None:
    needs_route([word], ["db"])
    assert filled([word], {"db": DB}) == [expected]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("{db.host}:{db.port}", "127.0.0.1:15432"),
        ("{web.eu.url}", "http://[::1]:8080"),
        ("{other.port}", "{other.port}"),
        ("{{port}}", "{port}"),
    ],
)
def test_with_several(word: str, expected: str) -> None:
    needs_route([word], ["db", "web.eu"])
    assert filled([word], {"db": DB, "web.eu": WEB}) == [expected]


def test_what_could_be_of_any_is_refused() -> None:
    with pytest.raises(ConfigError, match="could be of any of: db, web") as caught:
        needs_route(["psql", "-p{port}"], ["db", "web"])
    assert caught.value.hint == "Write {db.port}; {{port}} stands for the text itself."


def test_a_value_is_not_looked_at_again() -> None:
    strange = {**DB, "name": "{port}"}
    assert filled(["{name}"], {"{port}": strange}) == ["{port}"]


def test_a_program_gets_them(program: Program, proxy: ConnectProxy) -> None:
    for name in ("db", "web"):
        assert program.run("routes", "add", name, proxy.destination(f"{name}.example.com:5432")).returncode == 0
    done = program.run(
        "exec", "db", "--", "sh", "-c", 'echo "{port} $TUNNELUI_PORT {host} {{host}} {name} $1"', "-", "{url}"
    )
    assert done.returncode == 0, done.stderr
    port, variable, host, literal, name, url = done.stdout.decode().split()
    assert port == variable
    assert (host, literal, name) == ("127.0.0.1", "{host}", "db")
    assert url == f"postgresql://127.0.0.1:{port}"
    done = program.run("exec", "db", "web", "--", "sh", "-c", "echo {web.port} $TUNNELUI_PORT_WEB")
    assert len(set(done.stdout.split())) == 1
    done = program.run("exec", "db", "web", "--", "echo", "{port}")
    assert done.returncode == 2
    assert b"Write {db.port}" in done.stderr
