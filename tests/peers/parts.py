"""Find the real programs that the tests drive; `tests/peers/install.sh` installs them."""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

__all__ = ["ENVOY", "KEYRINGS", "NODE", "NODE_MODULES", "REPOSITORY", "find", "missing", "require", "system_user"]

REPOSITORY = Path(__file__).resolve().parents[2]
PEERS = REPOSITORY / ".peers"
ENVOY = PEERS / "venv" / "bin" / "envoy"
NODE = PEERS / "node" / "node"
NODE_MODULES = PEERS / "node" / "node_modules"
KEYRINGS = PEERS / "venv" / "bin" / "python"
"""An interpreter that has keyrings.alt."""

_PLACES = ("/usr/sbin", "/sbin", "/usr/local/sbin")
_POSTGRES = Path("/usr/lib/postgresql")


def find(program: str | Path) -> str | None:
    """Return the path of *program*, looking where system daemons live as well."""
    if isinstance(program, Path):
        return str(program) if os.access(program, os.X_OK) else None
    found = shutil.which(program) or shutil.which(program, path=os.pathsep.join(_PLACES))
    if found is None and _POSTGRES.is_dir():
        # Debian keeps the programs of each PostgreSQL version apart and out of PATH.
        for version in sorted(_POSTGRES.iterdir(), reverse=True):
            found = found or shutil.which(program, path=str(version / "bin"))
    return found


def require(*programs: str | Path) -> list[str]:
    """Return the paths of *programs*; without one the test is skipped, or fails under TUNNELUI_REQUIRE_PEERS."""
    paths = [find(program) for program in programs]
    absent = [str(program) for program, path in zip(programs, paths, strict=True) if path is None]
    if absent:
        missing(f"not installed: {', '.join(absent)} (make peers)")
    return [path for path in paths if path is not None]


def missing(reason: str) -> NoReturn:
    """Skip the test, or fail it under TUNNELUI_REQUIRE_PEERS: *reason* says what this machine lacks."""
    if os.environ.get("TUNNELUI_REQUIRE_PEERS"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def system_user(name: str) -> str | None:
    """Return *name* when this process is root and must become that user: some daemons refuse to run as root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(name).pw_name
    except KeyError:
        return None
