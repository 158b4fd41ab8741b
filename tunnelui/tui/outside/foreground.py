"""Another program on our terminal, while the screen is away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["run_in_foreground"]

_AT_ONCE: Final = 1.0
"""Seconds: what ends sooner has something on the terminal that nobody could read."""


def run_in_foreground(argv: Sequence[str], note: str = "") -> int:
    """Run *argv* to its end and return its exit status, after *note*. Blocks; not for the event loop.

    The program is a job of its own with the terminal, as a shell does it: its Ctrl+C is not ours. When it fails or ends
    at once, the person is asked for Enter before the screen comes back.

    :raises OSError: it can't be started.
    """
    begun = time.monotonic()
    print(f"$ {' '.join(argv)}", *([note] if note else []), sep="\n", file=sys.__stderr__, flush=True)
    status = _run_as_job(argv)
    if status or time.monotonic() - begun < _AT_ONCE:
        ended = f"It ended with status {status}. " if status else ""
        print(f"\n{ended}Enter goes back to tunnelui.", end="", file=sys.__stderr__, flush=True)
        with suppress(OSError):
            os.read(0, 4096)
    return status


def _run_as_job(argv: Sequence[str]) -> int:
    if sys.platform == "win32" or not os.isatty(0):
        return subprocess.call(argv)
    process = subprocess.Popen(argv, process_group=0)
    # Only this thread: a background job that takes the terminal would be stopped by SIGTTOU.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
    try:
        own = os.getpgrp()
        with suppress(OSError):
            os.tcsetpgrp(0, process.pid)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGCONT)  # it may have read before the terminal was its own
        try:
            return _wait(process)
        finally:
            with suppress(OSError):
                os.tcsetpgrp(0, own)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Wait for the end. There is no shell that could go on with a stopped job, so Ctrl+Z does not stop it for long."""
    while True:
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode if process.returncode >= 0 else 128 - process.returncode
        os.killpg(process.pid, signal.SIGCONT)
