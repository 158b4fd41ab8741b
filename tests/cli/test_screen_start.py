"""``tunnelui`` alone: what has to be told before there is a screen, and the terminal afterwards."""

from __future__ import annotations

import json
import logging
import re
import signal
import termios
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.peers.process import eventually
from tunnelui.cli.log_file import LogFile
from tunnelui.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.program import Program, Terminal
    from tunnelui.config.settings import Settings

ALTERNATE_ON, ALTERNATE_OFF = "\x1b[?1049h", "\x1b[?1049l"


def settings(terminal: Terminal) -> list[Any]:
    return termios.tcgetattr(terminal.side)[:4]


def test_without_a_terminal_it_says_what_to_use(program: Program) -> None:
    done = program.run()
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"tunnelui tcp DESTINATION" in done.stderr


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("config.toml", "[profiles.corp]\nproxy = 1\n", "config.toml:2: unknown key “proxy”"),
        ("config.toml", "[profiles", "config.toml:1: is no TOML"),
        ("routes.toml", '[[routes]]\nname = "a"\ndestination = "b"\n', "routes.toml:3: "),
        ("routes.toml", "= 1\n", "routes.toml:1: is no TOML"),
    ],
)
def test_a_broken_file_is_told_with_its_line(program: Program, file: str, text: str, words: str) -> None:
    program.config.mkdir(parents=True)
    (program.config / file).write_text(text)
    with program.terminal() as terminal:
        assert terminal.wait() == 2
    assert words in terminal.shown
    assert ALTERNATE_ON not in terminal.shown
    assert "Traceback" not in terminal.shown
    assert (program.config / file).read_text() == text


def test_a_wrong_ca_file_is_told_before_the_screen(program: Program) -> None:
    with program.terminal("--alternate-ca-path", "/nowhere/ca.pem") as terminal:
        assert terminal.wait() == 2
    assert "/nowhere/ca.pem: the CA file can't be read" in terminal.shown


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
@pytest.mark.parametrize("after", [0.0, 1.0])
def test_a_signal_gives_the_terminal_back(program: Program, number: signal.Signals, after: float) -> None:
    with program.terminal() as terminal:
        before = settings(terminal)
        terminal.wait_for(ALTERNATE_ON)
        time.sleep(after)
        terminal.process.send_signal(number)
        assert terminal.wait() == 0
        assert settings(terminal) == before
    assert terminal.shown.rindex(ALTERNATE_OFF) > terminal.shown.rindex(ALTERNATE_ON)
    assert "Traceback" not in terminal.shown


@pytest.mark.parametrize("still_there", [True, False])
def test_one_that_was_stopped_and_continued_reads_keys_and_gives_the_terminal_back(
    program: Program, still_there: bool
) -> None:
    with program.terminal() as terminal:
        before = settings(terminal)
        terminal.wait_for("No routes yet")
        terminal.process.send_signal(signal.SIGSTOP)
        terminal.process.send_signal(signal.SIGCONT)
        assert eventually(lambda: terminal.read(0.05).count(ALTERNATE_ON) == 2)
        assert settings(terminal) != before
        if still_there:
            terminal.type("q")
        else:
            terminal.process.send_signal(signal.SIGTERM)
            terminal.process.send_signal(signal.SIGCONT)
        assert terminal.wait() == 0
        assert settings(terminal) == before


def test_a_terminal_without_a_size_does_not_keep_it_busy(program: Program) -> None:
    with program.terminal(size=None) as terminal:
        terminal.wait_for(ALTERNATE_ON)
        process = psutil.Process(terminal.process.pid)

        def rests() -> bool:
            before = process.cpu_times().user
            time.sleep(1.0)
            terminal.read()
            return bool(process.cpu_times().user - before < 0.3)

        assert eventually(rests), "once it has started"
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.wait() == 0


@pytest.mark.parametrize(("term", "coloured"), [("xterm-mono", False), ("xterm-256color", True)])
def test_a_terminal_without_colours_is_sent_none(program: Program, term: str, coloured: bool) -> None:
    program.env = {name: value for name, value in program.env.items() if name != "NO_COLOR"} | {"TERM": term}
    with program.terminal() as terminal:
        terminal.wait_for("No routes yet")
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.wait() == 0
    codes = re.findall(r"\x1b\[([\d;]+)m", terminal.shown)
    assert codes, "bold and the like are sent to both"
    sent = any(re.fullmatch(r"[34][0-8]|9[0-7]|10[0-7]", part) for code in codes for part in code.split(";"))
    assert sent == coloured


@pytest.mark.parametrize("and_continued", [False, True])
def test_it_ends_with_its_terminal(program: Program, and_continued: bool) -> None:
    with program.terminal() as terminal:
        terminal.wait_for(ALTERNATE_ON)
        terminal.read(1.0)
        terminal.hang_up()
        if and_continued:  # as the system does to a session that has lost its terminal
            terminal.process.send_signal(signal.SIGHUP)
            terminal.process.send_signal(signal.SIGCONT)
        assert terminal.process.wait(60) in (0, 1)


def test_a_proxy_of_the_command_line_is_that_of_the_profile(
    program: Program, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shown: list[Settings] = []

    async def show(arguments: object, settings: Settings) -> int:
        shown.append(settings)
        return 0

    monkeypatch.setattr("tunnelui.cli.ui.need_terminal", lambda hint: None)
    monkeypatch.setattr("tunnelui.cli.ui._show_routes", show)
    monkeypatch.setenv("TUNNELUI_CONFIG_DIR", str(program.config))
    program.write_config('[profiles.corp]\nca_file = "ca.pem"\n')
    assert main(["--profile", "corp", "--proxy-url", "https://p.example.com", "--no-browser"]) == 0
    assert main(["--profile", "corp"]) == 0
    first, second = (settings.profile("corp") for settings in shown)
    assert (first.proxy_url, first.open_browser) == ("https://p.example.com", False)
    assert (second.proxy_url, second.open_browser) == ("", True)
    assert first.ca_file == second.ca_file == str(program.config / "ca.pem")


# The log.


def test_what_is_logged_goes_to_a_private_file_and_not_to_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logger = logging.Logger("tunnelui.test")
    handler = LogFile()
    logger.addHandler(handler)
    file = tmp_path / "state" / "tunnelui.log"
    logger.info("nothing of interest")
    assert not file.exists()
    try:
        json.loads("nonsense")
    except ValueError:
        logger.exception("what happened: %s", "日本")
    handler.close()
    text = file.read_text("utf-8")
    assert "ERROR tunnelui.test: what happened: 日本\nTraceback" in text
    assert file.stat().st_mode & 0o777 == 0o600
    assert capsys.readouterr() == ("", "")


def test_a_log_that_grew_large_makes_room(tmp_path: Path) -> None:
    file = tmp_path / "state" / "tunnelui.log"
    file.parent.mkdir()
    file.write_bytes(b"x" * 2_000_000)
    handler = LogFile()
    handler.emit(logging.makeLogRecord({"msg": "new"}))
    handler.close()
    assert file.stat().st_size < 1000
    assert (tmp_path / "state" / "tunnelui.log.1").stat().st_size == 2_000_000


def test_a_log_that_can_not_be_written_disturbs_nobody(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    handler = LogFile()
    handler.emit(logging.makeLogRecord({"msg": "lost"}))
    handler.close()
