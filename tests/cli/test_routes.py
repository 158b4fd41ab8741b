"""``tunnelui routes``: changes what is asked for, keeps the rest, and never overwrites what it can't read."""

from __future__ import annotations

import base64
import json
import tomllib
from typing import TYPE_CHECKING

import pytest

from tunnelui.cli.main import main
from tunnelui.cli.routes_undo import save_undoable
from tunnelui.config.route import Route
from tunnelui.config.routes import RouteFile
from tunnelui.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.program import Program

DB = "db.corp.example.com:5432"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config" / "routes.toml"


def saved(file: Path) -> tuple[Route, ...]:
    return RouteFile(file).load()


def test_a_route_is_added_shown_changed_and_removed(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    assert main(["routes", "add", "db", DB, "--listen", "15432", "--tag", "prod", "--tag", "sql"]) == 0
    assert capsys.readouterr().out == f"Saved db: {DB} through https://db.corp.example.com:443\n"
    assert main(["routes", "edit", "db", "--proxy-url", "https://p.example.com", "--autostart", "yes"]) == 0
    assert main(["routes", "edit", "db", "--name", "main", "--tag", ""]) == 0
    (route,) = saved(file)
    assert (route.name, route.listen, route.tags, route.autostart) == ("main", "15432", (), True)
    assert route.proxy_url == "https://p.example.com"
    capsys.readouterr()
    assert main(["routes"]) == 0
    header, row = capsys.readouterr().out.splitlines()
    assert header.split() == ["NAME", "DESTINATION", "LOCAL", "PROFILE", "TAGS"]
    assert row.split() == ["main", DB, "15432", "default"]
    assert main(["routes", "edit", "main", "--listen", "", "--proxy-url", ""]) == 0
    assert (saved(file)[0].listen, saved(file)[0].proxy_url) == ("", "")
    assert main(["routes", "remove", "main"]) == 0
    assert saved(file) == ()


def test_an_import_from_a_closed_standard_input_finds_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", None)
    assert main(["routes", "import", "-"]) == 0
    assert capsys.readouterr().err == "standard input has no routes.\n"


def test_of_commands_that_run_at_once_none_is_lost(program: Program) -> None:
    names = [f"db-{number}" for number in range(8)]
    adding = [program.spawn("routes", "add", name, DB) for name in names]
    for process in adding:
        with process:
            assert process.popen.wait(60) == 0, process.output
    file = RouteFile(program.config / "routes.toml")
    assert {route.name for route in file.load()} == set(names)
    # The last one is what is taken back, whichever it was.
    assert program.run("routes", "undo").returncode == 0
    assert len(file.load()) == len(names) - 1


def test_a_change_that_is_refused_leaves_the_one_before_to_be_taken_back(tmp_path: Path, file: Path) -> None:
    assert main(["routes", "add", "db", DB]) == 0
    routes = RouteFile(file)
    before = routes.load()
    RouteFile(file).save([*before, Route("other", DB)])
    with pytest.raises(ConfigError, match="changed by somebody else"):
        save_undoable(routes, before, ())
    assert main(["routes", "undo"]) == 0
    assert [route.name for route in saved(file)] == ["other"]


@pytest.mark.parametrize(
    "arguments", [["routes", "--json"], ["routes", "list", "--json"], ["routes", "--json", "list"]]
)
def test_the_list_as_json(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main(["routes", "add", "db", DB, "--tag", "prod"]) == 0
    assert main(["routes", "add", "日本", "other.example.com:22"]) == 0
    capsys.readouterr()
    assert main(arguments) == 0
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert first == {
        "v": 1,
        "name": "db",
        "destination": DB,
        "listen": "",
        "profile": "default",
        "proxy_url": "",
        "tags": ["prod"],
        "autostart": False,
        "note": "",
        "command": "",
        "max_connections": 0,
        "idle_timeout": 0.0,
        "connect_timeout": 0.0,
        "source": "",
    }
    assert second["name"] == "日本"


def test_the_variable_for_json_counts_too(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["routes", "add", "db", DB]) == 0
    capsys.readouterr()
    monkeypatch.setenv("TUNNELUI_JSON", "1")
    assert main(["routes"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "db"


def test_variables_for_tunnels_do_not_change_what_is_saved(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNNELUI_LISTEN", "1234")
    monkeypatch.setenv("TUNNELUI_PROXY_URL", "https://other.example.com")
    assert main(["routes", "add", "db", DB]) == 0
    assert (saved(file)[0].listen, saved(file)[0].proxy_url) == ("", "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["add", "db", "elsewhere.example.com:1"], "there is a route “db” already"),
        (["add", "a/b", DB], "a character that a name can't have"),
        (["add", "x", "nonsense"], "“nonsense” has no port"),
        (["add", "x", DB, "--listen", "-"], "standard input and output"),
        (["add", "x", DB, "--listen", "nonsense"], "is no listen address"),
        (["add", "x", DB, "--profile", "nope"], "no profile “nope”"),
        (["add", "x", DB, "--proxy-url", "nope"], "is no proxy URL"),
        (["edit", "db", "--name", "web"], "there is a route “web” already"),
        (["edit", "nope", "--listen", "1"], "there is no route “nope”"),
        (["remove", "db", "nope"], "there is no route “nope”"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_wrong_change_is_refused_and_nothing_is_written(
    capsys: pytest.CaptureFixture[str], file: Path, arguments: list[str], words: str
) -> None:
    assert main(["routes", "add", "db", DB]) == 0
    assert main(["routes", "add", "web", "web.example.com:80"]) == 0
    before = file.read_bytes()
    capsys.readouterr()
    assert main(["routes", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert words in captured.err
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b'[[routes]]\nname = "db"\ndestination = \n', ":3: is no TOML"),
        (b"[[routes]]\nname = 1\n", "routes.toml:2: “name” must be text"),
        (b'[[routes]]\nname = "a"\ndestination = "b:1"\nlisten_on = "1"\n', ":4: unknown key “listen_on”"),
        (b"\xff\xfe\x00", "no UTF-8"),
    ],
)
@pytest.mark.parametrize("arguments", [["add", "x", DB], ["edit", "db", "--listen", "1"], ["remove", "db"], ["list"]])
def test_a_file_that_does_not_parse_is_never_overwritten(
    capsys: pytest.CaptureFixture[str], file: Path, content: bytes, line: str, arguments: list[str]
) -> None:
    file.parent.mkdir()
    file.write_bytes(content)
    assert main(["routes", *arguments]) == 2
    captured = capsys.readouterr()
    assert line in captured.err
    assert str(file) in captured.err
    assert "Mend it there" in captured.err
    assert file.read_bytes() == content


def test_a_folder_that_can_not_be_written_is_exit_code_1(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "config").write_text("a file where the folder should be")
    assert main(["routes", "add", "db", DB]) in (1, 2)
    assert "routes.toml" in capsys.readouterr().err


def test_a_route_of_a_profile_that_is_gone_can_be_removed(file: Path, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.toml").write_text("[profiles.old]\n")
    assert main(["routes", "add", "db", DB, "--profile", "old"]) == 0
    (tmp_path / "config" / "config.toml").unlink()
    assert main(["routes", "remove", "db"]) == 0
    assert saved(file) == ()


# Import and export.


def test_what_was_exported_is_imported_once(program: Program, tmp_path: Path) -> None:
    program.run(
        "routes", "add", "db", "db.example.com:5432", "--tag", "prod", "--note", "the orders", "--listen", ":15432"
    )
    program.run("routes", "add", "web", "web.example.com:443", "--command", "curl http://{host}:{port}/")
    for form in ("toml", "desktop"):
        done = program.run("routes", "export", "--format", form)
        assert done.returncode == 0, done.stderr
        file = tmp_path / f"routes.{form}"
        file.write_bytes(done.stdout)
        again = program.run("routes", "import", str(file))
        assert again.returncode == 0, again.stderr
        assert again.stdout == b""
        assert again.stderr.count(b"is saved already") == 2
    program.run("routes", "remove", "db")
    assert program.run("routes", "import", str(tmp_path / "routes.toml"), "--dry-run").stdout.startswith(
        b"Would save db"
    )
    taken = program.run("routes", "import", "-", "--tag", "new", input=(tmp_path / "routes.toml").read_bytes())
    assert taken.stdout == b"Saved db: db.example.com:5432\n"
    shown = json.loads(program.run("routes", "show", "db", "--json").stdout)
    assert (shown["tags"], shown["note"], shown["listen"]) == (["prod", "new"], "the orders", ":15432")


def test_keys_of_an_export_are_written_when_somebody_asks(program: Program, tmp_path: Path) -> None:
    def record(name: str, host: str, key: bytes) -> dict[str, object]:
        pair = {"cert": base64.b64encode(b"CERT").decode(), "key": base64.b64encode(key).decode()}
        return {"conn": {"name": name, "remoteAddr": f"{host}.example.com:1", "clientCert": pair}}

    records = [record("a", "a", b"KEY"), record("b", "b", b"KEY"), record("a", "c", b"OTHER"), record("d", "A", b"KEY")]
    text = json.dumps({"@type": "type.googleapis.com/pomerium.cli.Records", "records": records}).encode()
    program.run("routes", "add", "taken", "b.example.com:1")
    program.write_config("[profiles.desktop]\n")
    folder = tmp_path / "keys"
    done = program.run("routes", "import", "-", "--dry-run", "--keys-to", str(folder), input=text)
    assert done.returncode == 0 and not folder.exists()
    done = program.run("routes", "import", "-", "--keys-to", str(folder), input=text)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in folder.iterdir()) == [
        "desktop-2-cert.pem",
        "desktop-2-key.pem",
        "desktop-3-cert.pem",
        "desktop-3-key.pem",
    ]
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert (folder / "desktop-3-key.pem").read_bytes() == b"OTHER"
    assert b"KEY" not in done.stdout + done.stderr
    printed = done.stdout.decode()
    profiles = tomllib.loads(printed[printed.index("[profiles") :])["profiles"]
    assert profiles["desktop-2"] == {
        "client_cert": str(folder / "desktop-2-cert.pem"),
        "client_key": str(folder / "desktop-2-key.pem"),
    }
    program.write_config(printed[printed.index("[profiles") :])
    steps = [line.split() for line in done.stderr.decode().splitlines() if line.startswith("  tunnelui ")]
    assert [step[3] for step in steps] == ["a", "taken", "a-2"]
    for step in steps:
        assert program.run(*step[1:]).returncode == 0
    text = b"[[routes]]\nname = 'x'\ndestination = 'x.example.com:1'\n"
    assert b"no TLS settings" in program.run("routes", "import", "-", "--keys-to", str(folder), input=text).stderr


def test_a_connection_that_leads_nowhere_is_named_and_the_others_are_saved(program: Program) -> None:
    records = [
        {"conn": {"name": name, "remoteAddr": address}} for name, address in (("a", "a.example.com"), ("b", "b:1"))
    ]
    text = json.dumps({"@type": "type.googleapis.com/pomerium.cli.Records", "records": records}).encode()
    done = program.run("routes", "import", "-", input=text)
    assert (done.returncode, done.stdout) == (0, b"Saved b: b:1\n")
    assert done.stderr.decode().startswith("a: left out: ")
    alone = json.dumps({"records": records[:1]}).encode()
    refused = program.run("routes", "import", "-", input=alone)
    assert refused.returncode == 2
    assert "record 1, conn.remoteAddr" in refused.stderr.decode()


def test_an_export_of_one_tag(program: Program) -> None:
    program.run("routes", "add", "db", "db.example.com:5432", "--tag", "prod")
    program.run("routes", "add", "web", "web.example.com:443")
    done = program.run("routes", "export", "#prod", "--format", "desktop")
    assert [record["conn"]["name"] for record in json.loads(done.stdout)["records"]] == ["db"]


def test_a_taken_name_gets_a_number(program: Program) -> None:
    program.run("routes", "add", "db", "db.example.com:5432")
    text = b'[[routes]]\nname = "db"\ndestination = "other.example.com:5432"\n'
    assert program.run("routes", "import", "-", input=text).stdout == b"Saved db-2: other.example.com:5432\n"


def test_what_another_profile_leads_to_is_saved_already(program: Program) -> None:
    program.write_config('[profiles.corp]\nproxy_url = "https://pomerium.corp.example.com"\n[profiles.other]\n')
    program.run("routes", "add", "orders", "db.example.com:5432", "--profile", "corp")
    connection = {"name": "db", "protocol": "TCP", "remoteAddr": "db.example.com:5432"}
    urls = ["https://pomerium.corp.example.com", "https://elsewhere.example.com"]
    records = [{"conn": {**connection, "name": f"db{at}", "pomeriumUrl": url}} for at, url in enumerate(urls)]
    text = json.dumps({"@type": "type.googleapis.com/pomerium.cli.Records", "records": records}).encode()
    done = program.run("routes", "import", "-", input=text)
    assert done.stdout == b"Saved db1: db.example.com:5432\n"
    assert "“orders” of the profile “corp” leads to db.example.com:5432" in done.stderr.decode()
    assert b"db0: db.example.com:5432 is saved already" in done.stderr
    done = program.run("routes", "import", "-", "--profile", "other", input=text)
    assert b"Saved db0: " in done.stdout, "whoever names a profile means it"
    assert program.run("routes", "import", "-", "--profile", "other", input=text).stdout == b""


@pytest.mark.parametrize("text", [b"[[routes]]\nname = 1\n", b"{", b"\xff", b"[[routes]]\nname = 'x'\n"])
def test_a_file_that_is_wrong_changes_nothing(program: Program, text: bytes, tmp_path: Path) -> None:
    program.run("routes", "add", "db", "db.example.com:5432")
    before = (program.config / "routes.toml").read_bytes()
    file = tmp_path / "wrong"
    file.write_bytes(text)
    done = program.run("routes", "import", str(file))
    assert done.returncode == 2
    assert str(file).encode() in done.stderr
    assert (program.config / "routes.toml").read_bytes() == before
    assert program.run("routes", "import", str(tmp_path / "missing")).returncode == 2


def test_show_and_clone(program: Program) -> None:
    program.run("routes", "add", "db", "db.example.com:5432", "--listen", ":15432", "--max-connections", "3")
    shown = program.run("routes", "show", "db").stdout.decode()
    assert "tunnelui tcp db.example.com:5432 --listen :15432" in shown
    done = program.run("routes", "clone", "db", "db-b", "--destination", "b.example.com:5432")
    assert done.returncode == 0, done.stderr
    clone = json.loads(program.run("routes", "show", "db-b", "--json").stdout)
    assert (clone["destination"], clone["listen"], clone["max_connections"]) == ("b.example.com:5432", "", 3)
    assert program.run("routes", "clone", "db", "db-b").returncode == 2


@pytest.mark.parametrize("command", ["psql -h {hots}", "psql '", "a\x1bb"])
def test_a_command_that_can_not_work_is_refused(program: Program, command: str) -> None:
    done = program.run("routes", "add", "db", "db.example.com:5432", "--command", command)
    assert done.returncode == 2
    assert b"command" in done.stderr


def test_undo_takes_back_the_last_change_of_any_kind(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    for name in ("a", "b", "c"):
        assert main(["routes", "add", name, f"{name}.example.com:1"]) == 0
    whole = saved(file)
    assert main(["routes", "remove", "b", "c"]) == 0
    capsys.readouterr()
    assert main(["routes", "undo"]) == 0
    assert capsys.readouterr().out == "b is back\nc is back\n"
    assert saved(file) == whole
    assert main(["routes", "undo"]) == 0
    assert [route.name for route in saved(file)] == ["a"]
    assert main(["routes", "edit", "a", "--listen", "1234"]) == 0
    assert main(["routes", "undo"]) == 0
    assert saved(file) == whole[:1]


def test_undo_leaves_alone_what_was_changed_since(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    for name in ("a", "b"):
        assert main(["routes", "add", name, f"{name}.example.com:1"]) == 0
    assert main(["routes", "remove", "a", "b"]) == 0
    elsewhere = RouteFile(file)  # the screen, an editor
    elsewhere.load()
    elsewhere.save([Route("a", "other.example.com:2"), Route("new", "new.example.com:3")])
    capsys.readouterr()
    assert main(["routes", "undo"]) == 0
    out, err = capsys.readouterr()
    assert out == "b is back\n"
    assert "a was changed since, and stays as it is." in err
    assert [(route.name, route.destination) for route in saved(file)] == [
        ("a", "other.example.com:2"),
        ("new", "new.example.com:3"),
        ("b", "b.example.com:1"),
    ]


def test_nothing_to_take_back_is_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["routes", "undo"]) == 1
    assert "nothing to take back" in capsys.readouterr().err


def test_an_edit_that_changes_nothing_says_so(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    assert main(["routes", "add", "db", DB]) == 0
    before = file.stat().st_mtime_ns
    capsys.readouterr()
    assert main(["routes", "edit", "db"]) == 0
    out, err = capsys.readouterr()
    assert (out, "like that already" in err, file.stat().st_mtime_ns) == ("", True, before)


def test_a_wrong_field_is_named_as_its_flag(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["routes", "add", "db", DB, "--max-connections", "-3"]) == 2
    assert "--max-connections: -3 is not from 0" in capsys.readouterr().err
    assert main(["routes", "add", "db", DB, "--listen", "99999"]) == 2
    assert "--listen: “99999” is no port" in capsys.readouterr().err
