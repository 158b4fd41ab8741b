"""A person with a browser: a small program that opens the address and follows where it leads."""

from __future__ import annotations

import stat
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def person(folder: Path, *, delay: float = 0.0) -> str:
    """Return the path of a program for ``--browser-cmd``; it waits *delay* seconds, then signs in.

    Each start adds a line to ``opened`` in *folder*.
    """
    path = folder / "person"
    path.write_text(
        f"#!{sys.executable}\n"
        "import sys, time, urllib.request\n"
        f"open({str(folder / 'opened')!r}, 'a').write(sys.argv[1] + '\\n')\n"
        f"time.sleep({delay})\n"
        "opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))\n"
        "page = opener.open(sys.argv[1], timeout=10).read().decode()\n"
        f"open({str(folder / 'page')!r}, 'w').write(page)\n"
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def opened(folder: Path) -> list[str]:
    """Return the addresses that were opened."""
    path = folder / "opened"
    return path.read_text().splitlines() if path.exists() else []
