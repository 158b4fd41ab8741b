"""Programs in another terminal."""

from __future__ import annotations

import shutil
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.screens import drive
from tunnelui.errors import LocalError
from tunnelui.tui.outside.new_terminal import new_terminal, open_new_terminal

if TYPE_CHECKING:
    from pathlib import Path

WORDS = ["psql", "-h", "127.0.0.1; rm -rf /"]


@pytest.mark.parametrize(
    ("environ", "start", "ends"),
    [
        ({"TMUX": "/tmp/x,1,0"}, ["/bin/tmux", "new-window", "-n", "db", "--", "sh"], True),
        ({"TMUX": "x", "TERMINAL": "foot", "DISPLAY": ":0"}, ["/bin/tmux", "new-window", "-n", "db", "--", "sh"], True),
        ({"STY": "1.pts"}, ["/bin/screen", "-X", "screen", "-t", "db", "sh"], True),
        ({"TERMINAL": "foot", "WAYLAND_DISPLAY": "w"}, ["/bin/foot", "-e", "sh"], False),
        (
            {"TERMINAL": "kitty --single-instance", "DISPLAY": ":0"},
            ["/bin/kitty", "--single-instance", "-e", "sh"],
            False,
        ),
        ({"TERMINAL": "gnome-terminal", "DISPLAY": ":0"}, ["/bin/gnome-terminal", "--", "sh"], False),
    ],
)
def test_the_way_to_a_new_terminal(environ: dict[str, str], start: list[str], ends: bool) -> None:
    found = new_terminal(WORDS, "db", environ, platform="linux", which=lambda name: f"/bin/{name}")
    assert found is not None
    assert found[0][: len(start)] == start
    assert found[0][-3:] == WORDS, "words stay words"
    assert found[1] is ends


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("orders-db", "orders-db"),
        ("#(touch /tmp/x) #{pane_id}", "__touch__tmp_x____pane_id_"),
        ("-n", "n"),
        ("", "tunnelui"),
    ],
)
def test_a_name_from_elsewhere_is_a_title_and_nothing_else(name: str, title: str) -> None:
    found = new_terminal(WORDS, name, {"TMUX": "x"}, which=lambda name: name)
    assert found is not None and found[0][3] == title


@pytest.mark.parametrize("environ", [{}, {"TERMINAL": "foot"}, {"DISPLAY": ":0"}])
def test_no_way(environ: dict[str, str]) -> None:
    assert new_terminal(WORDS, "db", environ, platform="linux", which=lambda name: f"/bin/{name}") is None
    environ["TMUX"] = "x"
    assert new_terminal(WORDS, "db", environ, platform="linux", which=lambda name: None) is None


def test_a_program_in_the_desktops_terminal_goes_on_by_itself(tmp_path: Path) -> None:
    terminal = tmp_path / "my-terminal"
    terminal.write_text('#!/bin/sh\nshift\nexec "$@"\n')
    terminal.chmod(0o700)
    target = tmp_path / "it's here; yes"
    environ = {"TERMINAL": f"'{terminal}'", "DISPLAY": ":0"}
    found = new_terminal(["touch", str(target)], "db", environ, which=shutil.which, platform="linux")
    assert found is not None
    open_new_terminal(*found)
    for _ in range(200):
        if target.exists():
            break
        time.sleep(0.02)
    assert target.exists()


def test_what_goes_wrong_is_told() -> None:
    with pytest.raises(LocalError, match="can't be run"):
        open_new_terminal(["/no/such/terminal"], False)
    with pytest.raises(LocalError, match="opened no window: no server"):
        open_new_terminal(["sh", "-c", "echo no server >&2; exit 1"], True)


@pytest.mark.skipif(not shutil.which("tmux"), reason="tmux is not installed")
def test_a_window_of_tmux_and_a_failure_that_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = ["tmux", "-S", str(tmp_path / "tmux")]
    subprocess.run([*server, "-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", "sleep 60"], check=True)
    try:
        monkeypatch.setenv("TMUX", f"{tmp_path / 'tmux'},1,0")
        found = new_terminal(["sh", "-c", "echo here $0; exit 3", "[b]x"], "orders-db")
        assert found is not None
        open_new_terminal(*found)
        text = ""
        for _ in range(200):
            done = subprocess.run([*server, "capture-pane", "-p", "-t", "orders-db"], capture_output=True, check=False)
            text = done.stdout.decode()
            if "Enter closes" in text:
                break
            time.sleep(0.02)
        assert text.splitlines()[0] == "here [b]x"
        assert "sh ended with status 3. Enter closes this window." in text
    finally:
        subprocess.run([*server, "kill-server"], check=False)


async def test_without_a_way_the_screen_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TMUX", "STY", "TERMINAL"):
        monkeypatch.delenv(name, raising=False)
    async with drive() as driven:
        await driven.press("j", "j", "j", "j", "O")
        assert driven.toasts[-1].startswith("No way to a new terminal: run tunnelui in tmux, or set TERMINAL. o runs")


async def test_with_tmux_the_program_of_the_route_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[list[str], bool]] = []
    monkeypatch.setenv("TMUX", "x")
    monkeypatch.setattr("tunnelui.tui.outside.new_terminal.shutil.which", lambda name: name)
    monkeypatch.setattr("tunnelui.tui.actions.verbs.open_new_terminal", lambda *given: ran.append(given))
    monkeypatch.setattr("tunnelui.tui.actions.verbs.new_terminal", lambda words, name: (["tmux", name, *words], True))
    async with drive() as driven:
        await driven.press("j", "j", "j", "j", "O")
        await driven.pilot.pause(0.1)
        assert ran == [(["tmux", "orders-db", "psql", "-h", "127.0.0.1", "-p", "15432"], True)]
        assert driven.toasts[-1] == "psql runs in a new window."
        await driven.press("enter", "O")
        await driven.pilot.pause(0.1)
        assert len(ran) == 2
