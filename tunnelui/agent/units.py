"""The agent as a service of the login session: a systemd user unit, a launchd property list."""

from __future__ import annotations

import plistlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["LAUNCHD_LABEL", "launchd_plist", "systemd_unit"]

LAUNCHD_LABEL: Final = "org.tunnelui.agent"
_UNIT: Final = """\
# Save as ~/.config/systemd/user/tunnelui-agent.service, then:
#   systemctl --user daemon-reload && systemctl --user enable --now tunnelui-agent
[Unit]
Description=tunnelui: tunnels to private services
After=network.target

[Service]
ExecStart={command}
Restart=on-failure
# Open connections may end by themselves.
TimeoutStopSec=10
NoNewPrivileges=yes

[Install]
WantedBy=default.target
"""


def systemd_unit(command: Sequence[str]) -> str:
    """Return a user unit that runs *command*, an absolute path with its arguments."""
    return _UNIT.format(command=" ".join(map(_quoted, command)))


def launchd_plist(command: Sequence[str]) -> str:
    """Return a property list for ``~/Library/LaunchAgents`` that runs *command*."""
    values = {
        "Label": LAUNCHD_LABEL,
        "ProgramArguments": list(command),
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ProcessType": "Interactive",
    }
    return plistlib.dumps(values).decode()


def _quoted(word: str) -> str:
    """Quote as systemd.service(5) reads it: ``%`` and ``$`` stand for themselves when doubled."""
    text = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{text}"' if text != word or any(character.isspace() for character in word) else word
