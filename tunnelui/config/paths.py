"""Where things are on disk.

`platformdirs` decides; ``TUNNELUI_CONFIG_DIR``, ``TUNNELUI_STATE_DIR``, ``TUNNELUI_CACHE_DIR`` and
``TUNNELUI_RUNTIME_DIR`` override. Nothing is created here.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import platformdirs

__all__ = [
    "cache_dir",
    "config_dir",
    "config_file",
    "log_file",
    "routes_file",
    "runtime_dir",
    "state_dir",
    "tokens_dir",
]

_APP = "tunnelui"


def config_dir() -> Path:
    """The folder of `config_file` and `routes_file`."""
    return _override("CONFIG") or platformdirs.user_config_path(_APP, appauthor=False)


def config_file() -> Path:
    """``config.toml``: the user's; read, never written."""
    return config_dir() / "config.toml"


def routes_file() -> Path:
    """``routes.toml``: written by tunnelui."""
    return config_dir() / "routes.toml"


def state_dir() -> Path:
    """Logs, last ports, tokens of the ``file`` store."""
    return _override("STATE") or platformdirs.user_state_path(_APP, appauthor=False)


def log_file() -> Path:
    """``tunnelui.log``: what went wrong inside tunnelui itself."""
    return state_dir() / "tunnelui.log"


def tokens_dir() -> Path:
    """The folder of the ``file`` token store."""
    return state_dir() / "tokens"


def cache_dir() -> Path:
    """What may be thrown away."""
    return _override("CACHE") or platformdirs.user_cache_path(_APP, appauthor=False)


def runtime_dir() -> Path:
    """Sockets of this login session; below `state_dir` where the system gives no private folder for them."""
    override = _override("RUNTIME")
    if override is not None:
        return override
    if sys.platform not in ("darwin", "win32"):
        # Without it platformdirs would take a folder in /tmp, whose name anybody can take first.
        given = os.environ.get("XDG_RUNTIME_DIR", "")
        if not (given and os.access(given, os.W_OK)):
            return state_dir() / "run"
    return platformdirs.user_runtime_path(_APP, appauthor=False)


def _override(name: str) -> Path | None:
    value = os.environ.get(f"TUNNELUI_{name}_DIR")
    return Path(value).expanduser().absolute() if value else None
