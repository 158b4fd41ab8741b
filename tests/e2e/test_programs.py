"""Databases and ssh through `tunnelui tcp` and `tunnelui-server`, TLS on: the programs notice nothing of the way."""

from __future__ import annotations

import hashlib
import os
import secrets
import shlex
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.e2e.harness import DOMAIN, Client, route_to, run_server, sign_in
from tests.peers.parts import require

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.peers.shell import SSHServer
    from tests.support.pki import Pki


def run(*argv: str | Path, input: str = "", env: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(
        argv, input=input, env={**os.environ, **(env or {})}, capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 0, f"{argv[0]} ended with {done.returncode}: {done.stdout[-1000:]}{done.stderr[-2000:]}"
    return done.stdout


def test_redis_cli_pings_sets_gets_and_pipelines(tmp_path: Path, pki: Pki, redis: int) -> None:
    (redis_cli,) = require("redis-cli")
    with serve(tmp_path, pki, route_to("redis", 6379, redis)) as alice, alice.tcp(f"redis.{DOMAIN}:6379") as tunnel:
        cli = (redis_cli, "-h", "127.0.0.1", "-p", str(tunnel.port))
        assert run(*cli, "ping") == "PONG\n"
        value = secrets.token_hex(500_000)
        assert run(*cli, "-x", "set", "large", input=value) == "OK\n"
        assert run(*cli, "get", "large").strip() == value
        commands = "".join("INCR counter\r\n" for _ in range(10_000))
        assert "errors: 0, replies: 10000" in run(*cli, "--pipe", input=commands)
        assert run(*cli, "get", "counter") == "10000\n"


def test_psql_queries_and_copies(tmp_path: Path, pki: Pki, postgres: int) -> None:
    (psql,) = require("psql")
    with serve(tmp_path, pki, route_to("db", 5432, postgres)) as alice, alice.tcp(f"db.{DOMAIN}:5432") as tunnel:
        command = (psql, "-X", "-h", "127.0.0.1", "-p", str(tunnel.port), "-U", "app", "-d", "postgres", "-At")
        assert run(*command, "-c", "select 6 * 7") == "42\n"
        rows = "".join(f"{number}\t{number * number}\n" for number in range(50_000))
        run(*command, "-c", "create table squares (n int, square bigint)", "-c", "copy squares from stdin", input=rows)
        assert run(*command, "-c", "copy (select * from squares order by n) to stdout") == rows


def test_mariadb_client_queries(tmp_path: Path, pki: Pki, mariadb: int) -> None:
    (mysql,) = require("mariadb")
    with serve(tmp_path, pki, route_to("shop", 3306, mariadb)) as alice, alice.tcp(f"shop.{DOMAIN}:3306") as tunnel:
        command = (mysql, "--no-defaults", "-h", "127.0.0.1", "-P", str(tunnel.port), "-u", "app", "-N", "app")
        assert run(*command, "-e", "select 6 * 7", env={"MYSQL_PWD": "secret"}) == "42\n"
        statements = "create table t (v longtext); insert into t values (repeat('x', 3000000)); select md5(v) from t;"
        expected = hashlib.md5(b"x" * 3_000_000).hexdigest()
        assert run(*command, input=statements, env={"MYSQL_PWD": "secret"}) == f"{expected}\n"


def test_ssh_and_scp_of_a_large_file_go_through_proxy_command(tmp_path: Path, pki: Pki, sshd: SSHServer) -> None:
    ssh, scp = require("ssh", "scp")
    host = f"shell.{DOMAIN}"
    with serve(tmp_path, pki, route_to("shell", 22, sshd.port)) as alice:
        command = f"{shlex.join(alice.argv('tcp', '--listen', '-'))} %h:%p"
        options = [*sshd.options(host, tmp_path), "-o", f"ProxyCommand={command}"]
        assert run(ssh, *options, f"{sshd.user}@{host}", "echo it works", env=alice.env) == "it works\n"

        there, back = tmp_path / "there", tmp_path / "back"
        original = tmp_path / "original"
        original.write_bytes(secrets.token_bytes(64 * 1024 * 1024))
        run(scp, "-q", *options, original, f"{sshd.user}@{host}:{there}", env=alice.env)
        run(scp, "-q", *options, f"{sshd.user}@{host}:{there}", back, env=alice.env)
        assert sha256(original) == sha256(there) == sha256(back)


def test_one_process_carries_several_destinations(alice: Client) -> None:
    with alice.tcp(f"echo.{DOMAIN}:7", f"open.{DOMAIN}:7", listeners=2) as tunnel:
        assert len(set(tunnel.locals)) == 2
        targets = {event["data"]["target"] for event in tunnel.events if event["kind"] == "listening"}
        assert targets == {f"echo.{DOMAIN}:7", f"open.{DOMAIN}:7"}


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def serve(folder: Path, pki: Pki, route: dict[str, object]) -> Iterator[Client]:
    """A server with one route, and a client where alice is signed in."""
    with run_server(folder / "server", pki, [route]) as server:
        client = Client(folder / "client", server)
        client.paste(sign_in(server))
        yield client
