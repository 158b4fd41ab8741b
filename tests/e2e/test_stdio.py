"""``--listen -``: standard input and output are the tunnel, and nothing else is written there."""

from __future__ import annotations

import hashlib
import os
import secrets
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.e2e.harness import DOMAIN, Client, Server, route_to, run_server, sign_in
from tests.e2e.upstreams import greet, upstream
from tests.peers.process import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.pki import Pki

ECHO, SINK = f"echo.{DOMAIN}:7", f"sink.{DOMAIN}:9"


def stdio(*arguments: str) -> tuple[str, ...]:
    return ("tcp", "--listen", "-", *arguments)


def test_a_piped_request_is_answered_before_the_command_ends(tmp_path: Path, pki: Pki, redis: int) -> None:
    with run_server(tmp_path / "server", pki, [route_to("redis", 6379, redis)]) as server:
        client = Client(tmp_path / "client", server)
        client.paste(sign_in(server))
        done = client.run(*stdio(f"redis.{DOMAIN}:6379"), input=b"PING\r\n")
    assert (done.returncode, done.stdout) == (0, b"+PONG\r\n"), done.stderr


@pytest.mark.parametrize("size", [0, 1, 5_000_000])
def test_a_whole_file_reaches_an_upstream_that_answers_only_at_its_end(
    alice: Client, tmp_path: Path, size: int
) -> None:
    content = secrets.token_bytes(size)
    file = tmp_path / "file"
    file.write_bytes(content)
    with file.open("rb") as source:
        done = subprocess.run(
            alice.argv(*stdio(SINK)), stdin=source, env=alice.env, capture_output=True, timeout=30, check=False
        )
    expected = f"{size} {hashlib.sha256(content).hexdigest()}\n".encode()
    assert (done.returncode, done.stdout) == (0, expected), done.stderr


def test_large_data_comes_back_through_a_pipe_unchanged(alice: Client) -> None:
    content = secrets.token_bytes(20_000_000)
    done = alice.run(*stdio(ECHO), input=content)
    assert done.returncode == 0, done.stderr
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(content).digest()


def test_an_upstream_that_speaks_first_is_heard_with_no_input_at_all(tmp_path: Path, pki: Pki) -> None:
    with upstream(greet) as port:
        route = route_to("mail", 25, port, allow_public_unauthenticated_access=True)
        with run_server(tmp_path / "server", pki, [route]) as server:
            client = Client(tmp_path / "client", server)
            done = client.run(*stdio(f"mail.{DOMAIN}:25"))
    assert (done.returncode, done.stdout) == (0, b"220 ready\r\n"), done.stderr


def test_a_public_route_asks_for_no_sign_in(client: Client) -> None:
    done = client.run(*stdio(f"open.{DOMAIN}:7"), input=b"hello")
    assert (done.returncode, done.stdout) == (0, b"hello"), done.stderr
    assert client.stored_tokens() == []


@pytest.mark.parametrize(
    ("destination", "code", "words"),
    [(f"billing.{DOMAIN}:5432", 4, "may not reach"), (f"down.{DOMAIN}:5432", 5, "unavailable")],
)
def test_a_refusal_has_its_exit_code_a_reason_and_the_token_stays(
    alice: Client, token: str, destination: str, code: int, words: str
) -> None:
    done = alice.run(*stdio(destination), input=b"x")
    assert (done.returncode, done.stdout) == (code, b""), done.stderr
    assert words in done.stderr.decode()
    assert "request" in done.stderr.decode().lower(), "the request id helps the administrator"
    assert alice.stored_tokens() == [token]


def test_an_unknown_route_can_not_be_told_from_a_forbidden_one(alice: Client) -> None:
    unknown = alice.run(*stdio(f"nothing-here.{DOMAIN}:5432"), input=b"x")
    forbidden = alice.run(*stdio(f"billing.{DOMAIN}:5432"), input=b"x")
    assert unknown.returncode == forbidden.returncode == 4


def test_a_dead_proxy_is_exit_code_5(alice: Client) -> None:
    done = alice.run(*stdio("--proxy-url", f"https://127.0.0.1:{free_port()}", ECHO), input=b"x")
    assert done.returncode == 5
    assert "refused the connection" in done.stderr.decode()


def test_a_sign_in_that_nobody_finishes_is_exit_code_3(client: Client) -> None:
    client.config.mkdir(parents=True)
    (client.config / "config.toml").write_text("[profiles.default]\nsign_in_timeout = 8\n")
    done = client.run(*stdio("--no-browser", ECHO), input=b"x")
    assert (done.returncode, done.stdout) == (3, b"")
    assert "/.pomerium/sign_in?" in done.stderr.decode(), "the address is always shown"


def test_a_service_account_that_is_refused_is_exit_code_3_and_never_stored(client: Client) -> None:
    client.env["TUNNELUI_SERVICE_ACCOUNT"] = "not.a.token"
    done = client.run(*stdio(ECHO), input=b"x")
    assert done.returncode == 3, done.stderr
    assert "not.a.token" not in done.stderr.decode()
    assert client.stored_tokens() == []


def test_a_service_account_goes_before_the_stored_token(alice: Client, token: str, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("nonsense\n")
    file.chmod(0o600)
    done = alice.run(*stdio("--service-account-file", str(file), ECHO), input=b"x")
    assert done.returncode == 3, done.stderr
    assert alice.stored_tokens() == [token]
    file.write_text(f"{token}\n")
    done = alice.run(*stdio("--service-account-file", str(file), ECHO), input=b"hello")
    assert (done.returncode, done.stdout) == (0, b"hello")


@pytest.mark.parametrize(
    "arguments",
    [
        ("tcp",),
        ("tcp", "--listen", "-", ECHO, "--nonsense"),
        ("tcp", "--listen", "nonsense", ECHO),
        ("tcp", "redis"),
        ("tcp", "ssh://host:22"),
        ("tcp", "tcp+https://proxy/a:1/b:2"),
        ("tcp", "--proxy-url", "proxy.example.com", ECHO),
        ("tcp", "--alternate-ca-path", "/nowhere/ca.pem", ECHO),
        ("tcp", "--client-cert", "/nowhere/cert.pem", ECHO),
        ("tpc", ECHO),
        ("routes", "nonsense"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_exit_code_2_with_the_next_step(client: Client, arguments: tuple[str, ...]) -> None:
    done = client.run(*arguments)
    assert done.returncode == 2, done.stderr
    text = done.stderr.decode()
    assert "Traceback" not in text
    assert len(text.splitlines()) >= 2, text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_an_idle_listener_with_exit_code_0(alice: Client, number: signal.Signals) -> None:
    with alice.tcp(ECHO) as tunnel:
        assert tunnel.process.stop(number) == 0
        assert "Traceback" not in tunnel.process.output


def test_a_full_standard_output_does_not_lose_data_and_a_closed_one_ends_the_command(alice: Client) -> None:
    reader, writer = os.pipe()
    content = secrets.token_bytes(1_000_000)
    with subprocess.Popen(
        alice.argv(*stdio(ECHO)), env=alice.env, stdin=subprocess.PIPE, stdout=writer, stderr=subprocess.PIPE
    ) as process:
        os.close(writer)
        assert process.stdin is not None
        process.stdin.write(content[:100_000])
        process.stdin.flush()
        assert os.read(reader, 10) == content[:10]
        os.close(reader)
        try:
            process.stdin.write(content)
            process.stdin.close()
        except BrokenPipeError:
            pass
        process.wait(60)
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()


def test_standard_output_carries_nothing_but_the_tunnel(client: Client, server: Server) -> None:
    done = client.run(*stdio("--json", f"open.{DOMAIN}:7"), input=b"payload")
    assert done.stdout == b"payload"
