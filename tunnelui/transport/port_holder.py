"""Which process listens on a local address: best effort, for a message. Linux only; elsewhere the answer is empty."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import struct
import sys
from pathlib import Path
from typing import Final

from tunnelui.text import clean

__all__ = ["process_name", "tcp_holder", "unix_peer"]

_PROC: Final = Path("/proc")
_INTERPRETERS: Final = ("python", "node", "ruby", "perl", "java")
_LISTEN: Final = "0A"  # include/net/tcp_states.h


def tcp_holder(host: str, port: int) -> str:
    """Return ``NAME (pid N)`` of who listens on *port* at *host* (an IP literal), or at every address; or ``""``."""
    inodes = {
        inode
        for table in ("tcp", "tcp6")
        for address, inode in _listeners(_PROC / "net" / table, port)
        if _overlap(address, host)
    }
    owner = _owner(inodes) if inodes else None
    return f"another tunnel of this program (pid {owner})" if owner == os.getpid() else process_name(owner)


def unix_peer(sock: socket.socket) -> str:
    """Return ``NAME (pid N)`` of who made the listener that *sock* is connected to; or ``""``."""
    if not hasattr(socket, "SO_PEERCRED"):
        return ""
    size = struct.calcsize("3i")
    pid, _, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return process_name(pid)


def process_name(pid: int | None) -> str:
    """Return ``NAME (pid N)``; ``""`` without a pid (0 is how Linux shows a process in another namespace)."""
    if not pid:
        return ""
    with contextlib.suppress(OSError):
        name = clean((_PROC / str(pid) / "comm").read_bytes().strip(), 40)
        if name.startswith(_INTERPRETERS):
            # What it runs says more. No further argument: there may be secrets among them.
            name = f"{name} {_script((_PROC / str(pid) / 'cmdline').read_bytes())}".rstrip()
        return f"{name} (pid {pid})"
    return f"pid {pid}"


def _script(arguments: bytes) -> str:
    """Return the script or module that an interpreter runs, by its *arguments* as the kernel tells them."""
    words = [clean(word, 200) for word in arguments.removesuffix(b"\0").split(b"\0")[1:]]
    for at, word in enumerate(words):
        if word in ("-m", "-jar"):
            return f"{word} {Path(words[at + 1]).name}" if at + 1 < len(words) else ""
        if word in ("-c", "-e", "-"):
            return ""
        if word and not word.startswith("-"):
            return Path(word).name
    return ""


def _listeners(table: Path, port: int) -> list[tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, str]]:
    found = []
    with contextlib.suppress(OSError):
        for line in table.read_text("ascii").splitlines()[1:]:
            columns = line.split()
            address, _, number = columns[1].partition(":")
            if columns[3] == _LISTEN and int(number, 16) == port:
                found.append((_address(address), columns[9]))
    return found


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Read the kernel's spelling: 32-bit words in the byte order of the machine, in hexadecimal."""
    words = [int(text[at : at + 8], 16).to_bytes(4, sys.byteorder) for at in range(0, len(text), 8)]
    return ipaddress.ip_address(b"".join(words))


def _overlap(address: ipaddress.IPv4Address | ipaddress.IPv6Address, host: str) -> bool:
    wanted = ipaddress.ip_address(host)
    return address == wanted or address.is_unspecified or wanted.is_unspecified


def _owner(inodes: set[str]) -> int | None:
    """Return the process that has one of these sockets open, as far as this user may look."""
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for process in _PROC.iterdir():
        if not process.name.isdigit():
            continue
        with contextlib.suppress(OSError):  # gone, or another user's
            for descriptor in (process / "fd").iterdir():
                with contextlib.suppress(OSError):
                    if str(descriptor.readlink()) in wanted:
                        return int(process.name)
    return None
