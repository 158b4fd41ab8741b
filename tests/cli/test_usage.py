"""What is wrong on the command line is told at once, with its place and the next step, and exit code 2."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from tunnelui.cli.main import main
from tunnelui.errors import TunnelError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.program import Program
    from tests.support.pki import Pki

DB = "db.example.com:5432"


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    try:
        code = main(arguments)
    except SystemExit as ended:
        assert isinstance(ended.code, int)
        code = ended.code
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize(
    ("arguments", "words", "step"),
    [
        (("tcp",), "required: DESTINATION", "tunnelui tcp --help"),
        (("tpc",), "no command “tpc”; did you mean “tcp”?", "tunnelui --help"),
        (("zzz",), "no command “zzz”", "tunnelui --help"),
        (("--json", "status"), "the command comes first: tunnelui status …", "tunnelui --help"),
        (("--profile", "corp", "up", "db"), "the command comes first: tunnelui up …", "tunnelui --help"),
        (("--nonsense",), "no flag “--nonsense”", "tunnelui --help"),
        (("tcp", "--lisen", "-", DB), "no flag “--lisen”; did you mean “--listen”?", "tunnelui tcp --help"),
        (("tcp", "--lisen=-", DB), "did you mean “--listen”?", "tunnelui tcp --help"),
        (("routes", "ad"), "tunnelui routes: “ad” is not one of list, show", "did you mean “add”?"),
        (
            ("routes", "add", "a", DB, "--tga", "x"),
            "no flag “--tga”; did you mean “--tag”?",
            "tunnelui routes add --help",
        ),
        (("agent", "strat"), "tunnelui agent: “strat” is not one of start", "did you mean “start”?"),
        (("up", "--all", "db"), "--all: means every route, and “db” is one", "one of the two"),
        (("tcp", DB, "--service-account-file", "/nowhere/x"), "--service-account-file /nowhere/x: can't be", "no such"),
        (("exec", DB, "--service-account-file", "/nowhere/x", "--", "true"), "/nowhere/x: can't be", "no such file"),
        (("tcp", DB, "--client-cert"), "--client-cert: expected one argument", "tunnelui tcp --help"),
        (("tcp", "--json=maybe", DB), "--json: “maybe” is neither true nor false", "tunnelui tcp --help"),
        (("tcp", "redis"), "“redis” has no port", "HOST:PORT"),
        (("tcp", "ssh://host:22"), "“ssh://” is no way to a proxy", "tcp+https://"),
        (("tcp", "tcp+https://proxy/a:1/b:2"), "more than one part", "HOST:PORT"),
        (("tcp", "2001:db8::1:22"), "several colons", "brackets"),
        (("tcp", ""), "“” has no port", "HOST:PORT"),
        (("tcp", DB, "nonsense"), "“nonsense” has no port", "HOST:PORT"),
        (("tcp", "--listen", "nonsense", DB), "--listen: “nonsense” is no listen address", "unix:/path"),
        (("tcp", "--listen=99999", DB), "--listen: “99999” is no port", "65535"),
        (("tcp", "--listen", "unix:", DB), "--listen: “unix:” names no file", "unix:/path"),
        (("tcp", "--listen", "1", "--listen", "2", DB), "--listen: 2 addresses for 1 destination", "at most one"),
        (("tcp", "--listen", "-", DB, "b.example.com:1"), "--listen -: ", "one destination"),
        (("tcp", "--listen", "1", "--listen", "-", DB, "b.example.com:1"), "--listen -: ", "one destination"),
        (("tcp", "--grace", "soon", DB), "--grace: “soon” is no number", "number"),
        (("tcp", "--grace", "-1", DB), "--grace: “-1” is no number", "number"),
        (("tcp", "--grace", "nan", DB), "--grace: “nan” is no number", "number"),
        (("tcp", "--proxy-url", "proxy.example.com", DB), "--proxy-url: “proxy.example.com”", "https://proxy"),
        (("tcp", "--pomerium-url", "ftp://p", DB), "--proxy-url: “ftp://”", "https://"),
        (("tcp", "--token-store", "kering", DB), "--token-store: “kering”", "keyring, file, memory"),
        (("tcp", "--profile", "nope", DB), "no profile “nope”", ""),
        (("tcp", "--alternate-ca-path", "/nowhere/ca.pem", DB), "/nowhere/ca.pem: ", "--alternate-ca-path"),
        (("tcp", "--client-cert", "/nowhere/c.pem", DB), "/nowhere/c.pem: ", "--client-cert"),
        (("tcp", "--client-key", "/nowhere/k.pem", DB), "/nowhere/k.pem: ", "--client-cert"),
        (("tcp", "--ca-cert", "!!!", DB), "--ca-cert: not base64", "--alternate-ca-path"),
        (("tcp", "--ca-cert", "AAAA", DB), "--ca-cert: no usable CA certificate", "--alternate-ca-path"),
        (("tcp", "--listen", "-", "--alternate-ca-path", "/nowhere/ca.pem", DB), "/nowhere/ca.pem: ", "CA"),
        (("login", "https://a", "https://b"), "one argument too many", "tunnelui login --help"),
        (("login",), "no proxy is known", "Name one"),
        (("login", "pomerium.example.com"), "is no proxy URL", "https://pomerium.example.com"),
        (("login", "--token-store", "memory", "https://p.example.com"), "gone when this command ends", "keyring or"),
        (("logout", "--all", "https://p.example.com"), "--all: ", "Leave one"),
        (("routes", "lst"), "export, import; did you mean “list”?", "routes --help"),
        (("routes", "list", "--jsn"), "no flag “--jsn”; did you mean “--json”?", "routes list --help"),
        (("routes", "add", "a"), "required: destination", "routes add --help"),
        (("routes", "add", "a", DB, "--autostart", "maybe"), "“maybe” is not one of yes, no", "routes add --help"),
        (("demo", "--json"), "--json: is for --check", "--check"),
        (("demo",), "needs a terminal", "--check"),
        ((), "needs a terminal", "tunnelui tcp"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_wrong_usage_is_told_with_its_place_and_the_next_step(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    words: str,
    step: str,
) -> None:
    monkeypatch.setattr("sys.stdin", None)
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert step in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("TUNNELUI_LISTEN", "nonsense", "“nonsense” is no listen address"),
        ("TUNNELUI_LISTEN", "1,2", "2 addresses for 1 destination"),
        ("TUNNELUI_GRACE", "soon", "“soon” is no number"),
        ("TUNNELUI_JSON", "maybe", "neither true nor false"),
        ("TUNNELUI_NO_BROWSER", "maybe", "neither true nor false"),
        ("TUNNELUI_DISABLE_TLS_VERIFICATION", "2", "neither true nor false"),
        ("TUNNELUI_PROXY_URL", "proxy", "is no proxy URL"),
        ("TUNNELUI_TOKEN_STORE", "vault", "is no token store"),
    ],
)
def test_a_wrong_variable_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: str
) -> None:
    monkeypatch.setenv(variable, value)
    code, _, err = run(capsys, "tcp", DB)
    assert code == 2
    assert err.startswith(f"tunnelui: {variable}: ")
    assert words in err


@pytest.mark.parametrize("variable", ["TUNNELUI_JSON", "TUNNELUI_GRACE", "TUNNELUI_TOKEN_STORE"])
def test_a_wrong_variable_does_not_keep_help_away(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "nonsense")
    code, out, _ = run(capsys, "tcp", "--help")
    assert code == 0
    assert variable in out


@pytest.mark.parametrize(
    ("command", "flags"),
    [
        (
            "tcp",
            "--listen --grace --json --profile --proxy-url --pomerium-url --alternate-ca-path --ca-cert --client-cert "
            "--client-key --disable-tls-verification --token-store --browser-cmd --no-browser --service-account "
            "--service-account-file",
        ),
        ("login", "--paste --no-browser"),
        ("logout", "--all"),
        ("whoami", "--json"),
        ("demo", "--check --json"),
    ],
)
def test_help_names_every_flag_and_its_variable(capsys: pytest.CaptureFixture[str], command: str, flags: str) -> None:
    code, out, _ = run(capsys, command, "--help")
    assert code == 0
    for flag in flags.split():
        assert f"  {flag}" in out or f", {flag}" in out, flag
        if flag != "--pomerium-url":
            assert f"[TUNNELUI_{flag[2:].replace('-', '_').upper()}]" in " ".join(out.split()).replace("- ", "-"), flag


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    from importlib.metadata import version

    assert run(capsys, "--version") == (0, f"tunnelui {version('tunnelui')}\n", "")


def test_hostile_text_is_cleaned(capsys: pytest.CaptureFixture[str]) -> None:
    _, _, err = run(capsys, "\x1b[31m\u202ered")
    assert "\x1b" not in err
    assert "\u202e" not in err


def test_a_token_in_the_wrong_place_is_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    _, _, err = run(capsys, "login", "https://p.example.com", "eyJhbGciOiJub25lIn0.e30.c2ln")
    assert "eyJ" not in err


def test_a_key_that_does_not_belong_to_its_certificate(capsys: pytest.CaptureFixture[str], pki: Pki) -> None:
    one, other = pki.issue("a.example.com"), pki.issue("b.example.com")
    code, _, err = run(capsys, "tcp", "--client-cert", one.cert_file, "--client-key", other.key_file, DB)
    assert code == 2
    assert "does not belong" in err


def test_files_are_not_looked_at_for_a_proxy_without_tls(program: Program) -> None:
    with program.tcp("--alternate-ca-path", "/nowhere/ca.pem", "tcp+http://127.0.0.1:9/db.example.com:1") as tunnels:
        assert tunnels.port


def test_a_broken_configuration_file_is_told_with_its_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    file = tmp_path / "config" / "config.toml"
    file.write_text('token_store = "file"\ntoken_stor = 1\n')
    code, _, err = run(capsys, "tcp", DB)
    assert code == 2
    assert f"{file}:2: unknown key “token_stor”; did you mean “token_store”?" in err


def test_an_error_of_several_tasks_is_told_like_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> int:
        raise ExceptionGroup("tasks", [ExceptionGroup("inner", [TunnelError("what happened", hint="what to do")])])

    monkeypatch.setattr("tunnelui.cli.tcp.run", fail)
    assert run(capsys, "tcp", DB) == (1, "", "tunnelui: what happened\n  what to do\n")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), BaseExceptionGroup("tasks", [KeyboardInterrupt()])])
def test_an_interrupt_prints_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def fail(_: object) -> int:
        raise error

    monkeypatch.setattr("tunnelui.cli.tcp.run", fail)
    assert run(capsys, "tcp", DB) == (1, "", "")


def test_a_fault_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> int:
        raise ExceptionGroup("tasks", [TunnelError("known"), ValueError("fault")])

    monkeypatch.setattr("tunnelui.cli.tcp.run", fail)
    with pytest.raises(ExceptionGroup):
        main(["tcp", DB])


def test_the_ca_as_base64_is_taken(program: Program, pki: Pki) -> None:
    with open(pki.ca_file, "rb") as file:
        text = base64.b64encode(file.read()).decode()
    with program.tcp("--ca-cert", text, DB) as tunnels:
        assert tunnels.port
