"""Where the program begins: says what to install where the server's own packages are missing."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> int:
    """Run the command line of this process and return the exit code."""
    try:
        from tunnelui_server.cli import main as run
    except ModuleNotFoundError as error:
        if (error.name or "tunnelui").startswith("tunnelui"):
            raise
        sys.stderr.write(
            f"tunnelui-server: the package “{error.name}”, which the server needs, is not installed\n"
            "  Install it: pip install 'tunnelui[server]'\n"
        )
        return 1
    return run()
