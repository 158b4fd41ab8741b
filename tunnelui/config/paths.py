"""Where things are on disk.

`platformdirs` decides (what it says on Linux is said here, too: loading it takes as long as twenty modules of ours, and
ssh waits); ``TUNNELUI_CONFIG_DIR``, ``TUNNELUI_STATE_DIR`` and ``TUNNELUI_RUNTIME_DIR`` override. Nothing is created
here.
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from tunnelui.system import is_ours

__all__ = [
    "config_dir",
    "config_file",
    "log_file",
    "routes_file",
    "runtime_dir",
    "state_dir",
    "tokens_dir",
]

_APP = "tunnelui"
_SESSIONS = Path("/run/user")
"""Where systemd has the runtime folders of those who are logged in."""
_OF_THEIR_OWN = ("darwin", "win32", "android", "ios")


def config_dir() -> Path:
    """The folder of `config_file` and `routes_file`."""
    return _override("CONFIG") or _of_the_system("CONFIG", ".config")


def config_file() -> Path:
    """``config.toml``: the user's; read, never written."""
    return config_dir() / "config.toml"


def routes_file() -> Path:
    """``routes.toml``: written by tunnelui."""
    return config_dir() / "routes.toml"


def state_dir() -> Path:
    """Logs, last ports, tokens of the ``file`` store."""
    return _override("STATE") or _of_the_system("STATE", ".local/state")


def log_file() -> Path:
    """``tunnelui.log``: what went wrong inside tunnelui itself."""
    return state_dir() / "tunnelui.log"


def tokens_dir() -> Path:
    """The folder of the ``file`` token store."""
    return state_dir() / "tokens"


def runtime_dir() -> Path:
    """Sockets of this login session; below `state_dir` where the system gives no private folder for them."""
    override = _override("RUNTIME")
    if override is not None:
        return override
    if sys.platform == "win32":
        return state_dir() / "run"  # what platformdirs names is cleared now and then
    if sys.platform != "darwin":
        # Without it platformdirs would take a folder in /tmp, whose name anybody can take first.
        given = os.environ.get("XDG_RUNTIME_DIR", "")
        if not given:
            # cron, su and some ssh servers do not say where it is; another folder would mean another agent.
            given = str(_SESSIONS / str(os.geteuid()))
            if not (os.access(given, os.W_OK) and _is_private(given)):
                return state_dir() / "run"
        if not os.access(given, os.W_OK):
            return state_dir() / "run"
        if sys.platform not in _OF_THEIR_OWN and Path(given).is_absolute() and _is_private(given):
            return Path(given, _APP)
    return _by_platformdirs("RUNTIME")


def _override(name: str) -> Path | None:
    value = os.environ.get(f"TUNNELUI_{name}_DIR")
    return Path(value).expanduser().absolute() if value else None


def _of_the_system(name: str, below_home: str) -> Path:
    """The folder by the XDG Base Directory Specification, or by the system's own rules."""
    if sys.platform not in _OF_THEIR_OWN:
        given, home = os.environ.get(f"XDG_{name}_HOME", ""), os.environ.get("HOME", "")
        if Path(given).is_absolute():
            return Path(given, _APP)
        if Path(home).is_absolute():
            return Path(home, below_home, _APP)
    return _by_platformdirs(name)


def _by_platformdirs(name: str) -> Path:
    import platformdirs

    found: Path = getattr(platformdirs, f"user_{name.lower()}_path")(_APP, appauthor=False)
    return found


def _is_private(folder: str) -> bool:
    info = os.lstat(folder)
    return stat.S_ISDIR(info.st_mode) and is_ours(info) and stat.S_IMODE(info.st_mode) == stat.S_IRWXU
