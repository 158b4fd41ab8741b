"""Copying by the desktop's tool."""

from __future__ import annotations

import re
import sys

import pytest

from tests.support.screens import drive
from tunnelui.tui.outside.clipboard import copy_natively, native_command


def _which(*present: str) -> object:
    return lambda name: f"/bin/{name}" if name in present else None


@pytest.mark.parametrize(
    ("environ", "platform", "present", "expected"),
    [
        ({"WAYLAND_DISPLAY": "w"}, "linux", ("wl-copy", "xclip"), ["/bin/wl-copy"]),
        ({"DISPLAY": ":0"}, "linux", ("xclip",), ["/bin/xclip", "-selection", "clipboard"]),
        ({"WAYLAND_DISPLAY": "w", "DISPLAY": ":0"}, "linux", ("xclip",), ["/bin/xclip", "-selection", "clipboard"]),
        ({"DISPLAY": ":0"}, "linux", ("xsel",), ["/bin/xsel", "--clipboard", "--input"]),
        ({"DISPLAY": ":0", "SSH_TTY": "/dev/pts/1"}, "linux", ("xclip",), None),
        ({"SSH_CONNECTION": "a b c d"}, "darwin", ("pbcopy",), None),
        ({}, "darwin", ("pbcopy",), ["/bin/pbcopy"]),
        ({"WSL_DISTRO_NAME": "x"}, "linux", ("clip.exe",), ["/bin/clip.exe"]),
        ({}, "linux", ("xclip", "wl-copy"), None),
        ({"DISPLAY": ":0"}, "linux", (), None),
    ],
)
def test_the_tool_for_the_desktop_and_none_over_ssh(
    environ: dict[str, str], platform: str, present: tuple[str, ...], expected: list[str] | None
) -> None:
    assert native_command(environ, platform=platform, which=_which(*present)) == expected  # type: ignore[arg-type]  # a lambda


async def test_the_tool_gets_the_text(tmp_path: object) -> None:
    from pathlib import Path

    target = Path(str(tmp_path)) / "copied"
    script = f"import sys; open({str(target)!r}, 'w').write(sys.stdin.read())"
    assert await copy_natively("127.0.0.1:15432", [sys.executable, "-c", script])
    assert target.read_text() == "127.0.0.1:15432"


async def test_a_tool_that_fails_or_is_not_there_is_no_error() -> None:
    assert not await copy_natively("x", [sys.executable, "-c", "raise SystemExit(3)"])
    assert not await copy_natively("x", ["/no/such/tool"])
    assert not await copy_natively("x")


async def test_a_tool_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tunnelui.tui.outside.clipboard._TIMEOUT", 0.2)
    assert not await copy_natively("x", [sys.executable, "-c", "import time; time.sleep(30)"])


async def test_the_linux_console_has_no_clipboard_and_the_message_has_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("TERM", "linux")
    async with drive() as driven:
        await driven.press("y")
        assert re.fullmatch(
            r"The Linux console has no clipboard\. This is the local address: 127\.0\.0\.1:\d+", driven.toasts[-1]
        )
        assert driven.app.clipboard == ""
