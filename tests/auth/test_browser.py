from __future__ import annotations

import os
import stat
import sys
import time
from typing import TYPE_CHECKING

import anyio
import pytest

from tunnelui.auth import browser as browser_module
from tunnelui.auth.browser import browser_command, open_browser

if TYPE_CHECKING:
    from pathlib import Path

URL = "https://idp.example.com/?a=b&c=d;rm -rf $HOME `id`"


def program(folder: Path, body: str, name: str = "browser") -> str:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


async def content(path: Path) -> str:
    with anyio.fail_after(60):
        while not path.exists() or not path.read_text().endswith("\n"):
            await anyio.sleep(0.02)
    return path.read_text()


async def test_the_program_gets_the_address_as_its_one_argument_without_a_shell(tmp_path: Path) -> None:
    out = tmp_path / "out"
    note = await open_browser(URL, program=program(tmp_path, f'printf "%s\\n%s\\n" "$#" "$1" > {out}'))
    assert note == ""
    assert await content(out) == f"1\n{URL}\n"


async def test_the_program_has_no_hand_on_our_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    body = f"echo noise; echo noise >&2; cat; ps -o sid= -p $$ > {out}.new; mv {out}.new {out}"
    assert await open_browser(URL, program=program(tmp_path, body)) == ""
    assert int(await content(out)) != os.getsid(0)
    assert capfd.readouterr() == ("", "")


async def test_the_program_does_not_inherit_the_service_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNNELUI_SERVICE_ACCOUNT", "canary")
    out = tmp_path / "out"
    assert await open_browser(URL, program=program(tmp_path, f"env > {out}.new; mv {out}.new {out}")) == ""
    assert "canary" not in await content(out)


async def test_a_program_that_does_not_exist_is_a_note(tmp_path: Path) -> None:
    note = await open_browser(URL, program=str(tmp_path / "no-such"))
    assert "did not start" in note
    assert "No such file" in note
    assert "idp.example.com" not in note


async def test_a_program_with_a_forbidden_name_is_a_note() -> None:
    assert "did not start" in await open_browser(URL, program="a\0b")


async def test_a_program_that_fails_at_once_is_a_note(tmp_path: Path) -> None:
    assert "ended with status 3" in await open_browser(URL, program=program(tmp_path, "exit 3"))


async def test_a_program_that_goes_on_is_left_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser_module, "_EARLY_END", 0.2)
    out, end = tmp_path / "out", tmp_path / "end"
    wait = f"while [ ! -e {end} ]; do sleep 0.02; done"
    note = await open_browser(URL, program=program(tmp_path, f"{wait}; echo done > {out}"))
    assert note == ""
    assert not out.exists()
    end.touch()
    assert await content(out) == "done\n"


async def test_a_start_that_hangs_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser_module, "_START", 0.1)
    monkeypatch.setattr(browser_module, "_start", lambda *_: time.sleep(0.5))
    assert "takes long" in await open_browser(URL)


async def test_a_machine_without_a_browser_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME", "SSH_CONNECTION", "SSH_TTY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    assert "no browser was found" in await open_browser(URL)


@pytest.mark.parametrize(
    ("platform", "environ", "program", "command"),
    [
        ("linux", {"BROWSER": "other", "DISPLAY": ":0"}, "mine --flag", ["mine --flag", "U"]),
        ("linux", {"BROWSER": "firefox -P work", "DISPLAY": ":0"}, None, ["firefox", "-P", "work", "U"]),
        ("linux", {"BROWSER": "run --url=%s:second"}, None, ["run", "--url=U"]),
        ("linux", {"BROWSER": 'a "b'}, None, ['a "b', "U"]),
        ("linux", {"BROWSER": " "}, None, []),
        ("linux", {"DISPLAY": ""}, None, []),
        ("darwin", {"BROWSER": "x"}, None, ["/usr/bin/open", "U"]),
        ("win32", {}, None, ["rundll32", "url.dll,FileProtocolHandler", "U"]),
        ("darwin", {"SSH_CONNECTION": "a 1 b 22"}, None, []),
        ("win32", {"SSH_CONNECTION": "a 1 b 22"}, None, []),
        ("linux", {"SSH_TTY": "/dev/pts/1", "BROWSER": "run %s"}, None, ["run", "U"]),
        ("linux", {"SSH_TTY": "/dev/pts/1", "BROWSER": "x"}, "mine", ["mine", "U"]),
    ],
)
def test_the_command_follows_flag_system_and_environment(
    platform: str, environ: dict[str, str], program: str | None, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert browser_command("U", program, environ=environ) == command


@pytest.mark.parametrize("display", ["DISPLAY", "WAYLAND_DISPLAY"])
def test_with_a_display_the_first_opener_on_the_path_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, display: str
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert browser_command("U", environ={display: ":0"}) == []
    later = program(tmp_path, "", "x-www-browser")
    assert browser_command("U", environ={display: ":0"}) == [later, "U"]
    first = program(tmp_path, "", "xdg-open")
    assert browser_command("U", environ={display: ":0"}) == [first, "U"]


@pytest.mark.parametrize(
    ("environ", "is_mine"),
    [
        ({"DISPLAY": ":0"}, False),
        ({"DISPLAY": "unix:0.0", "WAYLAND_DISPLAY": "wayland-0"}, False),
        ({"WSL_DISTRO_NAME": "x"}, False),
        ({"DISPLAY": "localhost:10.0"}, True),
    ],
)
def test_over_ssh_only_a_forwarded_display_is_where_the_person_sits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], is_mine: bool
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("PATH", str(tmp_path))
    opener = program(tmp_path, "", "xdg-open")
    assert browser_command("U", environ=environ) == [opener, "U"]
    assert browser_command("U", environ=environ | {"SSH_CONNECTION": "a 1 b 22"}) == [opener, "U"] * is_mine


async def test_over_ssh_the_note_says_where_to_open_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BROWSER", "DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSH_TTY", "/dev/pts/1")
    assert "on your own machine and paste" in await open_browser(URL)
