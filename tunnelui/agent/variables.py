"""The environment variables that tunnels depend on: an agent has those of whoever started it.

Others see no value of them, only whether two processes have the same ones.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["NAMES", "environment_digest", "environment_elsewhere", "fingerprints", "other_variables"]

NAMES: Final = (
    "TUNNELUI_PROFILE",
    "TUNNELUI_PROXY_URL",
    "TUNNELUI_ALTERNATE_CA_PATH",
    "TUNNELUI_CA_CERT",
    "TUNNELUI_CLIENT_CERT",
    "TUNNELUI_CLIENT_KEY",
    "TUNNELUI_CLIENT_CERT_PASSWORD",
    "TUNNELUI_CLIENT_CERT_PASSWORD_FILE",
    "TUNNELUI_DISABLE_TLS_VERIFICATION",
    "TUNNELUI_TOKEN_STORE",
    "TUNNELUI_BROWSER_CMD",
    "TUNNELUI_NO_BROWSER",
    "TUNNELUI_SERVICE_ACCOUNT",
    "TUNNELUI_SERVICE_ACCOUNT_FILE",
    *(spelt for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY") for spelt in (name, name.lower())),
)


_PATHS: Final = frozenset(
    {
        "TUNNELUI_ALTERNATE_CA_PATH",
        "TUNNELUI_CLIENT_CERT",
        "TUNNELUI_CLIENT_KEY",
        "TUNNELUI_CLIENT_CERT_PASSWORD_FILE",
        "TUNNELUI_SERVICE_ACCOUNT_FILE",
        *(f"TUNNELUI_{name}_DIR" for name in ("CONFIG", "STATE", "CACHE", "RUNTIME")),
    }
)


def environment_elsewhere() -> dict[str, str]:
    """Return the environment of this process for one in another folder: our files and folders by their whole paths."""
    return {name: _value(name) for name in os.environ}


def environment_digest() -> str:
    """Return a digest of the variables: two processes with the same one want the same."""
    return _digest(*(f"{name}={_value(name)}" for name in NAMES if os.environ.get(name)))


def fingerprints(salt: str) -> dict[str, str]:
    """Return the variables that are set, each with a digest of its value and *salt*."""
    return {name: _digest(salt, name, _value(name))[:16] for name in NAMES if os.environ.get(name)}


def other_variables(salt: str, theirs: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names whose values here and there differ; *theirs* are the `fingerprints` from there."""
    ours = fingerprints(salt)
    return tuple(name for name in NAMES if ours.get(name) != theirs.get(name))


def _value(name: str) -> str:
    value = os.environ[name]
    return str(Path(value).absolute()) if name in _PATHS and value and not value.startswith("~") else value


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()
