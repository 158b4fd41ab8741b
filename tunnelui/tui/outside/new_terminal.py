"""Another terminal for a program: a window of tmux or screen, or one of the desktop."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Final

from tunnelui.errors import LocalError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["new_terminal", "open_new_terminal"]

_TIMEOUT: Final = 5.0
_TITLE: Final = 32
_SCRIPT: Final = (
    '"$@"; status=$?; '
    'if [ "$status" -ne 0 ]; then printf "\\n%s ended with status %s. Enter closes this window. " "$1" "$status"; '
    "read -r _; fi"
)
"""So that somebody can read why a program ended. The words come as arguments: the shell reads none of them."""


def new_terminal(
    words: Sequence[str],
    title: str,
    environ: Mapping[str, str] = os.environ,
    *,
    platform: str = sys.platform,
    which: Callable[[str], str | None] = shutil.which,
) -> tuple[list[str], bool] | None:
    """Return the command that runs *words* in a new terminal, and whether it ends at once and leaves that behind.

    ``None`` where there is no way to a new terminal: no tmux or screen around us, and no ``TERMINAL`` with a desktop.
    """
    title = re.sub(r"[^\w.-]", "_", title)[:_TITLE].lstrip("-") or "tunnelui"  # tmux would run what stands in #(…)
    program = ["sh", "-c", _SCRIPT, "sh", *words]
    if environ.get("TMUX") and (tmux := which("tmux")):
        return [tmux, "new-window", "-n", title, "--", *program], True
    if environ.get("STY") and (screen := which("screen")):
        return [screen, "-X", "screen", "-t", title, *program], True
    has_desktop = platform == "darwin" or environ.get("WAYLAND_DISPLAY") or environ.get("DISPLAY")
    named = shlex.split(environ.get("TERMINAL", ""))
    if named and has_desktop and (terminal := which(named[0])):
        dash = "--" if "gnome-terminal" in named[0] else "-e"
        return [terminal, *named[1:], dash, *program], False
    return None


def open_new_terminal(command: Sequence[str], ends: bool) -> None:
    """Run *command*, as `new_terminal` gave it. Blocks for a moment; not for the event loop.

    :raises tunnelui.errors.LocalError: it can't be run, or failed.
    """
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE if ends else subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise LocalError(f"{command[0]} can't be run: {error.strerror}") from None
    if not ends:
        threading.Thread(target=process.wait, name="terminal-window", daemon=True).start()
        return
    try:
        _, said = process.communicate(timeout=_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise LocalError(f"{command[0]} does not answer") from None
    if process.returncode:
        words = said.decode(errors="replace").strip() or f"it ended with status {process.returncode}"
        raise LocalError(f"{command[0]} opened no window: {words}")
