"""A line of secret text from standard input."""

from __future__ import annotations

import contextlib
import os
import select
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread

from tunnelui.cli.output import print_note
from tunnelui.system import hidden_key

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SecretLines"]

_LONGEST: Final = 64 * 1024
_END, _DELETE, _WORD, _LINE = (
    b"\x04\x1a",
    b"\x7f\x08",
    b"\x17",
    b"\x15",
)  # as terminals send them: ^D (Windows: ^Z), DEL or ^H, ^W, ^U


class SecretLines:
    """Lines of standard input; on a terminal, nothing of them is shown.

    A terminal in its usual mode cuts a line at 4096 characters (1024 on macOS), and pasted addresses are longer: so the
    editing keys that it would have served are served here.
    """

    def __init__(self, descriptor: int = 0) -> None:
        self._descriptor = descriptor
        self._rest = b""
        self._ended = False

    async def next(self) -> str:
        """Return a line without its end, or "" at the end of the input.

        Cancelling it leaves the terminal as it was.
        """
        line = b""
        with self._raw() as is_terminal:
            while True:
                while self._rest:
                    byte, self._rest = self._rest[:1], self._rest[1:]
                    if byte in b"\r\n":
                        if line.strip():
                            return line.decode("utf-8", "replace")
                        line = b""
                    elif is_terminal and byte in _END:
                        return ""
                    elif is_terminal and byte in _DELETE:
                        line = line[:-1]
                    elif is_terminal and byte in _WORD + _LINE:
                        line = b""
                    elif len(line) < _LONGEST:
                        line += byte
                if self._ended:
                    return line.decode("utf-8", "replace").strip()
                self._rest = await self._read()
                self._ended = not self._rest

    async def _read(self) -> bytes:
        if not hasattr(select, "poll"):  # Windows: only sockets can be waited for
            return await anyio.to_thread.run_sync(self._wait_and_read, abandon_on_cancel=True)
        try:
            # A regular file is always readable, and the selector refuses it.
            with contextlib.suppress(PermissionError):
                await anyio.wait_readable(self._descriptor)
            return os.read(self._descriptor, 65536)
        except OSError:  # closed, or the terminal is gone
            return b""

    def _wait_and_read(self) -> bytes:
        if os.isatty(self._descriptor):
            return hidden_key()
        with contextlib.suppress(OSError):
            return os.read(self._descriptor, 65536)
        return b""

    @contextlib.contextmanager
    def _raw(self) -> Iterator[bool]:
        """Switch echo and line mode off while a line is read; yields whether this is a terminal."""
        if not os.isatty(self._descriptor):
            yield False
            return
        try:
            import termios
        except ImportError:  # each key is read without being shown
            yield True
            print_note("")
            return
        before = termios.tcgetattr(self._descriptor)
        quiet = [*before[:3], before[3] & ~(termios.ECHO | termios.ICANON), *before[4:]]
        termios.tcsetattr(self._descriptor, termios.TCSADRAIN, quiet)
        try:
            yield True
        finally:
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, before)
            print_note("")
