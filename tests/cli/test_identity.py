"""``login``, ``logout`` and ``whoami`` with the ``file`` store."""

from __future__ import annotations

import json
import signal
import subprocess
import termios
import time
from typing import TYPE_CHECKING

import pytest

from tests.cli.program import Program, Terminal, jwt, login_url_in
from tests.peers.process import eventually, free_port

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.connect_proxy import ConnectProxy

ALICE = jwt(email="alice@example.com", exp=4_000_000_000)


def echoes(terminal: Terminal) -> bool:
    mode = termios.tcgetattr(terminal.side)[3]
    assert bool(mode & termios.ECHO) == bool(mode & termios.ICANON)
    return bool(mode & termios.ECHO)


# login


def test_login_shows_the_address_and_keeps_the_token(program: Program, proxy: ConnectProxy) -> None:
    with program.spawn("login", "--no-browser", proxy.origin) as process:
        eventually(lambda: login_url_in(process.stderr))
        assert proxy.sign_in(ALICE) == 200
        assert process.wait(60) == 0
    assert process.stdout.startswith(f"Signed in at {proxy.origin} as alice@example.com, until ")
    assert program.tokens() == [ALICE]
    assert ALICE not in process.output


def test_a_browser_that_does_not_start_is_told(program: Program, proxy: ConnectProxy) -> None:
    with program.spawn("login", "--browser-cmd", "/nowhere/browser", proxy.origin) as process:
        eventually(lambda: "/nowhere/browser" in process.output)
        process.popen.send_signal(signal.SIGINT)
        process.popen.wait(60)
    told = [line for line in process.output.splitlines() if "/nowhere/browser" in line]
    assert len(told) == 1, process.output
    with program.spawn("login", "--json", "--browser-cmd", "/nowhere/browser", proxy.origin) as process:
        eventually(lambda: "/nowhere/browser" in process.output)
        process.popen.send_signal(signal.SIGINT)
        process.popen.wait(60)
    kinds = [json.loads(line)["kind"] for line in process.output.splitlines() if line.startswith("{")]
    assert kinds == ["sign_in", "note"]


def test_login_by_a_destination_and_by_the_only_proxy_that_is_known(program: Program, proxy: ConnectProxy) -> None:
    program.write_config(f'[profiles.default]\nproxy_url = "{proxy.origin}"\n')
    for where in (["db.example.com:5432"], []):
        done = program.run("login", "--paste", *where, input=ALICE.encode())
        assert done.returncode == 0, done.stderr
        assert proxy.origin.encode() in done.stdout


def test_a_saved_route_names_its_proxy(program: Program, proxy: ConnectProxy) -> None:
    program.write_config('[profiles.other]\nproxy_url = "https://other.example.com"\n')
    assert program.run("routes", "add", "db", "db.example.com:5432", "--proxy-url", proxy.origin).returncode == 0
    assert program.run("routes", "add", "far", "far.example.com:5432", "--profile", "other").returncode == 0
    program.sign_in(proxy, jwt(email="alice@example.com"))
    done = program.run("whoami", "db", "--json")
    assert (done.returncode, json.loads(done.stdout)["proxy"]) == (0, proxy.origin)
    done = program.run("whoami", "far")
    assert done.returncode == 2
    assert b"--profile other" in done.stderr
    done = program.run("whoami", "far", "--profile", "other", "--json")
    assert json.loads(done.stdout)["proxy"] == "https://other.example.com:443"


@pytest.mark.parametrize(
    "text",
    [
        ALICE,
        f"{ALICE}\n",
        f"http://127.0.0.1:4711/nonce?pomerium_jwt={ALICE}\n",
        f"what is this\n\n  http://example.com/nothing\n{ALICE}\n",
    ],
    ids=["no line end", "token", "address", "rubbish first"],
)
@pytest.mark.parametrize("source", ["pipe", "file"])
def test_paste_takes_an_address_or_a_token(
    program: Program, proxy: ConnectProxy, tmp_path: Path, text: str, source: str
) -> None:
    if source == "pipe":
        done = program.run("login", "--paste", proxy.origin, input=text.encode())
    else:
        file = tmp_path / "pasted"
        file.write_text(text)
        with file.open("rb") as stream:
            done = subprocess.run(
                program.argv("login", "--paste", proxy.origin),
                env=program.env,
                stdin=stream,
                capture_output=True,
                timeout=20,
                check=False,
            )
    assert done.returncode == 0, done.stderr
    assert program.tokens() == [ALICE]
    assert ALICE.encode() not in done.stdout + done.stderr
    assert b"Is it the whole one?" not in done.stderr


def test_a_paste_that_tells_nothing_of_anybody_is_doubted(program: Program, proxy: ConnectProxy) -> None:
    done = program.run("login", "--paste", proxy.origin, input=b"garbage\n")
    assert (done.returncode, b"Is it the whole one?" in done.stderr) == (0, True)


@pytest.mark.parametrize("text", [b"", b"\n\n", b"rub bish\n", b"\xff\xfe\n" * 3])
def test_a_paste_without_a_token_is_exit_code_3(program: Program, proxy: ConnectProxy, text: bytes) -> None:
    done = program.run("login", "--paste", proxy.origin, input=text)
    assert done.returncode == 3
    assert b"nothing was pasted" in done.stderr
    assert program.tokens() == []


def test_a_piped_token_is_taken_though_the_proxy_is_away(program: Program) -> None:
    done = program.run("login", "--paste", f"http://127.0.0.1:{free_port()}", input=ALICE.encode())
    assert done.returncode == 0, done.stderr
    assert program.tokens() == [ALICE]


def test_a_proxy_without_codes_is_told(program: Program, proxy: ConnectProxy) -> None:
    done = program.run("login", "--device", proxy.origin)
    assert done.returncode == 3
    assert b"gives no codes" in done.stderr and b"login --paste" in done.stderr


def test_two_ways_to_sign_in_are_one_too_many(program: Program, proxy: ConnectProxy) -> None:
    done = program.run("login", "--device", "--paste", proxy.origin)
    assert done.returncode == 2 and b"--device and --paste" in done.stderr


def test_a_proxy_that_is_away_is_told(program: Program) -> None:
    done = program.run("login", "--no-browser", f"http://127.0.0.1:{free_port()}")
    assert done.returncode == 3
    assert b"Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) >= 2


def test_a_long_address_is_pasted_on_a_terminal_and_not_shown(program: Program, proxy: ConnectProxy) -> None:
    long = jwt(email="alice@example.com", filler="x" * 4500)
    with program.terminal("login", "--paste", proxy.origin) as terminal:
        terminal.wait_for("paste its address here")
        eventually(lambda: not echoes(terminal))
        terminal.type("rubbish\x15oops\x7f\x7f\x7f\x7f\r")  # all of it taken back: nothing, so it goes on reading
        terminal.type("more rubbish\r")
        terminal.wait_for("this is no token")
        eventually(lambda: not echoes(terminal))
        terminal.type(f"http://127.0.0.1:1/n?pomerium_jwt={long}\r")
        assert terminal.wait() == 0, terminal.shown
        assert echoes(terminal)
    assert program.tokens() == [long]
    assert "rubbish" not in terminal.shown
    assert "eyJ" not in terminal.shown


@pytest.mark.parametrize("way", ["Ctrl-C", "Ctrl-D", "SIGTERM", "SIGHUP"])
def test_the_terminal_echoes_again_however_it_ends(program: Program, proxy: ConnectProxy, way: str) -> None:
    with program.terminal("login", "--paste", proxy.origin) as terminal:
        terminal.wait_for("paste its address here")
        eventually(lambda: not echoes(terminal))
        if way == "Ctrl-C":
            terminal.process.send_signal(signal.SIGINT)  # this terminal controls nobody
        elif way == "Ctrl-D":
            terminal.type("\x04")
        else:
            terminal.process.send_signal(signal.Signals[way])
        assert terminal.wait() == (3 if way == "Ctrl-D" else 1), terminal.shown
        assert echoes(terminal)
    assert "Traceback" not in terminal.shown


def test_the_browser_may_come_back_while_a_paste_is_waited_for(program: Program, proxy: ConnectProxy) -> None:
    with program.terminal("login", "--paste", proxy.origin) as terminal:
        terminal.wait_for("/sign-in?redirect=")
        assert proxy.sign_in(ALICE) == 200
        assert terminal.wait() == 0, terminal.shown
        assert echoes(terminal)
    assert program.tokens() == [ALICE]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_login_with_1(program: Program, proxy: ConnectProxy, number: signal.Signals) -> None:
    with program.spawn("login", "--no-browser", proxy.origin) as process:
        eventually(lambda: login_url_in(process.stderr))
        assert process.stop(number, timeout=60) == 1
        assert "Traceback" not in process.output


def test_no_login_without_a_place_to_keep_the_token(program: Program, proxy: ConnectProxy) -> None:
    program.env |= {"TUNNELUI_TOKEN_STORE": "", "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    done = program.run("login", "--paste", proxy.origin, input=ALICE.encode())
    assert done.returncode == 1
    assert b"no place to keep a token" in done.stderr
    assert b"--token-store file" in done.stderr
    assert proxy.logins == [], "nobody is asked to sign in for nothing"


def test_no_login_with_a_service_account(program: Program, proxy: ConnectProxy) -> None:
    done = program.run("login", "--service-account", "x", proxy.origin)
    assert done.returncode == 3
    assert b"a service account is used here" in done.stderr


def test_a_token_that_can_not_be_kept_is_a_failure(program: Program, proxy: ConnectProxy) -> None:
    (program.state / "tokens").mkdir(parents=True, mode=0o755)
    (program.state / "tokens").chmod(0o755)
    done = program.run("login", "--paste", proxy.origin, input=ALICE.encode())
    assert done.returncode == 1
    assert b"chmod 700" in done.stderr
    assert b"Signed in" not in done.stdout


# logout


def test_logout_forgets_the_token_of_one_proxy(program: Program, proxy: ConnectProxy) -> None:
    other = "http://127.0.0.1:1"
    program.sign_in(proxy, ALICE)
    assert program.run("login", "--paste", other, input=b"other-token").returncode == 0
    # A service account that happens to be set is no reason to keep the token.
    program.env["TUNNELUI_SERVICE_ACCOUNT"] = "service"
    done = program.run("logout", proxy.origin)
    assert (done.returncode, done.stdout.decode()) == (0, f"Signed out at {proxy.origin}.\n")
    assert program.tokens() == ["other-token"]
    done = program.run("logout", proxy.origin)
    assert (done.returncode, done.stdout.decode()) == (0, f"There was no token for {proxy.origin}.\n")


def test_logout_all_forgets_what_is_configured_or_saved(program: Program, proxy: ConnectProxy) -> None:
    other = "http://127.0.0.1:1"
    program.write_config(f'[profiles.default]\nproxy_url = "{proxy.origin}"\n')
    assert program.run("routes", "add", "db", f"tcp+{other}/db.example.com:1").returncode == 0
    for where in (proxy.origin, other):
        assert program.run("login", "--paste", where, input=ALICE.encode()).returncode == 0
    assert len(program.tokens()) == 2
    done = program.run("logout", "--all")
    assert (done.returncode, done.stdout.count(b"Signed out at ")) == (0, 2)
    assert program.tokens() == []


# whoami


def test_whoami_shows_name_expiry_and_store(program: Program, proxy: ConnectProxy) -> None:
    program.sign_in(proxy, ALICE)
    done = program.run("whoami", proxy.origin)
    header, row = done.stdout.decode().splitlines()
    assert done.returncode == 0
    assert header.split() == ["PROFILE", "PROXY", "STATUS", "NAME", "EXPIRES", "STORE"]
    assert row.split()[:5] == ["default", proxy.origin, "signed", "in", "alice@example.com"]
    assert row.endswith("file")
    done = program.run("whoami", "--json", proxy.origin)
    assert json.loads(done.stdout) == {
        "v": 1,
        "profile": "default",
        "proxy": proxy.origin,
        "status": "signed in",
        "name": "alice@example.com",
        "expires_at": 4_000_000_000.0,
        "store": "file",
    }


def test_whoami_of_an_expired_token_is_exit_code_3(program: Program, proxy: ConnectProxy) -> None:
    program.sign_in(proxy, jwt(sub="alice", exp=time.time() - 7200))
    done = program.run("whoami", proxy.origin)
    assert done.returncode == 3
    assert b"expired" in done.stdout
    assert b"2h00m ago" in done.stdout
    assert len(program.tokens()) == 1, "only the proxy takes a token away"


def test_whoami_of_nobody_is_exit_code_3(program: Program) -> None:
    done = program.run("whoami")
    assert (done.returncode, done.stdout) == (3, b"")
    assert b"No proxy is known" in done.stderr
    done = program.run("whoami", "https://p.example.com")
    assert (done.returncode, b"signed out" in done.stdout) == (3, True)


def test_whoami_of_a_service_account(program: Program, proxy: ConnectProxy) -> None:
    account = jwt(sub="robot")
    done = program.run("whoami", "--json", "--service-account", account, proxy.origin)
    assert done.returncode == 0
    assert (json.loads(done.stdout)["status"], json.loads(done.stdout)["name"]) == ("service account", "robot")
    assert account.encode() not in done.stdout
    done = program.run("whoami", "--service-account-file", "/nowhere/account", proxy.origin)
    assert done.returncode == 2
    assert b"--service-account-file /nowhere/account: can't be read" in done.stderr


def test_a_named_proxy_goes_before_the_variable(program: Program, proxy: ConnectProxy) -> None:
    program.env["TUNNELUI_PROXY_URL"] = "https://other.example.com"
    done = program.run("whoami", "--json", proxy.origin)
    assert json.loads(done.stdout)["proxy"] == proxy.origin
    done = program.run("whoami", "--json", "db.example.com:5432")
    assert json.loads(done.stdout)["proxy"] == "https://other.example.com:443"
