"""Starting the person's browser, without a shell and away from our terminal.

That no browser starts is no error: the address is always shown as well.
"""

from __future__ import annotations

import functools
import os
import shlex
import shutil
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Final

from tunnelui.auth.blocking import BlockingCalls
from tunnelui.text import clean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["browser_command", "is_over_ssh", "open_browser"]

_START: Final = 5.0  # seconds until the start is left alone
_EARLY_END: Final = 2.0  # a launcher that fails does so within this time
_OPENERS: Final = ("xdg-open", "wslview", "sensible-browser", "x-www-browser")
_SECRETS: Final = ("TUNNELUI_SERVICE_ACCOUNT",)


async def open_browser(url: str, *, program: str | None = None) -> str:
    """Open *url*; return a note for the person, empty when all is well.

    :param program: one program, run as ``PROGRAM URL`` (``--browser-cmd``); the system's choice by default.
    """
    try:
        return await BlockingCalls("browser").run(functools.partial(_start, url, program), timeout=_START)
    except TimeoutError:
        return "the browser takes long to start; open the address yourself"


def browser_command(url: str, program: str | None = None, *, environ: Mapping[str, str] | None = None) -> list[str]:
    """Return the command line that opens *url*; empty when this machine has no browser to start.

    Over ssh the desktop of this machine is not where the person sits: only what they have chosen themselves is started,
    or a browser that is drawn on their own screen (X11 forwarding).
    """
    environ = os.environ if environ is None else environ
    if program:
        return [program, url]
    is_here = not is_over_ssh(environ)
    if is_here and sys.platform == "darwin":
        return ["/usr/bin/open", url]
    if is_here and sys.platform == "win32":
        return ["rundll32", "url.dll,FileProtocolHandler", url]
    chosen = environ.get("BROWSER", "").split(os.pathsep)[0].strip()
    if chosen:
        return _with_url(chosen, url)
    # Without a display the openers would start a text browser, which has no terminal to live in.
    displays = ("DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME")
    if not (any(environ.get(name) for name in displays) if is_here else _is_forwarded(environ.get("DISPLAY", ""))):
        return []
    found = next(filter(None, map(shutil.which, _OPENERS)), None)
    return [found, url] if found else []


def is_over_ssh(environ: Mapping[str, str]) -> bool:
    """Whether the person is at another machine."""
    return bool(environ.get("SSH_CONNECTION") or environ.get("SSH_TTY"))


def _is_forwarded(display: str) -> bool:
    """Whether *display* is another machine's: one without a host before the colon is our own."""
    return display.partition(":")[0] not in ("", "unix")


def _with_url(template: str, url: str) -> list[str]:
    """``$BROWSER`` as Python's webbrowser reads it: a command with ``%s`` for the address, or without."""
    try:
        words = shlex.split(template)
    except ValueError:
        return [template, url]
    if any("%s" in word for word in words):
        return [word.replace("%s", url) for word in words]
    return [*words, url]


def _start(url: str, program: str | None) -> str:
    command = browser_command(url, program)
    if not command and is_over_ssh(os.environ):
        return (
            "tunnelui was started over ssh, so no browser is opened here; "
            "open the address on your own machine and paste the one that it ends on"
        )
    if not command:
        return "no browser was found on this machine; open the address anywhere and paste the one that it ends on"
    name = clean(command[0], 60)
    try:
        process = _spawn(command)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        return f"the browser did not start: {name}: {clean(str(reason), 100)}"
    try:
        status = process.wait(timeout=_EARLY_END)
    except subprocess.TimeoutExpired:
        # A browser that is its own program runs on; somebody has to collect it when it ends.
        threading.Thread(target=process.wait, name="tunnelui browser", daemon=True).start()
        return ""
    return f"the browser did not start: {name} ended with status {status}" if status else ""


def _spawn(command: Sequence[str]) -> subprocess.Popen[bytes]:
    environ = {name: value for name, value in os.environ.items() if name not in _SECRETS}
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # nothing may write over the screen, or into a tunnel's standard output
        stderr=subprocess.DEVNULL,
        env=environ,
        start_new_session=True,  # Ctrl-C is for us
    )
