"""Standard input and output as one side of a relay.

The descriptors are shared with whoever started this process, and O_NONBLOCK is a flag of what is shared, not of our
number for it: a shell whose terminal was left non-blocking reads errors where it expects to wait. So it is never set on
a descriptor that was given. Instead, by what the descriptor is:

* a socket, as ssh's ProxyCommand gives: ``MSG_DONTWAIT`` with each call;
* a pipe or a terminal: opened once more by ``/proc/self/fd/N``, which makes a description of our own, non-blocking;
* the same where there is no ``/proc``: asked with ``poll()`` before each call, and given no more than it surely takes;
* on Windows, where only sockets can be asked: by a thread (`tunnelui.transport.pumped`);
* a file or ``/dev/null``: never waits, and ``epoll`` refuses it; read and written as it is;
* closed: an end at once as input, a reset as output.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import stat
import sys
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

from tunnelui.errors import ProxyError
from tunnelui.text import clean
from tunnelui.transport.endpoint import WOULD_BLOCK, Endpoint

if TYPE_CHECKING:
    from tunnelui.errors import PeerError
    from tunnelui.transport.pumped import Pumped

__all__ = ["StdioEndpoint"]

_STANDARD: Final = 3  # descriptors below are never closed, only pointed elsewhere: the next open() would get the number
_PIPE_QUANTUM: Final = getattr(
    select, "PIPE_BUF", 512
)  # what a pipe takes without waiting when poll() calls it writable
_TERMINAL_QUANTUM: Final = 1
_PTMX: Final = (
    os.makedev(5, 2) if hasattr(os, "makedev") else -1
)  # the master of a terminal: opening it makes a new terminal


class StdioEndpoint(Endpoint):
    """*read_fd* as the incoming and *write_fd* as the outgoing direction. It owns both.

    The end of the input is a half-close; output goes on. Output that nobody reads any more ends as a ``reset``. Closing
    gives descriptors 0 to 2 over to ``/dev/null``; `abort` does the same as `close`, since pipes have no reset.
    """

    def __init__(
        self,
        read_fd: int = 0,
        write_fd: int = 1,
        *,
        address: str = "standard input and output",
        error: type[PeerError] = ProxyError,
    ) -> None:
        super().__init__(address=address, error=error)
        self._input: _Descriptor | Pumped = _open(read_fd, os.O_RDONLY)
        # One number for both would be closed twice.
        self._output: _Descriptor | Pumped = _open(write_fd if write_fd != read_fd else os.dup(write_fd), os.O_WRONLY)
        self.read_fd = self._input.watched
        self.write_fd = self._output.watched

    @property
    def buffered(self) -> bool:
        return bool(self._unread) or self.read_fd < 0

    def read_into(self, buffer: memoryview) -> int:
        if self._unread:
            return self._take_unread(buffer)
        try:
            return self._input.read_into(buffer)
        except (BlockingIOError, InterruptedError):
            return WOULD_BLOCK
        except OSError as error:
            if error.errno == errno.EIO:  # a terminal whose other side has gone
                return 0
            raise self._mapped(error) from error

    def write(self, data: memoryview | bytes) -> bool:
        self._out = memoryview(bytes(self._out) + data) if self._out else memoryview(data)
        drained = self.flush()
        if not drained:
            self._out = memoryview(bytes(self._out))  # the caller's buffer is used again
        return drained

    def flush(self) -> bool:
        try:
            while self._out:
                self._out = self._out[self._output.write(self._out) :]
        except (BlockingIOError, InterruptedError):
            return False
        except OSError as error:
            self._out = b""
            raise self._mapped(error) from error
        return True

    def send_eof(self) -> bool:
        self._stop_writing()
        return True

    def close(self) -> None:
        self._stop_waiting()
        self._unread = self._out = b""
        self.read_fd = -1
        self._input.close()
        self._input = _Closed()
        self._stop_writing()

    def abort(self) -> None:
        self.close()

    def _stop_writing(self) -> None:
        self.write_fd = -1
        with contextlib.suppress(OSError):
            self._output.end()
        self._output = _Closed()

    def _mapped(self, error: OSError) -> PeerError:
        code = "reset" if error.errno in (errno.EPIPE, errno.ECONNRESET) else "closed"
        return self.failure(code, clean(error.strerror or str(error)))


class _Descriptor(ABC):
    """One direction. Calls raise `BlockingIOError` where they would wait; *watched* is -1 where they never do."""

    watched: int

    @abstractmethod
    def read_into(self, buffer: memoryview) -> int: ...

    @abstractmethod
    def write(self, data: memoryview | bytes) -> int: ...

    @abstractmethod
    def close(self) -> None: ...

    def end(self) -> None:
        """End the outgoing direction."""
        self.close()


class _Closed(_Descriptor):
    """What was closed before we came, or by us."""

    watched = -1

    def read_into(self, buffer: memoryview) -> int:
        return 0

    def write(self, data: memoryview | bytes) -> int:
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))

    def close(self) -> None:
        pass


class _File(_Descriptor):
    """A regular file or a device that never waits."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.watched = -1

    def read_into(self, buffer: memoryview) -> int:
        return os.readv(self._fd, [buffer])

    def write(self, data: memoryview | bytes) -> int:
        return os.write(self._fd, data)

    def close(self) -> None:
        _release(self._fd)


class _Reopened(_File):
    """A pipe or terminal with a description of our own, which is non-blocking."""

    def __init__(self, fd: int, own: int) -> None:
        super().__init__(fd)
        self.watched = own

    def read_into(self, buffer: memoryview) -> int:
        return os.readv(self.watched, [buffer])

    def write(self, data: memoryview | bytes) -> int:
        return os.write(self.watched, data)

    def close(self) -> None:
        os.close(self.watched)
        super().close()


class _Polled(_File):
    """A pipe or terminal that stays blocking, and is asked before each call."""

    def __init__(self, fd: int, quantum: int) -> None:
        super().__init__(fd)
        self.watched = fd
        self._quantum = quantum

    def read_into(self, buffer: memoryview) -> int:
        self._ask(select.POLLIN)
        return super().read_into(buffer)

    def write(self, data: memoryview | bytes) -> int:
        self._ask(select.POLLOUT)
        return super().write(data[: self._quantum])

    def _ask(self, event: int) -> None:
        poll = select.poll()
        poll.register(self._fd, event)
        if not poll.poll(0):
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))


class _Socket(_Descriptor):
    """A stream socket that stays blocking."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._sock = socket.socket(fileno=os.dup(fd))
        self.watched = self._sock.fileno()

    def read_into(self, buffer: memoryview) -> int:
        return self._sock.recv_into(buffer, 0, socket.MSG_DONTWAIT)

    def write(self, data: memoryview | bytes) -> int:
        return self._sock.send(data, socket.MSG_DONTWAIT)

    def close(self) -> None:
        self._sock.close()
        _release(self._fd)

    def end(self) -> None:
        # Closing would say nothing while standard input is the same socket.
        try:
            self._sock.shutdown(socket.SHUT_WR)
        finally:
            self.close()


def _open(fd: int, mode: int) -> _Descriptor | Pumped:
    standard = (sys.__stdin__, sys.__stdout__, sys.__stderr__)
    if 0 <= fd < _STANDARD and standard[fd] is None:
        # It was closed when this process began. Something of ours may have its number by now.
        return _Closed()
    try:
        kind = os.fstat(fd).st_mode
    except OSError:
        return _Closed()
    if stat.S_ISSOCK(kind):
        return _Socket(fd)
    if not hasattr(select, "poll"):
        from tunnelui.transport.pumped import pumped_from, pumped_to

        return (pumped_from if mode == os.O_RDONLY else pumped_to)(fd, _release)
    if not _can_wait(fd):
        return _File(fd)
    if os.fstat(fd).st_rdev != _PTMX:
        with contextlib.suppress(OSError):
            return _Reopened(fd, _reopen(fd, mode))
    return _Polled(fd, _TERMINAL_QUANTUM if os.isatty(fd) else _PIPE_QUANTUM)


def _can_wait(fd: int) -> bool:
    kind = os.fstat(fd).st_mode
    if stat.S_ISFIFO(kind) or os.isatty(fd):
        return True
    if not stat.S_ISCHR(kind) or not hasattr(select, "epoll"):
        return False
    with select.epoll() as epoll:
        try:
            epoll.register(fd)
        except PermissionError:  # what /dev/null and files answer
            return False
    return True


def _reopen(fd: int, mode: int) -> int:
    """A new description of what *fd* is, non-blocking.

    :raises OSError: there is no ``/proc``, or it is not ours to open.
    """
    return os.open(f"/proc/self/fd/{fd}", mode | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)


def _release(fd: int) -> None:
    if fd >= _STANDARD:
        os.close(fd)
        return
    null = os.open(os.devnull, os.O_RDWR | getattr(os, "O_CLOEXEC", 0))
    try:
        os.dup2(null, fd)
    finally:
        os.close(null)
