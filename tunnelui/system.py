"""What differs between operating systems: locks, owners of files, detached processes, signals, the event loop.

Part of the ground. The rest of the program asks here and not for the name of the system; each answer is found by what
Python offers, so that a system with less than another is treated by what it has. Folders are `tunnelui.config.paths`.

On Windows a file is private by the access list of the person's profile folder, and modes mean nothing.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import socket
import stat
import sys
import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import FrameType

__all__ = [
    "HAS_UNIX_SOCKETS",
    "NO_FOLLOW",
    "RENAMES_OPEN_FILES",
    "STOP_SIGNALS",
    "caught_signals",
    "choose_event_loop",
    "detached",
    "error_words",
    "hidden_key",
    "is_locked",
    "is_open_to_others",
    "is_ours",
    "lock",
    "replace",
]

HAS_UNIX_SOCKETS: Final = hasattr(socket, "AF_UNIX")
NO_FOLLOW: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
"""For `os.open` of a file of our own: no link in its place, nothing for programs that we start, bytes as they are."""
RENAMES_OPEN_FILES: Final = hasattr(os, "geteuid")
"""Whether a file that is open may get another name, or be removed."""
STOP_SIGNALS: Final = tuple(
    signal.Signals(getattr(signal, name))
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    if hasattr(signal, name)
)
"""Those that ask a program to end."""

_LOCKED_BYTE: Final = 0x7FFF_0000  # where locks forbid reading, far behind what is in the file
_WINSOCK: Final = 10000  # errors of sockets, which the C library has no words for
_MOST_SELECTED: Final = 510
_HIGHEST_SELECTED: Final = sys.maxsize if sys.platform == "win32" else 1023
_REPLACE_TRIES: Final = 20
_REPLACE_PAUSE: Final = 0.025


# Files


def is_ours(status: os.stat_result) -> bool:
    """Whether what *status* tells of belongs to the person who runs this."""
    return not hasattr(os, "geteuid") or status.st_uid == os.geteuid()


def is_open_to_others(status: os.stat_result) -> bool:
    """Whether its mode lets other people at it."""
    return hasattr(os, "geteuid") and bool(stat.S_IMODE(status.st_mode) & 0o077)


def lock(descriptor: int) -> bool:
    """Return whether this process alone has the file now, until it closes *descriptor* or ends in any way; at once.

    :raises OSError: the file system has no locks.
    """
    try:
        import fcntl
    except ImportError:
        return _lock_byte(descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_locked(descriptor: int) -> bool:
    """Whether another process has the file.

    :raises OSError: the file system has no locks.
    """
    try:
        import fcntl
    except ImportError:
        if not _lock_byte(descriptor):
            return True
        _change_byte(descriptor, "LK_UNLCK")
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _lock_byte(descriptor: int) -> bool:
    try:
        _change_byte(descriptor, "LK_NBLCK")
    except PermissionError:
        return False
    return True


def _change_byte(descriptor: int, mode: str) -> None:
    import importlib

    try:
        windows: Any = importlib.import_module("msvcrt")
    except ImportError:
        raise OSError(errno.ENOTSUP, "this Python has no locks") from None
    place = os.lseek(descriptor, 0, os.SEEK_CUR)
    os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
    try:
        windows.locking(descriptor, getattr(windows, mode), 1)
    finally:
        os.lseek(descriptor, place, os.SEEK_SET)


def replace(source: Path, target: Path) -> None:
    """Put *source* in the place of *target*, which other programs may be reading.

    :raises OSError: it failed; on Windows also because one of them has kept *target* open for half a second.
    """
    tries = 1 if RENAMES_OPEN_FILES else _REPLACE_TRIES
    while True:
        try:
            source.replace(target)
        except PermissionError:
            tries -= 1
            if not tries:
                raise
            time.sleep(_REPLACE_PAUSE)
        else:
            return


def error_words(number: int) -> str:
    """Return what the system says of an error *number*."""
    if sys.platform == "win32" and number >= _WINSOCK:
        import ctypes

        return ctypes.FormatError(number).strip(" .")
    return os.strerror(number)


# Consoles and processes


def hidden_key() -> bytes:
    """Wait for a key on the console of Windows, which shows nothing of it, and return it in UTF-8.

    Ctrl-C is a signal as ever, and comes as an end of the input, too.
    """
    import importlib

    windows: Any = importlib.import_module("msvcrt")
    key: str = windows.getwch()
    if key == "\x03":
        signal.raise_signal(signal.SIGINT)
        return b"\x1a"
    return key.encode("utf-8", "replace")


def detached() -> dict[str, Any]:
    """Return what makes `subprocess.Popen` start a program that outlives us, our terminal and its Ctrl-C."""
    import subprocess  # here: ssh waits for who starts nothing

    flags = sum(getattr(subprocess, name, 0) for name in ("CREATE_NEW_PROCESS_GROUP", "DETACHED_PROCESS"))
    return {"creationflags": flags} if flags else {"start_new_session": True}


@contextlib.contextmanager
def caught_signals(loop: asyncio.AbstractEventLoop, call: Callable[[signal.Signals], None]) -> Iterator[None]:
    """Have *loop* call *call* with each of `STOP_SIGNALS` that comes, instead of what the signal does by itself."""
    with contextlib.ExitStack() as stack:
        for number in STOP_SIGNALS:
            try:
                loop.add_signal_handler(number, call, number)
            except NotImplementedError:
                _catch_without_loop(loop, call, stack)
                break
            stack.callback(loop.remove_signal_handler, number)
        yield


def _catch_without_loop(
    loop: asyncio.AbstractEventLoop, call: Callable[[signal.Signals], None], stack: contextlib.ExitStack
) -> None:
    """What an event loop does with signals where it can."""

    def catch(number: int, _: FrameType | None) -> None:
        loop.call_soon_threadsafe(call, signal.Signals(number))

    # A loop that waits runs no handler: the byte that the system writes makes it look.
    waking, told = socket.socketpair()
    stack.callback(waking.close)
    stack.callback(told.close)
    waking.setblocking(False)
    told.setblocking(False)
    loop.add_reader(waking, _drain, waking)
    stack.callback(loop.remove_reader, waking)
    stack.callback(signal.set_wakeup_fd, signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False))
    for number in STOP_SIGNALS:
        stack.callback(signal.signal, number, signal.signal(number, catch))


def _drain(sock: socket.socket) -> None:
    with contextlib.suppress(BlockingIOError, InterruptedError):
        sock.recv(4096)


def choose_event_loop() -> None:
    """Have the loops that are made from now on watch sockets by select(2), where there is nothing better.

    The usual loop of Windows watches no sockets that it has not made itself. select(2) takes 512 there, and elsewhere
    descriptors below 1,024; with one more it would end the loop: that one is refused instead.
    """
    if hasattr(select, "poll"):
        return
    import asyncio
    import selectors

    class Selector(selectors.SelectSelector):
        def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
            number = fileobj if isinstance(fileobj, int) else fileobj.fileno()
            if len(self.get_map()) >= _MOST_SELECTED or number > _HIGHEST_SELECTED:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            return super().register(fileobj, events, data)

    class Policy(asyncio.DefaultEventLoopPolicy):
        def new_event_loop(self) -> asyncio.AbstractEventLoop:
            return asyncio.SelectorEventLoop(Selector())

    asyncio.set_event_loop_policy(Policy())
