"""Copying: the desktop's own tool first, the terminal's OSC 52 over ssh or where there is no tool.

OSC 52 gives no answer, so that nobody knows whether it worked; the tool does. Over ssh the tool would fill the
clipboard of the wrong machine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["copy_natively", "native_command"]

_TIMEOUT = 2.0


def native_command(
    environ: Mapping[str, str] = os.environ,
    *,
    platform: str = sys.platform,
    which: Callable[[str], str | None] = shutil.which,
) -> list[str] | None:
    """Return the command that takes text on its standard input, or nothing where the terminal has to do it."""
    if environ.get("SSH_CONNECTION") or environ.get("SSH_TTY"):
        return None
    candidates: list[list[str]] = []
    if platform == "darwin":
        candidates.append(["pbcopy"])
    elif platform == "win32" or environ.get("WSL_DISTRO_NAME"):
        candidates.append(["clip.exe"])
    if environ.get("WAYLAND_DISPLAY"):
        candidates.append(["wl-copy"])
    if environ.get("DISPLAY"):
        candidates.append(["xclip", "-selection", "clipboard"])
        candidates.append(["xsel", "--clipboard", "--input"])
    for command in candidates:
        if path := which(command[0]):
            return [path, *command[1:]]
    return None


async def copy_natively(text: str, command: list[str] | None = None) -> bool:
    """Hand *text* to the desktop's tool; return whether it took it."""
    command = command or native_command()
    if command is None:
        return False
    try:
        with anyio.fail_after(_TIMEOUT):
            # xclip and wl-copy leave a child behind that holds the clipboard: no pipe may keep us waiting for it.
            done = await anyio.run_process(
                command, input=text.encode(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
            )
    except (OSError, TimeoutError):
        return False
    return done.returncode == 0
