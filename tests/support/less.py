"""Circumstances of another system, for processes of ours: what it lacks is taken away before anything is imported.

Each is the text of a ``sitecustomize.py``.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LIKE_WINDOWS", "NO_BIND", "NO_SOCKETS", "python_path"]

NO_SOCKETS: Final = """
import _socket
del _socket.AF_UNIX, _socket.socketpair  # the second one makes Unix sockets
"""
# What a seccomp filter or a security module does.
NO_BIND: Final = """
import errno, os, socket
plain = socket.socket

class Socket(plain):
    def bind(self, address):
        if self.family == socket.AF_UNIX:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))
        super().bind(address)

socket.socket = Socket
"""
# Locks are those of its C library, by another way to the same lock of the kernel. What the interpreter itself and the
# libraries take from Unix is imported before it goes.
LIKE_WINDOWS: Final = (
    NO_SOCKETS
    + """
import select
del select.poll, select.epoll  # as there, an event loop has select() alone, and no socket may be closed under it

import asyncio, ctypes, errno, functools, getpass, multiprocessing, os, shutil, signal, subprocess, sys, tempfile, types
import anyio._backends._asyncio, platformdirs

libc = ctypes.CDLL(None, use_errno=True)
msvcrt = types.ModuleType("msvcrt")
msvcrt.LK_UNLCK, msvcrt.LK_NBLCK = 0, 2

def locking(descriptor, mode, size):
    if libc.flock(descriptor, {msvcrt.LK_UNLCK: 8, msvcrt.LK_NBLCK: 2 | 4}[mode]):
        number = ctypes.get_errno()
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES)) if number in (11, 13) else OSError(number, "")

msvcrt.locking = locking
sys.modules["msvcrt"] = msvcrt
for name in ("fcntl", "grp", "pty", "pwd", "resource", "termios", "tty"):
    sys.modules[name] = None
gone = "fork getegid geteuid getgid getuid killpg fchmod makedev readv setsid O_NOFOLLOW O_CLOEXEC O_NONBLOCK O_NOCTTY"
for name in gone.split():
    delattr(os, name)
for name in ("SIGHUP", "SIGCHLD", "SIGUSR1", "SIGUSR2", "SIGTSTP", "SIGCONT", "SIGWINCH", "pthread_sigmask"):
    delattr(signal, name)
for name in ("MSG_DONTWAIT", "SO_PEERCRED", "SO_REUSEPORT", "recv_fds", "send_fds", "CMSG_LEN", "SCM_RIGHTS"):
    delattr(sys.modules["socket"], name)

def of_socket(function):
    def checked(self, fd, *rest):
        import stat
        if not stat.S_ISSOCK(os.fstat(fd if isinstance(fd, int) else fd.fileno()).st_mode):
            raise OSError(10038, "an operation was attempted on something that is not a socket")
        return function(self, fd, *rest)
    return checked

def not_here(self, *_):
    raise NotImplementedError

asyncio.SelectorEventLoop.add_signal_handler = asyncio.SelectorEventLoop.remove_signal_handler = not_here
for name in ("_add_reader", "_add_writer"):
    setattr(asyncio.SelectorEventLoop, name, of_socket(getattr(asyncio.SelectorEventLoop, name)))
"""
)


def python_path(folder: Path, code: str) -> str:
    """Return a ``PYTHONPATH`` with which Python runs *code* first; *folder* is made for it."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(code)
    return os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH", "")])])
