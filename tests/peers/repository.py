"""git, and a repository to clone."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from tests.peers.parts import require

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["ENV", "git", "make_repository"]

_WHO = "alice@corp.example.com"
ENV = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
    **{f"GIT_{who}_{what}": _WHO for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}
"""Keeps git away from the settings of the person who runs the tests."""


def git(*words: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    (program,) = require("git")
    environment = {**os.environ, **ENV, **(env or {})}
    done = subprocess.run(
        [program, *words], env=environment, cwd=cwd, capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def make_repository(folder: Path, *, size: int = 3_000_000) -> Path:
    """Return a bare ``orders.git`` below *folder* with one commit, ``first``: a file ``data`` of *size* bytes."""
    work, bare = folder / "work", folder / "orders.git"
    git("init", "-q", "-b", "main", work)
    (work / "data").write_bytes(os.urandom(size))
    git("add", "data", cwd=work)
    git("commit", "-q", "-m", "first", cwd=work)
    git("clone", "-q", "--bare", work, bare)
    git("update-server-info", cwd=bare)
    return bare
